import { WeirError } from '@weir/kernel';
import { type EmbeddingAnswer, type EmbeddingRequest } from './embedding-request';
import { readVectors } from './read-vectors';

/**
 * Writes a request for `POST /embed` of text-embeddings-inference, which is answered by a bare array of
 * vectors. It also has OpenAI's `/v1/embeddings`, which says the tokens and is used where both are
 * there: this is for servers that have `/embed` alone.
 * https://huggingface.github.io/text-embeddings-inference
 */
export function writeTeiEmbedRequest({ inputs, dimensions }: EmbeddingRequest): object {
  return {
    inputs,
    normalize: true,
    // A text that is too long is refused, as OpenAI does, and not cut without a word.
    truncate: false,
    ...(dimensions === null ? {} : { dimensions }),
  };
}

/**
 * Reads that array. The tokens stand in a header (`x-compute-tokens`), so usage is null.
 * @throws WeirError upstream_error
 */
export function readTeiEmbedAnswer(body: unknown, { inputs, dimensions }: EmbeddingRequest): EmbeddingAnswer {
  if (!Array.isArray(body)) throw new WeirError('upstream_error', { detail: "the upstream's embeddings: the answer is no array" });
  return { vectors: readVectors(body, inputs.length, dimensions), usage: null };
}
