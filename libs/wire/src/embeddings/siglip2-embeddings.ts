import { WeirError } from '@weir/kernel';
import { isJsonObject, JsonObject, toRefusal } from '../dialects/json-object';
import { toDataUri } from '../dialects/media';
import { readChatUsage } from '../dialects/openai-chat/read-usage';
import { type EmbeddingAnswer, type EmbeddingInput, type EmbeddingRequest } from './embedding-request';
import { readOpenAiEmbeddingRequest } from './openai-embeddings';
import { readEmbeddingInput, type PictureInput } from './read-embedding-input';
import { readVectors, toOrderedVectors } from './read-vectors';

/** A request for vectors of texts or of pictures. */
export interface PictureEmbeddingRequest extends Omit<EmbeddingRequest, 'inputs'> {
  readonly inputs: readonly (EmbeddingInput | PictureInput)[];
}

/**
 * Reads a request of OpenAI's `POST /embeddings` whose inputs may be pictures too: `{image}` and `{text}`,
 * as Jina has them.
 * @throws WeirError invalid_request, which names the field
 */
export function readPictureEmbeddingRequest(body: unknown): PictureEmbeddingRequest {
  const { members } = JsonObject.of(body, '', 'caller');
  const list: readonly unknown[] = Array.isArray(members.input) ? members.input : [];
  if (!list.some(isJsonObject)) return readOpenAiEmbeddingRequest(body);
  const inputs = list.map((item, index) => readEmbeddingInput(item, `input[${index}]`));
  // Everything else of it is read as for texts.
  return { ...readOpenAiEmbeddingRequest({ ...members, input: list.map(() => 'picture') }), inputs };
}

/**
 * Writes it as Infinity has it (https://michaelfeil.eu/infinity):
 * `POST /embeddings {model, input: [...], modality: "text" | "image", encoding_format: "float"}`, pictures
 * as data URIs. There is no standard for SigLIP 2 servers; this one has an implementation.
 * @throws WeirError invalid_request for what it cannot say; it names the caller's field
 */
export function writeSiglip2Request(request: PictureEmbeddingRequest, model: string): object {
  // A vector of SigLIP 2 means nothing when it is cut: it was not trained for that.
  if (request.dimensions !== null) throw toRefusal('dimensions', 'cannot be chosen for this model');
  return { model, ...toInput(request), encoding_format: 'float' };
}

/**
 * Reads OpenAI's list; `{embeddings: [...]}` and a bare array are taken too.
 * @throws WeirError upstream_error
 */
export function readSiglip2Answer(body: unknown, { inputs }: PictureEmbeddingRequest): EmbeddingAnswer {
  return { vectors: readVectors(toVectors(body), inputs.length, null), usage: isJsonObject(body) ? readChatUsage(body.usage) : null };
}

function toInput({ inputs, inputField }: PictureEmbeddingRequest): { modality: 'text' | 'image'; input: string[] } {
  const odd = inputs.findIndex((input) => typeof input !== typeof inputs[0]);
  const toField = (index: number): string => (inputs.length === 1 ? inputField : `${inputField}[${index}]`);
  if (odd !== -1) throw toRefusal(toField(odd), 'must be like the others: all texts or all pictures');
  const input = inputs.map((item, index) => {
    if (typeof item === 'string') return item;
    if ('image' in item) return toDataUri(item.image);
    throw toRefusal(toField(index), 'must be a text or a picture: this model takes no token ids');
  });
  return { modality: typeof inputs[0] === 'string' ? 'text' : 'image', input };
}

function toVectors(answer: unknown): readonly unknown[] {
  if (Array.isArray(answer)) return answer;
  const body = JsonObject.of(answer, '', 'upstream');
  const bare = body.findList('embeddings');
  if (bare !== null) return bare;
  const items = body.findObjects('data');
  if (items === null) throw new WeirError('upstream_error', { detail: "the upstream's embeddings: the answer has no data" });
  return toOrderedVectors(items.map((item, place) => ({ index: item.findInteger('index', 0, items.length - 1) ?? place, vector: item.find('embedding') })));
}
