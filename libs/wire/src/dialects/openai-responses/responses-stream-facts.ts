import { type UsageUnits } from '@weir/kernel';
import { type ConversationError, type ErrorKind } from '../conversation';
import { toBrokenStream } from '../conversation-error';
import { isJsonObject } from '../json-object';
import { readResponsesUsage } from './read-usage';

/** What an event of the Responses stream means to a relay that passes it as it is. */
export interface ResponsesEventFacts {
  /** `well`: the answer is whole, or as whole as it will be. `badly`: it failed. Null: more will come. */
  readonly end: 'well' | 'badly' | null;
  /** The event's member `delta` holds language (or a call's arguments) that no event before it had. */
  readonly hasText: boolean;
}

const NOTHING: ResponsesEventFacts = { end: null, hasText: false };
const TEXT: ResponsesEventFacts = { end: null, hasText: true };
const GOOD_END: ResponsesEventFacts = { end: 'well', hasText: false };
const BAD_END: ResponsesEventFacts = { end: 'badly', hasText: false };

/** The `done` events repeat what the deltas said, so they are not among these. */
const FACTS = new Map<string, ResponsesEventFacts>([
  ['response.completed', GOOD_END],
  ['response.incomplete', GOOD_END],
  ['response.failed', BAD_END],
  ['response.cancelled', BAD_END],
  ['error', BAD_END],
  ['response.output_text.delta', TEXT],
  ['response.refusal.delta', TEXT],
  ['response.reasoning_text.delta', TEXT],
  ['response.reasoning_summary_text.delta', TEXT],
  ['response.function_call_arguments.delta', TEXT],
  ['response.custom_tool_call_input.delta', TEXT],
  ['response.mcp_call_arguments.delta', TEXT],
  ['response.code_interpreter_call_code.delta', TEXT],
]);

/**
 * What an event is, by its type. Types that are not known are passed: OpenAI adds some every month.
 * There is no `[DONE]`: a stream that ends without one of the ends has broken off.
 * @param type the data's member `type`; where it has none, the `event:` line's
 */
export function toResponsesEventFacts(type: string | null): ResponsesEventFacts {
  return type === null ? NOTHING : (FACTS.get(type) ?? NOTHING);
}

/**
 * The usage in an event that ends the stream. Responses at its beginning have `usage: null`.
 * @param response the event's member `response`, parsed
 */
export function readResponsesEventUsage(response: unknown): UsageUnits | null {
  return isJsonObject(response) ? readResponsesUsage(response.usage) : null;
}

/**
 * The error in an event that ends the stream badly: `response.failed` has it in its response, `error`
 * flat, or nested as in an answer's body.
 * @param event the event's data, parsed
 */
export function readResponsesEventError(event: unknown): ConversationError {
  if (!isJsonObject(event)) return toBrokenStream();
  const held = isJsonObject(event.response) ? event.response.error : event.error;
  const { code, message, param } = isJsonObject(held) ? held : event;
  const type = isJsonObject(held) ? held.type : null;
  const said = typeof message === 'string' && message !== '';
  return {
    kind: toKind(code, type),
    message: said ? message : toBrokenStream().message,
    code: typeof code === 'string' ? code : said ? null : toBrokenStream().code,
    param: typeof param === 'string' ? param : null,
  };
}

function toKind(code: unknown, type: unknown): ErrorKind {
  switch (code) {
    case 'rate_limit_exceeded':
      return 'rate_limit';
    case 'insufficient_quota':
      return 'quota';
    case 'server_is_overloaded':
    case 'slow_down':
      return 'overloaded';
    case 'context_length_exceeded':
    case 'invalid_prompt':
      return 'invalid_request';
  }
  if (type === 'insufficient_quota') return 'quota';
  const isImageFault = typeof code === 'string' && code !== 'failed_to_download_image' && code.includes('image');
  return isImageFault || type === 'invalid_request_error' ? 'invalid_request' : 'server';
}
