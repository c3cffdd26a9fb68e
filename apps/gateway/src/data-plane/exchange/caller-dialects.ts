import {
  AnthropicStreamWriter,
  ChatStreamWriter,
  type ConversationAnswer,
  type ConversationRequest,
  type ConversationStreamWriter,
  type Dialect,
  GeminiStreamWriter,
  readAnthropicRequest,
  readChatRequest,
  readGeminiRequest,
  readResponsesRequest,
  ResponsesStreamWriter,
  toResponsesEchoJson,
  writeAnthropicAnswer,
  writeChatAnswer,
  writeGeminiAnswer,
  writeResponsesAnswer,
} from '@weir/wire';
import { type RequestFacts } from '../facts/request-facts';

/** What an answer tells of its call. */
export interface CallerContext {
  readonly facts: RequestFacts;
  /** The caller's parsed body. */
  readonly body: unknown;
  readonly conversation: ConversationRequest;
  readonly requestId: string;
  readonly startedAtMs: number;
}

/** A chat dialect as callers speak it. */
export interface CallerDialect {
  /** @throws WeirError invalid_request that names the field */
  readRequest(body: unknown, facts: RequestFacts): ConversationRequest;
  writeAnswer(answer: ConversationAnswer, context: CallerContext): string;
  openWriter(context: CallerContext): ConversationStreamWriter;
}

const toSeconds = ({ startedAtMs }: CallerContext): number => Math.floor(startedAtMs / 1000);

const toResponsesOptions = (context: CallerContext) => ({
  model: context.facts.model,
  createdSeconds: toSeconds(context),
  requestId: context.requestId,
  echoJson: toResponsesEchoJson(context.body),
});

const toGeminiOptions = ({ facts, conversation }: CallerContext) => ({ model: facts.model, wantsThoughts: conversation.wantsThoughts });

export const CALLER_DIALECTS: Readonly<Record<Dialect, CallerDialect>> = {
  'openai-chat': {
    readRequest: readChatRequest,
    writeAnswer: (answer, context) => writeChatAnswer(answer, { model: context.facts.model, createdSeconds: toSeconds(context) }),
    openWriter: (context) => new ChatStreamWriter({ model: context.facts.model, createdSeconds: toSeconds(context), wantsUsage: context.facts.wantsStreamUsage }),
  },
  'openai-responses': {
    readRequest: readResponsesRequest,
    writeAnswer: (answer, context) => writeResponsesAnswer(answer, toResponsesOptions(context)),
    openWriter: (context) => new ResponsesStreamWriter(toResponsesOptions(context)),
  },
  anthropic: {
    readRequest: (body) => readAnthropicRequest(body),
    writeAnswer: (answer, { facts }) => writeAnthropicAnswer(answer, { model: facts.model }),
    openWriter: ({ facts, requestId }) => new AnthropicStreamWriter({ model: facts.model, requestId }),
  },
  gemini: {
    readRequest: readGeminiRequest,
    writeAnswer: (answer, context) => writeGeminiAnswer(answer, toGeminiOptions(context)),
    openWriter: (context) => new GeminiStreamWriter(toGeminiOptions(context)),
  },
};

export function isDialect(format: string): format is Dialect {
  return Object.hasOwn(CALLER_DIALECTS, format);
}
