import { type WeirError } from '@weir/kernel';

/** OpenAI's error object with all four keys: its SDKs read each of them. */
export interface OpenAiError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
  /** Azure's fifth key, as JSON text; absent where the provider sent none. */
  readonly innerErrorJson?: string | null;
  /** Each limit of the call and which of them refused it, as JSON text; absent where none did. */
  readonly limitsJson?: string;
}

export function toOpenAiError(error: WeirError): OpenAiError {
  return { message: error.message, type: error.type, param: error.param, code: error.code };
}

/** An error as the body of an answer. */
export function toErrorBody(error: OpenAiError): Buffer {
  return Buffer.from(toErrorJson(error));
}

/**
 * An error as the last event of a stream that had begun. No `[DONE]` follows: every OpenAI client
 * takes an end without an error for success.
 */
export function toErrorEvent(error: OpenAiError): Buffer {
  return Buffer.from(`data: ${toErrorJson(error)}\n\n`);
}

function toErrorJson({ message, type, param, code, innerErrorJson, limitsJson }: OpenAiError): string {
  let json = JSON.stringify({ message, type, param, code }).slice(0, -1);
  if (innerErrorJson != null) json += `,"innererror":${innerErrorJson}`;
  if (limitsJson !== undefined) json += `,"limits":${limitsJson}`;
  return `{"error":${json}}}`;
}
