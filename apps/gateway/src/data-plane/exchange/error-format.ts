import {
  type ConversationError,
  type OpenAiError,
  toErrorBody,
  toErrorEvent as toChatErrorEvent,
  toErrorKind,
  type WireFormat,
  writeAnthropicError,
  writeAnthropicErrorEvent,
  writeGeminiError,
  writeGeminiErrorEvent,
  writeResponsesErrorEvent,
} from '@weir/wire';

/** An error on its way to a caller. */
export interface CallerError {
  readonly error: OpenAiError;
  readonly status: number;
  readonly requestId: string;
  readonly retryAfterMs: number | null;
}

/** An error as the whole body of an answer, in the caller's format. */
export function toErrorAnswer(format: WireFormat, caller: CallerError): Buffer {
  switch (format) {
    case 'anthropic':
    case 'anthropic-count-tokens':
      return withLimits(writeAnthropicError(toConversationError(caller), caller.requestId), caller);
    case 'gemini':
    case 'gemini-embed':
    case 'gemini-embed-batch':
      return withLimits(writeGeminiError(toConversationError(caller), { httpStatus: caller.status, retryAfterMs: caller.retryAfterMs }), caller);
    default:
      return toErrorBody(caller.error);
  }
}

/**
 * An error as the last event of a stream that had begun.
 * @param eventCount the events before it, for a format that numbers them
 */
export function toErrorEvent(format: WireFormat, caller: CallerError, eventCount: number): string {
  switch (format) {
    case 'anthropic':
      return writeAnthropicErrorEvent(toConversationError(caller), caller.requestId);
    case 'gemini':
      return writeGeminiErrorEvent(toConversationError(caller));
    case 'openai-responses':
      return writeResponsesErrorEvent(toConversationError(caller), eventCount);
    default:
      return toChatErrorEvent(caller.error).toString();
  }
}

export function toConversationError({ error, status }: CallerError): ConversationError {
  const kind = error.code === 'budget_exceeded' ? 'quota' : toErrorKind(status);
  return { kind, message: error.message, code: error.code, param: error.param };
}

/** What the limits say stands in the error's object, as in OpenAI's format. */
function withLimits(json: string, { error }: CallerError): Buffer {
  if (error.limitsJson === undefined) return Buffer.from(json);
  // Every one of these bodies has its error in the first object.
  return Buffer.from(json.replace('"error":{', () => `"error":{"limits":${error.limitsJson},`));
}
