import { LARGEST_BUDGET_NANOS, type Nanos, type Operation, type UsageUnits, zeroUsage } from '@weir/kernel';
import { type ModelPrice, toCost, toTier } from '@weir/ledger';
import { type CallBounds } from './call-bounds';

/** What a request's body says about how much it may use. */
export interface EstimateFacts {
  readonly operation: Operation;
  /** What is estimated, where `operation` does not tell: of a call to a provider's own API. */
  readonly estimatedAs?: Operation;
  readonly bodyBytes: number;
  /** Bytes of language in it. */
  readonly textBytes: number;
  /** The caller's own cap of a choice's output, in tokens; null when there is none. */
  readonly outputCap: number | null;
  /** Answers that are made for each prompt: the larger of `n` and `best_of`. */
  readonly choiceCount: number;
  /** More than 1 where a completion's `prompt` is a list. */
  readonly promptCount: number;
  /** Images, whether in the body or elsewhere: a small file may hold a large picture. */
  readonly imageCount: number;
  /** Files, and sound and film that is not in the body. */
  readonly fileCount: number;
  /** Tools make a vendor add instructions of its own. */
  readonly hasTools: boolean;
  /** What is used beside or instead of tokens of text; null for these alone. */
  readonly work: Work | null;
}

/** What is charged beside or instead of tokens: known before the call, or bounded. */
export interface Work {
  /** What is known from the request alone, such as the characters to be spoken; it is charged whatever else is reported. */
  readonly known: UsageUnits;
  /** What is charged where the upstream reports nothing; `known` is in it. */
  readonly usual: UsageUnits;
  /** The most that the call may use. */
  readonly worst: UsageUnits;
}

/** Bytes of language per token, on the average. */
const BYTES_PER_TOKEN = 4;
/** For a window of tokens, where the caller set no cap: corrected when the call is settled. */
const USUAL_OUTPUT_TOKENS = 1_024;
/** A call that affords less output than this is not begun. */
const LEAST_OUTPUT_TOKENS = 16;
/** What OpenAI writes for a legacy completion without `max_tokens`. */
const COMPLETION_OUTPUT_TOKENS = 16;
/** What chat templates say of their own accord (gpt-oss about 70, Llama about 30 tokens), beyond the JSON they replace. */
const CHAT_TEMPLATE_TOKENS = 64;
/** What vendors add where there are tools: Claude 159 to 530 tokens (https://docs.anthropic.com/en/docs/tool-use-pricing-and-tokens), and some room. */
const TOOL_TEMPLATE_TOKENS = 1_024;
/** A file of unknown content fills the context window; this much where that is not known. */
const FILE_TOKENS = 131_072;
/** No model reads or writes as many tokens in one call. */
const LARGEST_TOKENS = 1_000_000_000;

/**
 * The most that a call may use and cost, known before it is made. Pure: all from the body's facts
 * and from what is known of the places where the call may go.
 *
 * Input: no more tokens than the body has bytes, because tokenizers work on bytes or on more, and
 * the JSON around a message is longer than what a template puts in its place; and no more than the
 * context window holds. Pictures and files come on top: their size says nothing of their tokens.
 */
export class Estimate {
  /** For windows of tokens: what the call will about use. */
  readonly tokens: number;
  readonly worstUsage: UsageUnits;
  readonly #price: ModelPrice | null;
  readonly #choiceCount: number;
  readonly #choiceOutput: number;
  readonly #isCapped: boolean;
  /** -1 until somebody asks: only a budget does. */
  #mostNanos: Nanos = -1;
  readonly #work: Work | null;
  readonly #gpuMs: number;
  /** The largest cap of a choice that may be set; null where none is to be set. */
  readonly #largestCap: number | null;
  /** Where the caller's silence already means a cap, it is said aloud even if the hold affords it. */
  readonly #alwaysCaps: boolean;

  /** @param gpuMs the longest that the call may keep a GPU, where that has a price */
  constructor(facts: EstimateFacts, bounds: CallBounds, gpuMs = 0) {
    const { work } = facts;
    const choiceOutput = work === null ? toChoiceOutput(facts, bounds) : work.worst.outputTokens;
    const inputTokens = work === null ? toWorstInput(facts, bounds) : toTokens(work.worst.inputTokens + facts.imageCount * bounds.imageTokens);
    this.#price = bounds.price;
    this.#work = work;
    this.#gpuMs = gpuMs;
    this.#choiceCount = facts.choiceCount * facts.promptCount;
    this.#alwaysCaps = facts.operation === 'completions';
    // What passes as it is gets no cap: all that it may write is held, or it is refused.
    const isCapped = facts.outputCap !== null || facts.operation === 'embeddings' || facts.operation === 'proxy' || work !== null;
    this.#choiceOutput = choiceOutput;
    this.#isCapped = isCapped;
    this.#largestCap = isCapped ? null : Math.min(choiceOutput, bounds.largestCapTokens);
    this.worstUsage = this.#toWorstUsage(inputTokens, toTokens(choiceOutput * this.#choiceCount));
    this.tokens = work === null ? toUsualTokens(facts, choiceOutput, this.worstUsage) : toTokens(work.usual.inputTokens + work.usual.outputTokens);
  }

