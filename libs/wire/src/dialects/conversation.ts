import { type UsageUnits } from '@weir/kernel';

/**
 * The neutral form of a conversation: what every chat dialect can be read into and written from, so
 * that a new dialect is one reader and one writer, not a translator for each of the others. What is
 * kept, refused and dropped on the way is told in docs/dialects.md.
 */
export type Dialect = 'openai-chat' | 'anthropic' | 'gemini' | 'openai-responses';

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** Where a picture or a file is: elsewhere, or in the request as base64 without a `data:` in front. */
export type MediaSource =
  | { readonly type: 'url'; readonly url: string }
  | { readonly type: 'base64'; readonly mediaType: string; readonly data: string };

export type ImageDetail = 'auto' | 'low' | 'high' | 'original';

export interface ImagePart {
  readonly type: 'image';
  readonly source: MediaSource;
  readonly detail: ImageDetail | null;
  /** How the caller calls this part (`messages[0].content[1]`): for refusals only. */
  readonly field: string;
}

export interface FilePart {
  readonly type: 'file';
  readonly source: MediaSource | { readonly type: 'text'; readonly text: string };
  readonly name: string | null;
  /** As ImagePart.field. */
  readonly field: string;
}

export interface ToolCallPart {
  readonly type: 'tool_call';
  readonly id: string;
  readonly name: string;
  /** The text of a JSON object; `{}` for a call without arguments. */
  readonly argumentsJson: string;
}

export interface ToolResultPart {
  readonly type: 'tool_result';
  readonly callId: string;
  readonly parts: readonly ContentPart[];
  readonly isError: boolean;
}

/** What a model thought. Signed or redacted thinking goes back to its provider exactly as it came. */
export interface ReasoningPart {
  readonly type: 'reasoning';
  readonly text: string;
  readonly signature: string | null;
  /** Thinking that only its provider can read; then `text` is empty. */
  readonly redactedData: string | null;
}

/** Why a model would not answer, in its own words. */
export interface RefusalPart {
  readonly type: 'refusal';
  readonly text: string;
}

export type ContentPart = TextPart | ImagePart | FilePart;
export type UserPart = ContentPart | ToolResultPart;
export type AnswerPart = TextPart | ReasoningPart | ToolCallPart | RefusalPart;

export type ConversationTurn =
  | { readonly role: 'user'; readonly parts: readonly UserPart[] }
  | { readonly role: 'assistant'; readonly parts: readonly AnswerPart[] }
  /** Instructions given in the middle of a conversation. Those before it are ConversationRequest.system. */
  | { readonly role: 'system'; readonly parts: readonly TextPart[] };

export interface ConversationTool {
  readonly name: string;
  readonly description: string | null;
  /** JSON Schema of the arguments; always an object's. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** The provider guarantees that arguments follow the schema. */
  readonly isStrict: boolean;
}

export type ToolChoice =
  | { readonly type: 'auto' | 'none' | 'required' }
  | { readonly type: 'tool'; readonly name: string };

export type OutputFormat =
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly name: string | null;
      readonly description: string | null;
      readonly schema: Readonly<Record<string, unknown>>;
      readonly isStrict: boolean;
    };

