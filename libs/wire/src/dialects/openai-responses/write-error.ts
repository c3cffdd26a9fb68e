import { toErrorBody } from '../../openai-error-body';
import { type ConversationError } from '../conversation';
import { toChatError } from '../openai-chat/write-error';

/** An error as the body of an answer to a caller that speaks Responses, as JSON text: OpenAI's, as in its chat dialect. */
export function writeResponsesError(error: ConversationError): string {
  return toErrorBody(toChatError(error)).toString();
}

/**
 * An error as the last event of a stream in which there is no response that could fail: none was
 * begun, or it is the upstream's and passed. Flat as OpenAI documents it, and nested as it sends it:
 * with the flat one alone OpenAI's Python client does not raise it.
 * @param sequenceNumber the last event's and one more
 */
export function writeResponsesErrorEvent(error: ConversationError, sequenceNumber: number): string {
  const { message, type, param, code } = toChatError(error);
  const json = JSON.stringify({ type: 'error', sequence_number: sequenceNumber, code, message, param, error: { type, code, message, param } });
  return `event: error\ndata: ${json}\n\n`;
}
