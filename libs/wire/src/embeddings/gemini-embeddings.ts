import { readGeminiUsage } from '../dialects/gemini/read-usage';
import { findCamelObject, findCamelObjects, toCamelName, toCamelObject } from '../dialects/gemini/to-camel-object';
import { JsonObject, toRefusal, toUnknownMember } from '../dialects/json-object';
import { type EmbeddingAnswer, type EmbeddingRequest } from './embedding-request';
import { readVectors } from './read-vectors';

const KNOWN = new Set(['model', 'content', 'taskType', 'title', 'outputDimensionality', 'embedContentConfig', 'autoTruncate']);

/** Google's own limit of `:batchEmbedContents`. */
export const MOST_GEMINI_EMBEDDINGS = 100;
const MOST_DIMENSIONS = 100_000;

export interface GeminiEmbedReadOptions {
  /** The name by which the caller asks for the model: it stands in the path. */
  readonly model: string;
  /** `:batchEmbedContents`; false: `:embedContent`. */
  readonly isBatch: boolean;
}

/**
 * Reads a request of Google's `:embedContent` or `:batchEmbedContents`
 * (https://ai.google.dev/api/embeddings) for translation. Texts only. The requests of a batch must
 * ask for vectors of the same length; the first one's task and title count.
 * @throws WeirError invalid_request, which names the field
 */
export function readGeminiEmbedRequest(body: unknown, { model, isBatch }: GeminiEmbedReadOptions): EmbeddingRequest {
  const read = toRequests(JsonObject.of(body, '', 'caller'), isBatch).map(readOne);
  const [first] = read;
  const odd = read.findIndex(({ dimensions }) => dimensions !== first.dimensions);
  if (odd !== -1) throw toRefusal(`requests[${odd}].outputDimensionality`, 'must be the same in all requests for this model');
  return {
    model,
    inputs: read.map(({ text }) => text),
    inputField: isBatch ? 'requests' : 'content',
    dimensions: first.dimensions,
    encodingFormat: 'float',
    user: null,
    taskType: first.taskType,
    title: first.title,
  };
}

function toRequests(body: JsonObject, isBatch: boolean): readonly JsonObject[] {
  if (!isBatch) return [body];
  for (const name of body.names) if (body.has(name) && name !== 'requests' && name !== 'model') throw toUnknownMember(name);
  const requests = body.findObjects('requests') ?? [];
  if (requests.length === 0 || requests.length > MOST_GEMINI_EMBEDDINGS) throw body.fault('requests', `must hold 1 to ${MOST_GEMINI_EMBEDDINGS} requests`);
  return requests;
}

function readOne(said: JsonObject): { text: string; dimensions: number | null; taskType: string | null; title: string | null } {
  for (const name of said.names) if (said.has(name) && !KNOWN.has(toCamelName(name))) throw toUnknownMember(name);
  const request = toCamelObject(said);
  const content = findCamelObject(request, 'content');
  if (content === null) throw request.fault('content', 'is required');
  // How newer models are told the same.
  const config = findCamelObject(request, 'embedContentConfig') ?? request;
  const text = findCamelObjects(content, 'parts').map(readText).join('\n');
  if (text === '') throw content.fault('parts', 'must hold a text that is not empty');
  return {
    text,
    dimensions: config.findInteger('outputDimensionality', 1, MOST_DIMENSIONS),
    taskType: config.findText('taskType'),
    title: config.findText('title'),
  };
}

function readText(part: JsonObject): string {
  if (!part.has('text')) throw part.fault('', 'must be a text: others cannot be translated for this model');
  return part.getText('text');
}

/**
 * Writes a request for Google's `:batchEmbedContents`.
 * @throws WeirError invalid_request for what it cannot say; it names the caller's field
 */
export function writeGeminiEmbedRequest(request: EmbeddingRequest, model: string): object {
  const { inputs, inputField, dimensions, taskType, title } = request;
  if (inputs.length > MOST_GEMINI_EMBEDDINGS) throw toRefusal(inputField, `may hold at most ${MOST_GEMINI_EMBEDDINGS} texts for this model`);
  return {
    requests: inputs.map((text, index) => {
      if (typeof text !== 'string') throw toRefusal(inputs.length === 1 ? inputField : `${inputField}[${index}]`, 'must be a text: this model takes no token ids');
      return {
        model: `models/${model}`,
        content: { parts: [{ text }] },
        ...(taskType === null ? {} : { taskType }),
        ...(title === null ? {} : { title }),
        ...(dimensions === null ? {} : { outputDimensionality: dimensions }),
      };
    }),
  };
}

/**
 * Reads an answer of `:batchEmbedContents` or `:embedContent`.
 * @throws WeirError upstream_error
 */
export function readGeminiEmbedAnswer(body: unknown, { inputs, dimensions }: Pick<EmbeddingRequest, 'inputs' | 'dimensions'>): EmbeddingAnswer {
  const answer = JsonObject.of(body, '', 'upstream');
  const single = answer.findObject('embedding');
  const items = single === null ? (answer.findObjects('embeddings') ?? []) : [single];
  return { vectors: readVectors(items.map((item) => item.find('values')), inputs.length, dimensions), usage: readGeminiUsage(answer.find('usageMetadata')) };
}

/** Writes an answer for a caller that speaks Gemini's dialect. */
export function writeGeminiEmbedAnswer({ vectors, usage }: EmbeddingAnswer, { isBatch }: { readonly isBatch: boolean }): object {
  const [values] = vectors;
  return {
    ...(isBatch ? { embeddings: vectors.map((vector) => ({ values: vector })) } : { embedding: { values } }),
    ...(usage === null ? {} : { usageMetadata: { promptTokenCount: usage.inputTokens, totalTokenCount: usage.inputTokens } }),
  };
}
