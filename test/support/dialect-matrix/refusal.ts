import Anthropic from '@anthropic-ai/sdk';
import { ApiError } from '@google/genai';
import OpenAI from 'openai';
import { type DialectName } from './told';

/** What an official client throws, whatever it calls it. */
export interface Refused {
  /** Undefined for an error in the middle of a stream. */
  readonly status: number | undefined;
  readonly message: string;
  /** Its own kind of error, as its class or its `type`; for Google the status in words. */
  readonly kind: string;
}

/** What a call was refused with, by the client's own error; throws where it is none of the client's. */
export async function refusalOf(dialect: DialectName, call: Promise<unknown>): Promise<Refused> {
  const error: unknown = await call.then(
    () => new Error('it was not refused'),
    (thrown: unknown) => thrown,
  );
  switch (dialect) {
    case 'chat':
    case 'responses':
      if (error instanceof OpenAI.APIError) return { status: error.status, message: error.message, kind: String(error.type) };
      // A response that failed is an answer to the client: ours says so.
      if (dialect === 'responses' && error instanceof Error && /^[a-z_]+: /.test(error.message)) return { status: undefined, message: error.message, kind: 'response.failed' };
      break;
    case 'anthropic':
      if (error instanceof Anthropic.APIError) return { status: error.status, message: error.message, kind: String(error.type) };
      break;
    case 'gemini':
      if (error instanceof ApiError) return { status: error.status, message: error.message, kind: /"status":\s*"([A-Z_]+)"/.exec(error.message)?.[1] ?? '' };
      // In a stream, Google's client throws the event's words.
      if (error instanceof Error && error.message.includes('"error"')) return { status: undefined, message: error.message, kind: /"status":\s*"([A-Z_]+)"/.exec(error.message)?.[1] ?? '' };
  }
  throw error;
}

/** Expects the body of an error as the dialect writes one of the status. */
export function expectErrorShape(dialect: DialectName, status: number, body: unknown): void {
  switch (dialect) {
    case 'chat':
    case 'responses':
      expect(body).toEqual({ error: expect.objectContaining({ message: expect.any(String), type: expect.any(String) }) });
      // All four members, whether there is something to say or not.
      expect(Object.keys((body as { error: object }).error).slice(0, 4)).toEqual(['message', 'type', 'param', 'code']);
      return;
    case 'anthropic':
      expect(body).toMatchObject({ type: 'error', error: { type: ANTHROPIC_TYPES[status], message: expect.any(String) }, request_id: expect.any(String) });
      return;
    case 'gemini':
      expect(body).toMatchObject({ error: { code: status, message: expect.any(String), status: GOOGLE_STATUSES[status] } });
  }
}

/** https://docs.anthropic.com/en/api/errors */
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  502: 'api_error',
  503: 'overloaded_error',
};

/** https://cloud.google.com/apis/design/errors */
const GOOGLE_STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  502: 'INTERNAL',
  503: 'UNAVAILABLE',
};
