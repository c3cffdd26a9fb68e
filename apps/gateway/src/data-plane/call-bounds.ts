import { type ModelPrice, toDearestPrice } from '@weir/ledger';
import { findLargestOutput } from './largest-output';

/** What is known of one place where a call may go. */
export interface TargetBounds {
  readonly upstreamModel: string;
  /** Null when nobody knows the price. */
  readonly price: ModelPrice | null;
  readonly contextWindow: number | null;
}

/** The worst of all the places where a call may go. */
export interface CallBounds {
  /** Never below the price of any place. Null when one of them has no price. */
  readonly price: ModelPrice | null;
  /** In tokens. Null when it is not known of all of them. */
  readonly contextWindow: number | null;
  /** In tokens, of one choice whose caller set no cap. */
  readonly largestOutputTokens: number;
  /** The largest output cap that every place takes: a larger one may be refused. */
  readonly largestCapTokens: number;
  /** What one image may be charged as. */
  readonly imageTokens: number;
  /** False where images are charged as more tokens than they take of the context window. */
  readonly imagesAreInWindow: boolean;
}

/** Where a model's largest output is not known: more than nearly all models write. */
const UNKNOWN_LARGEST_OUTPUT = 131_072;
/** Where a model's largest output is not known: less than nearly all models write. */
const UNKNOWN_LARGEST_CAP = 4_096;
/**
 * The largest image: OpenAI takes at most 10,000 patches of 32 by 32 pixels at 1.2 tokens each
 * (https://developers.openai.com/api/docs/guides/images-vision). Claude stays below 5,000 and Gemini
 * below 2,500 tokens an image.
 */
const IMAGE_TOKENS = 12_000;
/**
 * gpt-4o-mini is charged for 2,833 tokens and 5,667 more for each of at most 8 tiles, to cost what
 * gpt-4o's images cost. They are not in its context window.
 */
const DEAR_IMAGE_TOKENS = 2_833 + 8 * 5_667;
const DEAR_IMAGE_MODEL = /(^|[/:])gpt-4o-mini/i;

/** Without any target there is no price, and nothing that could be written. */
export function toCallBounds(targets: readonly TargetBounds[]): CallBounds {
  const windows = targets.map(({ contextWindow }) => contextWindow ?? Infinity);
  const largestWindow = Math.max(...windows);
  const hasDearImages = targets.some(({ upstreamModel }) => DEAR_IMAGE_MODEL.test(upstreamModel));
  return {
    price: toDearestPrice(targets.map(({ price }) => price)),
    contextWindow: Number.isFinite(largestWindow) ? largestWindow : null,
    largestOutputTokens: Math.max(0, ...targets.map((target) => toLargestOutput(target, UNKNOWN_LARGEST_OUTPUT))),
    largestCapTokens: Math.min(UNKNOWN_LARGEST_OUTPUT, ...targets.map((target) => toLargestOutput(target, UNKNOWN_LARGEST_CAP))),
    imageTokens: hasDearImages ? DEAR_IMAGE_TOKENS : IMAGE_TOKENS,
    imagesAreInWindow: !hasDearImages,
  };
}

function toLargestOutput({ upstreamModel, contextWindow }: TargetBounds, unknown: number): number {
  return Math.min(findLargestOutput(upstreamModel) ?? unknown, contextWindow ?? Infinity);
}
