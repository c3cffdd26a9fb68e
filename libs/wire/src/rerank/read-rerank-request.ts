import { isJsonObject, JsonObject, toRefusal, toUnknownMember } from '../dialects/json-object';
import { type RerankDocument, type RerankRequest } from './rerank-request';

/**
 * The most documents of one request, as Cohere has it. Each is a pass through the model: ten thousand
 * would hold a GPU for minutes, and the other organizations' requests behind it.
 */
export const MAX_RERANK_DOCUMENTS = 1000;

/**
 * Members that a GPU server cannot follow, and that change how much of a long document is read, or
 * nothing at all: dropped.
 */
const DROPPED: readonly string[] = ['max_tokens_per_doc', 'max_chunks_per_doc', 'overlap_tokens', 'truncate_prompt_tokens', 'user', 'priority', 'request_id', 'encoding_format'];
const KNOWN: readonly string[] = [
  'model', 'query', 'documents', 'texts', 'top_n', 'top_k', 'return_documents', 'return_text', 'rank_fields', 'truncate', 'truncation', 'raw_scores', ...DROPPED,
];

/**
 * Reads a caller's rerank request in any of the shapes in use: Cohere's (v1 and v2), Jina's, vLLM's,
 * llama.cpp's (`documents`, `top_n`), Voyage's (`top_k`) and that of text-embeddings-inference (`texts`,
 * `return_text`). `null` is as good as absent.
 * @throws WeirError invalid_request that names the field
 */
export function readRerankRequest(body: unknown): RerankRequest {
  const request = JsonObject.of(body, '', 'caller');
  const unknown = request.names.find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) throw toUnknownMember(unknown);
  const query = request.getText('query');
  if (query.trim() === '') throw request.fault('query', 'must not be empty');
  const documents = readDocuments(request);
  return {
    query,
    documents,
    topN: Math.min(documents.length, request.findInteger(request.has('top_n') ? 'top_n' : 'top_k', 1, Number.MAX_SAFE_INTEGER) ?? documents.length),
    returnsDocuments: request.findFlag('return_documents') ?? request.findFlag('return_text') ?? false,
    truncates: request.findFlag('truncate') ?? request.findFlag('truncation'),
    wantsRawScores: request.findFlag('raw_scores'),
  };
}

function readDocuments(request: JsonObject): RerankDocument[] {
  if (request.has('documents') && request.has('texts')) throw request.fault('texts', 'says the same as documents: send one of them');
  const name = request.has('texts') ? 'texts' : 'documents';
  const list = request.findList(name);
  if (list === null) throw request.fault(name, 'is required');
  if (list.length === 0) throw request.fault(name, 'must not be empty');
  if (list.length > MAX_RERANK_DOCUMENTS) throw request.fault(name, `may have at most ${MAX_RERANK_DOCUMENTS} entries`);
  const rankFields = request.findTexts('rank_fields');
  return list.map((document, index) => readDocument(document, `${name}[${index}]`, rankFields));
}

function readDocument(document: unknown, field: string, rankFields: readonly string[] | null): RerankDocument {
  if (typeof document === 'string') return { text: toText(document, field), echo: { text: document } };
  if (!isJsonObject(document)) throw toRefusal(field, 'must be a string or an object with text');
  const members = JsonObject.of(document, field, 'caller');
  const names = rankFields === null || rankFields.length === 0 ? ['text'] : rankFields;
  // Cohere ranks by the fields in the order given; documents may lack some of them.
  const texts = names.flatMap((name) => members.findText(name) ?? []);
  if (texts.length === 0) throw toRefusal(field, 'must be a string or an object with text');
  return { text: toText(texts.join('\n'), field), echo: document };
}

function toText(text: string, field: string): string {
  if (text === '') throw toRefusal(field, 'must not be empty');
  return text;
}
