import { type ChatQuirks } from '@weir/providers';
import {
  AnthropicStreamReader,
  ChatStreamReader,
  type ConversationAnswer,
  type ConversationRequest,
  type ConversationStreamReader,
  type Dialect,
  GeminiStreamReader,
  readAnthropicAnswer,
  readChatAnswer,
  readGeminiAnswer,
  writeAnthropicRequest,
  writeChatRequest,
  writeGeminiRequest,
} from '@weir/wire';
import { type CallerContext } from './caller-dialects';

/** What a request must know of where it goes. */
export interface UpstreamContext {
  readonly model: string;
  /** For a dialect that demands a cap, where the caller set none. */
  readonly defaultOutputCap: number;
  readonly quirks: ChatQuirks;
}

/** A chat dialect as upstreams speak it. */
export interface UpstreamDialect {
  /** @throws WeirError invalid_request for what it cannot say; it names the caller's field */
  writeRequest(request: ConversationRequest, context: UpstreamContext): string;
  /** @throws WeirError upstream_error */
  readAnswer(body: unknown, call: CallerContext): ConversationAnswer;
  openReader(call: CallerContext): ConversationStreamReader;
}

const toReadOptions = ({ requestId, conversation }: CallerContext) => ({ fallbackId: requestId, isParallelToolUse: conversation.isParallelToolUse });

/** OpenAI's responses are written for callers only: who speaks them also speaks chat. */
export const UPSTREAM_DIALECTS: Readonly<Partial<Record<Dialect, UpstreamDialect>>> = {
  'openai-chat': {
    writeRequest: (request, { model, quirks }) => writeChatRequest(request, { ...quirks, model }),
    readAnswer: (body) => readChatAnswer(body),
    openReader: () => new ChatStreamReader(),
  },
  anthropic: {
    writeRequest: (request, { model, defaultOutputCap }) => writeAnthropicRequest(request, { model, defaultOutputCap }),
    readAnswer: (body) => readAnthropicAnswer(body),
    openReader: () => new AnthropicStreamReader(),
  },
  gemini: {
    writeRequest: (request, { model }) => writeGeminiRequest(request, { model }),
    readAnswer: (body, call) => readGeminiAnswer(body, toReadOptions(call)),
    openReader: (call) => new GeminiStreamReader(toReadOptions(call)),
  },
};
