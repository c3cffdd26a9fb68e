import { JsonObject, toUnknownMember } from '../dialects/json-object';
import { readChatUsage } from '../dialects/openai-chat/read-usage';
import { type EmbeddingAnswer, type EmbeddingInput, type EmbeddingRequest, type EncodingFormat } from './embedding-request';
import { readVectors, toOrderedVectors } from './read-vectors';
import { parseVectorBase64, toVectorBase64 } from './vector';

const KNOWN = new Set(['model', 'input', 'dimensions', 'encoding_format', 'user']);

/** OpenAI's own limit. */
const MOST_INPUTS = 2048;
const MOST_DIMENSIONS = 100_000;

/**
 * Reads a request of OpenAI's `POST /embeddings`
 * (https://platform.openai.com/docs/api-reference/embeddings/create) for translation.
 * @throws WeirError invalid_request, which names the field
 */
export function readOpenAiEmbeddingRequest(body: unknown): EmbeddingRequest {
  const request = JsonObject.of(body, '', 'caller');
  for (const name of request.names) if (request.has(name) && !KNOWN.has(name)) throw toUnknownMember(name);
  const inputs = readInputs(request);
  if (inputs.length === 0 || inputs.length > MOST_INPUTS) throw request.fault('input', `must hold 1 to ${MOST_INPUTS} texts`);
  return {
    model: request.getText('model'),
    inputs,
    inputField: 'input',
    dimensions: request.findInteger('dimensions', 1, MOST_DIMENSIONS),
    encodingFormat: request.findChoice('encoding_format', ['float', 'base64']) ?? 'float',
    user: request.findText('user'),
    taskType: null,
    title: null,
  };
}

/** A text, a list of texts, a list of token ids, or a list of such lists. */
function readInputs(request: JsonObject): readonly EmbeddingInput[] {
  const input = request.find('input');
  if (input === null) throw request.fault('input', 'is required');
  if (typeof input === 'string') return [checkText(request, 'input', input)];
  const list = request.findList('input') ?? [];
  if (typeof list[0] === 'number') return [readTokenIds(request, 'input', list)];
  return list.map((item, index) => {
    const name = `input[${index}]`;
    if (typeof item === 'string') return checkText(request, name, item);
    if (Array.isArray(item)) return readTokenIds(request, name, item);
    throw request.fault(name, 'must be a text or a list of token ids');
  });
}

function checkText(request: JsonObject, name: string, text: string): string {
  if (text === '') throw request.fault(name, 'must not be empty');
  return text;
}

function readTokenIds(request: JsonObject, name: string, list: readonly unknown[]): readonly number[] {
  const isAllIds = list.length > 0 && list.every((item): item is number => typeof item === 'number' && Number.isInteger(item) && item >= 0);
  if (!isAllIds) throw request.fault(name, 'must hold texts or token ids');
  return list;
}

/** Writes a request for an upstream that speaks OpenAI's dialect. Vectors come back as base64: a third of the bytes. */
export function writeOpenAiEmbeddingRequest({ inputs, dimensions, user }: EmbeddingRequest, model: string): object {
  const input = inputs.length === 1 ? inputs[0] : inputs;
  return { model, input, ...(dimensions === null ? {} : { dimensions }), encoding_format: 'base64', ...(user === null ? {} : { user }) };
}

/**
 * Reads an answer of an upstream that speaks OpenAI's dialect; vectors as numbers or as base64,
 * whichever it sends.
 * @throws WeirError upstream_error
 */
export function readOpenAiEmbeddingAnswer(body: unknown, { inputs, dimensions }: Pick<EmbeddingRequest, 'inputs' | 'dimensions'>): EmbeddingAnswer {
  const answer = JsonObject.of(body, '', 'upstream');
  const items = answer.findObjects('data') ?? [];
  const found = items.map((item, place) => ({ index: item.findInteger('index', 0, items.length - 1) ?? place, vector: readEmbedding(item) }));
  return { vectors: readVectors(toOrderedVectors(found), inputs.length, dimensions), usage: readChatUsage(answer.find('usage')) };
}

function readEmbedding(item: JsonObject): unknown {
  const embedding = item.find('embedding');
  return typeof embedding === 'string' ? parseVectorBase64(embedding) : embedding;
}

export interface OpenAiEmbeddingAnswerOptions {
  /** The name by which the caller asked for the model. */
  readonly model: string;
  readonly encodingFormat: EncodingFormat;
}

/** Writes an answer for a caller that speaks OpenAI's dialect. */
export function writeOpenAiEmbeddingAnswer({ vectors, usage }: EmbeddingAnswer, { model, encodingFormat }: OpenAiEmbeddingAnswerOptions): object {
  const tokens = usage?.inputTokens ?? 0;
  return {
    object: 'list',
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encodingFormat === 'base64' ? toVectorBase64(vector) : vector })),
    model,
    // OpenAI's clients expect it.
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}
