import { type DemoGeneration, type DemoUsage, toDemoGeneration, toDemoUsage } from './demo-generation';
import { type DemoGenerationOptions, type DemoStamp, parseGenerationOptions, parseObject } from './demo-request';
import { type DemoInput, parseDemoInputs } from './demo-input';

export interface DemoCompletionRequest extends DemoGenerationOptions {
  readonly prompts: readonly DemoInput[];
}

export interface DemoCompletionChunk {
  readonly id: string;
  readonly object: 'text_completion';
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly text: string;
    readonly logprobs: null;
    readonly finish_reason: 'stop' | 'length' | null;
  }[];
  readonly usage?: DemoUsage | null;
}

/** @throws WeirError `invalid_request` that names the field at fault. */
export function parseDemoCompletionRequest(body: unknown): DemoCompletionRequest {
  const request = parseObject(body);
  const options = parseGenerationOptions(request, ['max_tokens']);
  return { ...options, prompts: parseDemoInputs(request.prompt, 'prompt', { emptyAllowed: true }) };
}

/** One generation a choice: `n` of them for each prompt, in the order of the prompts. */
function toGenerations(request: DemoCompletionRequest): DemoGeneration[] {
  return request.prompts.flatMap((prompt) => {
    const generation = toDemoGeneration(prompt.text, request);
    return Array.from({ length: request.choiceCount }, () => generation);
  });
}

function toUsage(request: DemoCompletionRequest, generations: readonly DemoGeneration[]): DemoUsage {
  const promptTokens = request.prompts.reduce((sum, prompt) => sum + prompt.tokens, 0);
  return toDemoUsage(promptTokens, generations.reduce((sum, generation) => sum + generation.tokens.length, 0));
}

/** The whole answer of a request that does not stream. */
export function toDemoCompletionAnswer(request: DemoCompletionRequest, stamp: DemoStamp) {
  const generations = toGenerations(request);
  return {
    id: stamp.id,
    object: 'text_completion',
    created: stamp.createdSeconds,
    model: request.model,
    choices: generations.map((generation, index) => ({
      index,
      text: generation.tokens.join(''),
      logprobs: null,
      finish_reason: generation.finishReason,
    })),
    usage: toUsage(request, generations),
  };
}

/** The chunks of a request that streams, made one at a time so that a long answer is never held. */
export function* toDemoCompletionChunks(
  request: DemoCompletionRequest,
  stamp: DemoStamp,
): Generator<DemoCompletionChunk, void> {
  const generations = toGenerations(request);
  const common = {
    id: stamp.id,
    object: 'text_completion' as const,
    created: stamp.createdSeconds,
    model: request.model,
  };
  const noUsage = request.includeUsage ? { usage: null } : {};
  for (const [index, generation] of generations.entries()) {
    for (const text of generation.tokens) {
      yield { ...common, choices: [{ index, text, logprobs: null, finish_reason: null }], ...noUsage };
    }
    yield {
      ...common,
      choices: [{ index, text: '', logprobs: null, finish_reason: generation.finishReason }],
      ...noUsage,
    };
  }
  if (request.includeUsage) yield { ...common, choices: [], usage: toUsage(request, generations) };
}
