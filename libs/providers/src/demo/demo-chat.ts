import { type DemoGeneration, type DemoUsage, toDemoGeneration, toDemoUsage } from './demo-generation';
import {
  type DemoGenerationOptions,
  type DemoStamp,
  invalid,
  isJsonObject,
  parseGenerationOptions,
  parseObject,
} from './demo-request';
import { countDemoTokens } from './demo-tokens';

/** A chat request as demo/echo understands it: tools, images and sound are accepted and ignored. */
export interface DemoChatRequest extends DemoGenerationOptions {
  /** The last user message's text: what is said back. */
  readonly text: string;
  readonly promptTokens: number;
}

export interface DemoChatChunk {
  readonly id: string;
  readonly object: 'chat.completion.chunk';
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: { readonly role?: 'assistant'; readonly content?: string; readonly refusal?: null };
    readonly logprobs: null;
    readonly finish_reason: 'stop' | 'length' | null;
  }[];
  readonly usage?: DemoUsage | null;
}

const FINGERPRINT = 'fp_demo_echo';

function toPartText(part: unknown, param: string): string {
  if (!isJsonObject(part) || typeof part.type !== 'string') throw invalid(param, `'${param}' must be a content part.`);
  if (part.type !== 'text') return '';
  if (typeof part.text !== 'string') throw invalid(`${param}.text`, `'${param}.text' must be a string.`);
  return part.text;
}

function toContentText(content: unknown, param: string): string {
  if (content === undefined || content === null) return '';
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw invalid(param, `'${param}' must be a string or an array of content parts.`);
  return content.map((part, index) => toPartText(part, `${param}[${index}]`)).join('');
}

/** @throws WeirError `invalid_request` that names the field at fault. */
export function parseDemoChatRequest(body: unknown): DemoChatRequest {
  const request = parseObject(body);
  const options = parseGenerationOptions(request, ['max_tokens', 'max_completion_tokens']);
  if (!Array.isArray(request.messages) || request.messages.length === 0) {
    throw invalid('messages', "'messages' must be an array with at least one message.");
  }
  let text = '';
  let promptTokens = 0;
  request.messages.forEach((message: unknown, index) => {
    const param = `messages[${index}]`;
    if (!isJsonObject(message)) throw invalid(param, `'${param}' must be an object.`);
    if (typeof message.role !== 'string') throw invalid(`${param}.role`, `'${param}.role' must be a string.`);
    const content = toContentText(message.content, `${param}.content`);
    promptTokens += countDemoTokens(content);
    if (message.role === 'user') text = content;
  });
  return { ...options, text, promptTokens };
}

/** The whole answer of a request that does not stream. */
export function toDemoChatAnswer(request: DemoChatRequest, stamp: DemoStamp) {
  const generation = toDemoGeneration(request.text, request);
  const content = generation.tokens.join('');
  return {
    id: stamp.id,
    object: 'chat.completion',
    created: stamp.createdSeconds,
    model: request.model,
    system_fingerprint: FINGERPRINT,
    choices: Array.from({ length: request.choiceCount }, (_, index) => ({
      index,
      message: { role: 'assistant', content, refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: generation.finishReason,
    })),
    usage: toUsage(request, generation),
  };
}

/** The chunks of a request that streams, made one at a time so that a long answer is never held. */
export function* toDemoChatChunks(request: DemoChatRequest, stamp: DemoStamp): Generator<DemoChatChunk, void> {
  const generation = toDemoGeneration(request.text, request);
  const common = {
    id: stamp.id,
    object: 'chat.completion.chunk' as const,
    created: stamp.createdSeconds,
    model: request.model,
    system_fingerprint: FINGERPRINT,
  };
  // Present and null on every chunk but the last, exactly when the caller asked for usage.
  const noUsage = request.includeUsage ? { usage: null } : {};
  type Choice = DemoChatChunk['choices'][number];
  const toChunk = (index: number, delta: Choice['delta'], finishReason: Choice['finish_reason'] = null): DemoChatChunk => ({
    ...common,
    choices: [{ index, delta, logprobs: null, finish_reason: finishReason }],
    ...noUsage,
  });
  for (let index = 0; index < request.choiceCount; index++) {
    yield toChunk(index, { role: 'assistant', content: '', refusal: null });
  }
  for (const content of generation.tokens) {
    for (let index = 0; index < request.choiceCount; index++) yield toChunk(index, { content });
  }
  for (let index = 0; index < request.choiceCount; index++) yield toChunk(index, {}, generation.finishReason);
  if (request.includeUsage) yield { ...common, choices: [], usage: toUsage(request, generation) };
}

function toUsage(request: DemoChatRequest, generation: DemoGeneration): DemoUsage {
  return toDemoUsage(request.promptTokens, generation.tokens.length * request.choiceCount);
}
