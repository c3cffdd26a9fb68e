import { type StopReason } from '../conversation';

/**
 * What `finishReason` says. Gemini says STOP with function calls, too. `malformed`: the model wrote
 * what Google could not read, so that there is no answer. One that is not known ends like STOP.
 */
export function readGeminiFinishReason(reason: string, hasToolCalls: boolean): StopReason | 'malformed' {
  switch (reason) {
    case 'MAX_TOKENS':
    // More of it could be asked for with a token that no other dialect carries.
    case 'CONTINUATION':
      return 'output_cap';
    case 'SAFETY':
    case 'RECITATION':
    case 'LANGUAGE':
    case 'BLOCKLIST':
    case 'PROHIBITED_CONTENT':
    case 'SPII':
    case 'MODEL_ARMOR':
    case 'IMAGE_SAFETY':
    case 'IMAGE_PROHIBITED_CONTENT':
    case 'IMAGE_RECITATION':
    // Google does not tell why, but something stopped the model before it was done.
    case 'OTHER':
    case 'IMAGE_OTHER':
    case 'NO_IMAGE':
      return 'refusal';
    case 'MALFORMED_FUNCTION_CALL':
    case 'MALFORMED_RESPONSE':
    case 'UNEXPECTED_TOOL_CALL':
    case 'TOO_MANY_TOOL_CALLS':
      return 'malformed';
    default:
      return hasToolCalls ? 'tool_calls' : 'end';
  }
}

export function toGeminiFinishReason(reason: StopReason): string {
  switch (reason) {
    case 'end':
    case 'stop_sequence':
    case 'tool_calls':
    case 'pause':
      return 'STOP';
    case 'output_cap':
    case 'context_window':
      return 'MAX_TOKENS';
    case 'refusal':
      return 'SAFETY';
  }
}

const REASON_NAME = /^[A-Z_]{1,40}$/;

/** What to tell of a prompt that was blocked: Google's words, else its reason. */
export function toBlockMessage(reason: string, message: string | null): string {
  if (message !== null && message !== '') return message;
  return REASON_NAME.test(reason) ? `The prompt was blocked: ${reason}.` : 'The prompt was blocked.';
}