/** From little to much; `none` is ConversationReasoning.mode `off`. */
export const REASONING_EFFORTS = ['minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number];

export interface ConversationReasoning {
  /** Null: an effort is set, and whether the model thinks is left to it. */
  readonly mode: 'on' | 'off' | null;
  readonly effort: ReasoningEffort | null;
  /** At most so many tokens of thinking. */
  readonly budgetTokens: number | null;
}

/** What the caller's dialect calls a member, for refusals by a writer. */
export interface CallerFields {
  readonly dialect: Dialect;
  readonly messages: string;
  readonly frequencyPenalty: string;
  readonly presencePenalty: string;
  readonly outputFormat: string;
  readonly stopSequences: string;
  /** The name of the n-th tool. */
  readonly toolName: (index: number) => string;
}

/** One request for one answer. Null: the caller did not say. */
export interface ConversationRequest {
  readonly fields: CallerFields;
  readonly model: string;
  readonly system: readonly TextPart[];
  readonly turns: readonly ConversationTurn[];
  readonly tools: readonly ConversationTool[];
  readonly toolChoice: ToolChoice | null;
  readonly isParallelToolUse: boolean | null;
  /** Most tokens of output, thinking included. */
  readonly outputCap: number | null;
  /** 0 to 2. */
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly topK: number | null;
  readonly frequencyPenalty: number | null;
  readonly presencePenalty: number | null;
  readonly seed: number | null;
  readonly stopSequences: readonly string[];
  readonly outputFormat: OutputFormat | null;
  readonly reasoning: ConversationReasoning | null;
  /** False: the caller did not ask to be shown thinking, where its dialect leaves that open. Absent: it is shown. */
  readonly wantsThoughts?: boolean;
  readonly isStream: boolean;
  /** The caller wants to be told the usage in the stream, where its dialect leaves that open. */
  readonly wantsStreamUsage: boolean;
  /** An opaque name for the caller's own user. */
  readonly user: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Why an answer ended:
 * - `end`: the model was done, or met a stop sequence where the dialect does not tell these apart
 * - `output_cap`: no more output was allowed
 * - `context_window`: nothing more fits the model's context
 * - `stop_sequence`: one of the caller's, named in stopSequence
 * - `tool_calls`: it waits for the results of its tool calls
 * - `refusal`: the model or the provider's filter would not go on
 * - `pause`: the provider interrupted a long turn; sent back, it goes on
 */
export type StopReason = 'end' | 'output_cap' | 'context_window' | 'stop_sequence' | 'tool_calls' | 'refusal' | 'pause';

export type ConversationUsage = Readonly<UsageUnits>;

export interface ConversationAnswer {
  readonly id: string;
  readonly model: string;
  readonly parts: readonly AnswerPart[];
  readonly stopReason: StopReason;
  readonly stopSequence: string | null;
  /** Null when the provider said none, or what cannot be. */
  readonly usage: ConversationUsage | null;
}

export type ErrorKind =
  | 'invalid_request'
  | 'authentication'
  | 'permission'
  | 'not_found'
  | 'conflict'
  | 'too_large'
  | 'rate_limit'
  | 'quota'
  | 'overloaded'
  | 'timeout'
  | 'server';

/** An error as every dialect can say it. */
export interface ConversationError {
  readonly kind: ErrorKind;
  readonly message: string;
  /** OpenAI's `code`, where there is one. */
  readonly code: string | null;
  readonly param: string | null;
}

/** What a part of a streamed answer begins as. */
export type PartStart =
  | { readonly type: 'text' }
  | { readonly type: 'refusal' }
  | { readonly type: 'reasoning'; readonly redactedData: string | null }
  | { readonly type: 'tool_call'; readonly id: string; readonly name: string };

/** What is added to a part: to its text, its signature, or the JSON text of its arguments. */
export type PartDelta =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'signature'; readonly signature: string }
  | { readonly type: 'arguments'; readonly json: string };

/**
 * A streamed answer. Readers promise: `start` is first; parts have indexes 0, 1, 2, …, in the order
 * of their starts; a part is started, added to and stopped; the arguments of a tool call together are
 * a JSON text, `{}` where the provider sent none; `stop` comes after the last part, then `end`.
 * An `error` is the last event. Parts may be open at the same time.
 */
export type ConversationEvent =
  | { readonly type: 'start'; readonly id: string; readonly model: string }
  | { readonly type: 'part_start'; readonly index: number; readonly part: PartStart }
  | { readonly type: 'part_delta'; readonly index: number; readonly delta: PartDelta }
  | { readonly type: 'part_stop'; readonly index: number }
  /** A snapshot of the whole answer's usage: the last one counts, they are never added. */
  | { readonly type: 'usage'; readonly usage: ConversationUsage }
  | { readonly type: 'stop'; readonly reason: StopReason; readonly stopSequence: string | null }
  | { readonly type: 'end' }
  /** A sign of life. */
  | { readonly type: 'ping' }
  | { readonly type: 'error'; readonly error: ConversationError };

/** One server-sent event as SseReader hands it on, its data decoded. */
export interface StreamEvent {
  readonly type: string | null;
  readonly data: string;
}

/** Understands an upstream's stream. Never throws: what it cannot understand is an `error` event. */
export interface ConversationStreamReader {
  push(event: StreamEvent): ConversationEvent[];
  /** The upstream's stream ended; an error event where it ended before its time. */
  end(): ConversationEvent[];
}

/** Writes a stream for a caller. */
export interface ConversationStreamWriter {
  /** Whole server-sent events, or an empty text where the dialect has nothing to say yet. */
  write(event: ConversationEvent): string;
}
