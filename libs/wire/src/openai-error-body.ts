import { type WeirError } from '@weir/kernel';

/** OpenAI's error object with all four keys: its SDKs read each of them. */
export interface OpenAiError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

export function toOpenAiError(error: WeirError): OpenAiError {
  return { message: error.message, type: error.type, param: error.param, code: error.code };
}

/** An error as the body of an answer. */
export function toErrorBody(error: OpenAiError): Buffer {
  return Buffer.from(JSON.stringify({ error }));
}

/**
 * An error as the last event of a stream that had begun. No `[DONE]` follows: every OpenAI client
 * takes an end without an error for success.
 */
export function toErrorEvent(error: OpenAiError): Buffer {
  return Buffer.from(`data: ${JSON.stringify({ error })}\n\n`);
}
