import { createHash } from 'node:crypto';
import { zeroUsage } from '@weir/kernel';
import { type ConversationError, type ConversationUsage, type StopReason } from '../conversation';
import { toChatError } from '../openai-chat/write-error';
import { toResponsesUsage } from './read-usage';

export interface ResponsesAnswerOptions {
  /** The name by which the caller asked for the model. */
  readonly model: string;
  /** OpenAI's `created_at`: seconds since 1970. */
  readonly createdSeconds: number;
  /** Names the answer where the upstream gave it no name. */
  readonly requestId: string;
  /** What an answer repeats of its request (toResponsesEchoJson). */
  readonly echoJson: string;
}

export type ResponseStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed';

/** What changes while an answer is made. */
export interface ResponseState {
  readonly status: ResponseStatus;
  readonly incompleteReason?: 'max_output_tokens' | 'content_filter';
  readonly error?: ConversationError;
  /** The items, as JSON texts. */
  readonly output: readonly string[];
  /** Null where the provider said none. */
  readonly usage: ConversationUsage | null;
}

/** How an answer ended, in the words of Responses. */
export type ResponseEnd = Pick<ResponseState, 'status' | 'incompleteReason'>;

/** The Response object, which a stream repeats at its beginning and its end: what does not change is written once. */
export class ResponseObject {
  /** Ids of the answer and its items are made of it: OpenAI's have these forms, and clients tell items by them. */
  readonly key: string;
  private readonly head: string;
  /** The echo without its opening brace. */
  private readonly tail: string;

  constructor(upstreamId: string, { model, createdSeconds, requestId, echoJson }: ResponsesAnswerOptions) {
    this.key = createHash('sha256').update(upstreamId === '' ? requestId : upstreamId).digest('hex').slice(0, 40);
    this.head = `{"id":"resp_${this.key}","object":"response","created_at":${createdSeconds},"model":${JSON.stringify(model)}`;
    this.tail = echoJson.slice(1);
  }

  toJson({ status, incompleteReason, error, output, usage }: ResponseState): string {
    const details = incompleteReason === undefined ? 'null' : `{"reason":"${incompleteReason}"}`;
    const fault = error === undefined ? 'null' : JSON.stringify(toResponseError(error));
    // Some clients do not take an end without usage for an end.
    const isOver = status === 'completed' || status === 'incomplete';
    const units = usage ?? (isOver ? zeroUsage() : null);
    const usageJson = units === null ? 'null' : JSON.stringify(toResponsesUsage(units));
    return `${this.head},"status":"${status}","error":${fault},"incomplete_details":${details},"output":[${output.join(',')}],"usage":${usageJson},${this.tail}`;
  }
}

/**
 * A refusal that the model gave words to is an answer of its own here; one without any is a filter's,
 * and leaves the answer incomplete.
 */
export function toResponseEnd(reason: StopReason, hasRefusal: boolean): ResponseEnd {
  switch (reason) {
    case 'output_cap':
    case 'context_window':
      return { status: 'incomplete', incompleteReason: 'max_output_tokens' };
    case 'refusal':
      return hasRefusal ? { status: 'completed' } : { status: 'incomplete', incompleteReason: 'content_filter' };
    case 'end':
    case 'stop_sequence':
    case 'tool_calls':
    case 'pause':
      return { status: 'completed' };
  }
}

/** `error` of a response that failed; every one has a code. */
function toResponseError(error: ConversationError): object {
  const { message, type, param, code } = toChatError(error);
  return { code: code ?? (error.kind === 'invalid_request' ? 'invalid_prompt' : 'server_error'), message, type, param };
}
