import { type BodyConversion } from '../body-conversion';
import { readGeminiEmbedAnswer, readGeminiEmbedRequest, writeGeminiEmbedAnswer, writeGeminiEmbedRequest } from './gemini-embeddings';
import { readOpenAiEmbeddingAnswer, readOpenAiEmbeddingRequest, writeOpenAiEmbeddingAnswer, writeOpenAiEmbeddingRequest } from './openai-embeddings';
import { toUnitVector } from './vector';

/** OpenAI's `/embeddings` for Google's `:batchEmbedContents`. */
export const openAiToGeminiEmbeddings: BodyConversion = {
  toUpstream: (body, upstreamModel) => writeGeminiEmbedRequest(readOpenAiEmbeddingRequest(body), upstreamModel),
  toCaller: (body, request, model) => {
    const read = readOpenAiEmbeddingRequest(request);
    const { vectors, usage } = readGeminiEmbedAnswer(body, read);
    // OpenAI's vectors have length 1, and programs rely on it; Google's do not when they are shortened.
    const scaled = read.dimensions === null ? vectors : vectors.map(toUnitVector);
    return { body: writeOpenAiEmbeddingAnswer({ vectors: scaled, usage }, { model, encodingFormat: read.encodingFormat }), usage };
  },
};

/** Google's `:embedContent` for OpenAI's `/embeddings`. */
export const geminiEmbedToOpenAi: BodyConversion = toOpenAi(false);

/** Google's `:batchEmbedContents` for OpenAI's `/embeddings`. */
export const geminiBatchEmbedToOpenAi: BodyConversion = toOpenAi(true);

function toOpenAi(isBatch: boolean): BodyConversion {
  return {
    toUpstream: (body, upstreamModel) => writeOpenAiEmbeddingRequest(readGeminiEmbedRequest(body, { model: upstreamModel, isBatch }), upstreamModel),
    toCaller: (body, request, model) => {
      const answer = readOpenAiEmbeddingAnswer(body, readGeminiEmbedRequest(request, { model, isBatch }));
      return { body: writeGeminiEmbedAnswer(answer, { isBatch }), usage: answer.usage };
    },
  };
}

/** Google's `:embedContent` for a batch of one, with the model's name as the upstream has it. */
export const geminiEmbedToBatch: BodyConversion = toBatch(false);

/** Google's `:batchEmbedContents`, whose every request names the model: as the upstream has it. */
export const geminiBatchEmbedToBatch: BodyConversion = toBatch(true);

function toBatch(isBatch: boolean): BodyConversion {
  return {
    toUpstream: (body, upstreamModel) => writeGeminiEmbedRequest(readGeminiEmbedRequest(body, { model: upstreamModel, isBatch }), upstreamModel),
    toCaller: (body, request, model) => {
      const answer = readGeminiEmbedAnswer(body, readGeminiEmbedRequest(request, { model, isBatch }));
      return { body: writeGeminiEmbedAnswer(answer, { isBatch }), usage: answer.usage };
    },
  };
}