  /** At most what the largest budget is. Without a price 0. */
  get mostNanos(): Nanos {
    if (this.#mostNanos === -1) this.#mostNanos = this.#toNanos(this.#choiceOutput);
    return this.#mostNanos;
  }

  /** A hold smaller than this is no use. Without a price 0. */
  get leastNanos(): Nanos {
    return this.#isCapped ? this.mostNanos : this.#toNanos(Math.min(LEAST_OUTPUT_TOKENS, this.#choiceOutput));
  }

  /**
   * The output cap to set for each choice, so that the call cannot cost more than what is held.
   * Null when there is none to set: the caller set one, or the hold covers whatever the model writes.
   */
  capFor(heldNanos: Nanos): number | null {
    if (this.#largestCap === null || this.#price === null) return null;
    if (heldNanos >= this.mostNanos) return this.#alwaysCaps ? this.#largestCap : null;
    let affordable = 0;
    let tooMuch = this.#largestCap + 1;
    while (tooMuch - affordable > 1) {
      const middle = Math.floor((affordable + tooMuch) / 2);
      if (this.#toNanos(middle) <= heldNanos) affordable = middle;
      else tooMuch = middle;
    }
    return affordable;
  }

  /** All choices' output together under a cap of `capFor`'s; the most there can be where that is null. */
  toOutputTokens(cap: number | null): number {
    return cap === null ? this.worstUsage.outputTokens : toTokens(cap * this.#choiceCount);
  }

  /** What so much output costs beside the rest. Without a price 0. */
  toOutputNanos(outputTokens: number): Nanos {
    if (this.#price === null) return 0;
    const { inputTokens } = this.worstUsage;
    const without = toCost(this.#price, this.#toWorstUsage(inputTokens, 0));
    return toCost(this.#price, this.#toWorstUsage(inputTokens, toTokens(outputTokens))) - without;
  }

  #toNanos(choiceOutput: number): Nanos {
    if (this.#price === null) return 0;
    const usage = this.#toWorstUsage(this.worstUsage.inputTokens, toTokens(choiceOutput * this.#choiceCount));
    return Math.min(toCost(this.#price, usage), LARGEST_BUDGET_NANOS);
  }

  #toWorstUsage(inputTokens: number, outputTokens: number): UsageUnits {
    const usage = toWorstUsage(inputTokens, outputTokens, this.#price);
    usage.gpuMs = this.#gpuMs;
    return this.#work === null ? usage : addWork(usage, this.#work.worst);
  }
}

/** Tokens are those of the usage; all else is the work's. */
export function addWork(usage: UsageUnits, { characters, mediaMs, images, documents, gpuMs }: UsageUnits): UsageUnits {
  return {
    ...usage,
    characters: Math.max(usage.characters, characters),
    mediaMs: Math.max(usage.mediaMs, mediaMs),
    images: Math.max(usage.images, images),
    documents: Math.max(usage.documents, documents),
    gpuMs: Math.max(usage.gpuMs, gpuMs),
  };
}

function toTokens(count: number): number {
  return Math.min(count, LARGEST_TOKENS);
}

function toEstimatedOperation({ estimatedAs, operation }: EstimateFacts): Operation {
  return estimatedAs ?? operation;
}

function toWorstInput(facts: EstimateFacts, bounds: CallBounds): number {
  const templateTokens = (toEstimatedOperation(facts) === 'chat' ? CHAT_TEMPLATE_TOKENS : 0) + (facts.hasTools ? TOOL_TEMPLATE_TOKENS : 0);
  const fileTokens = facts.fileCount * (bounds.contextWindow ?? FILE_TOKENS);
  const imageTokens = facts.imageCount * bounds.imageTokens;
  const textTokens = facts.bodyBytes + templateTokens + fileTokens;
  // Each of the inputs of an embedding may fill the window; the bytes bound all of them.
  if (bounds.contextWindow === null || toEstimatedOperation(facts) === 'embeddings') return toTokens(textTokens + imageTokens);
  const windowTokens = bounds.contextWindow * facts.promptCount;
  if (bounds.imagesAreInWindow) return toTokens(Math.min(textTokens + imageTokens, windowTokens));
  return toTokens(Math.min(textTokens, windowTokens) + imageTokens);
}

/** The most output of one choice. */
function toChoiceOutput(facts: EstimateFacts, bounds: CallBounds): number {
  if (toEstimatedOperation(facts) === 'embeddings') return 0;
  if (facts.outputCap !== null) return Math.min(facts.outputCap, bounds.contextWindow ?? LARGEST_TOKENS);
  return facts.operation === 'completions' ? Math.min(COMPLETION_OUTPUT_TOKENS, bounds.largestOutputTokens) : bounds.largestOutputTokens;
}

/** Tokens of the kind that costs most: nobody knows what will be cached, or thought. */
function toWorstUsage(inputTokens: number, outputTokens: number, price: ModelPrice | null): UsageUnits {
  const usage = zeroUsage();
  usage.inputTokens = inputTokens;
  usage.outputTokens = outputTokens;
  usage.requests = 1;
  if (price === null) return usage;
  const { rates } = toTier(price, inputTokens);
  const dearestInput = Math.max(rates.inputNanosPerMillion, rates.cachedInputNanosPerMillion, rates.cacheWriteNanosPerMillion);
  if (dearestInput > rates.inputNanosPerMillion) {
    if (dearestInput === rates.cacheWriteNanosPerMillion) usage.cacheWriteTokens = inputTokens;
    else usage.cachedInputTokens = inputTokens;
  }
  if (rates.reasoningNanosPerMillion > rates.outputNanosPerMillion) usage.reasoningTokens = outputTokens;
  return usage;
}

function toUsualTokens(facts: EstimateFacts, choiceOutput: number, worst: UsageUnits): number {
  const outputTokens = facts.outputCap === null ? Math.min(USUAL_OUTPUT_TOKENS, choiceOutput) : choiceOutput;
  const choiceCount = facts.choiceCount * facts.promptCount;
  const inputTokens = Math.min(Math.ceil(facts.textBytes / BYTES_PER_TOKEN), worst.inputTokens);
  return toTokens(inputTokens + toTokens(outputTokens * choiceCount));
}
