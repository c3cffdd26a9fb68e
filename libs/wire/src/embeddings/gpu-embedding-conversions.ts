import { type BodyConversion } from '../body-conversion';
import { type EmbeddingAnswer, type EmbeddingRequest } from './embedding-request';
import { readGeminiEmbedRequest, writeGeminiEmbedAnswer } from './gemini-embeddings';
import { readOpenAiEmbeddingRequest, writeOpenAiEmbeddingAnswer } from './openai-embeddings';
import { type PictureEmbeddingRequest, readPictureEmbeddingRequest, readSiglip2Answer, writeSiglip2Request } from './siglip2-embeddings';
import { readTeiEmbedAnswer, writeTeiEmbedRequest } from './tei-embeddings';

/** How callers of one format ask for vectors and get them. */
interface CallerSide<Request> {
  read(body: unknown, model: string): Request;
  write(answer: EmbeddingAnswer, request: Request, model: string): object;
}

/** How a GPU service is asked. */
interface UpstreamSide<Request> {
  write(request: Request, upstreamModel: string): object;
  read(body: unknown, request: Request): EmbeddingAnswer;
}

const teiSide: UpstreamSide<EmbeddingRequest> = { write: writeTeiEmbedRequest, read: readTeiEmbedAnswer };
const siglip2Side: UpstreamSide<PictureEmbeddingRequest> = { write: writeSiglip2Request, read: readSiglip2Answer };
const openAiSide = <Request extends PictureEmbeddingRequest>(read: (body: unknown) => Request): CallerSide<Request> => ({
  read,
  write: (answer, { encodingFormat }, model) => writeOpenAiEmbeddingAnswer(answer, { model, encodingFormat }),
});
const geminiSide = (isBatch: boolean): CallerSide<EmbeddingRequest> => ({
  read: (body, model) => readGeminiEmbedRequest(body, { model, isBatch }),
  write: (answer) => writeGeminiEmbedAnswer(answer, { isBatch }),
});

export const openAiToTeiEmbed: BodyConversion = join(openAiSide(readOpenAiEmbeddingRequest), teiSide);
export const geminiEmbedToTeiEmbed: BodyConversion = join(geminiSide(false), teiSide);
export const geminiBatchEmbedToTeiEmbed: BodyConversion = join(geminiSide(true), teiSide);
export const openAiToSiglip2: BodyConversion = join(openAiSide(readPictureEmbeddingRequest), siglip2Side);
export const geminiEmbedToSiglip2: BodyConversion = join<EmbeddingRequest>(geminiSide(false), siglip2Side);
export const geminiBatchEmbedToSiglip2: BodyConversion = join<EmbeddingRequest>(geminiSide(true), siglip2Side);

function join<Request>(caller: CallerSide<Request>, upstream: UpstreamSide<Request>): BodyConversion {
  return {
    toUpstream: (body, upstreamModel) => upstream.write(caller.read(body, upstreamModel), upstreamModel),
    toCaller: (body, request, model) => {
      const read = caller.read(request, model);
      const answer = upstream.read(body, read);
      return { body: caller.write(answer, read, model), usage: answer.usage };
    },
  };
}
