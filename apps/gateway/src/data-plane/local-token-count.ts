import { getProvider } from '@weir/providers';
import { type ModelRoute } from '@weir/upstreams';
import { type RequestFacts } from './facts/request-facts';

/** Bytes of language per token, on the average. */
const BYTES_PER_TOKEN = 4;
/** About what a picture is charged as. */
const TOKENS_PER_IMAGE = 1_600;

/** Whether tokens are to be counted for a model none of whose upstreams counts them. */
export function isCountedHere({ format, operation }: RequestFacts, { targets }: ModelRoute): boolean {
  if (format !== 'anthropic-count-tokens' || operation === 'proxy') return false;
  return !targets.some(({ upstream }) => getProvider(upstream.provider).formats[operation]?.includes(format) === true);
}

/** An estimate, as an answer of Anthropic's `POST /v1/messages/count_tokens`: no other provider's count is known here. */
export function toLocalTokenCount({ textBytes, imageCount }: RequestFacts): Buffer {
  return Buffer.from(JSON.stringify({ input_tokens: Math.max(1, Math.ceil(textBytes / BYTES_PER_TOKEN) + imageCount * TOKENS_PER_IMAGE) }));
}
