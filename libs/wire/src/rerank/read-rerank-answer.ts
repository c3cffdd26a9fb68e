import { parseCount, WeirError } from '@weir/kernel';
import { isJsonObject, JsonObject } from '../dialects/json-object';
import { readFinite } from '../embeddings/read-vectors';
import { type RerankRequest } from './rerank-request';

export interface RerankResult {
  /** Into the request's documents. */
  readonly index: number;
  readonly score: number;
}

export interface RerankAnswer {
  /** The best first; as many as the caller wants. */
  readonly results: readonly RerankResult[];
  /** What the upstream calls the answer; null when it does not. */
  readonly id: string | null;
  /** Null when the upstream says none. */
  readonly inputTokens: number | null;
  /** Cohere's unit of billing; null when the upstream says none. */
  readonly searchUnits: number | null;
}

const ID = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * Reads an answer in any of the shapes in use: `{results: [{index, relevance_score}]}` (Cohere, Jina,
 * vLLM, llama.cpp), `{data: […]}` (Voyage, older Infinity), or a bare array `[{index, score}]`
 * (text-embeddings-inference, SGLang). Documents in it are not looked at: they are the caller's own.
 * @throws WeirError upstream_error for an index that is missing, twice or out of range, and a score that is no number
 */
export function readRerankAnswer(answer: unknown, request: RerankRequest): RerankAnswer {
  const body = isJsonObject(answer) ? JsonObject.of(answer, '', 'upstream') : null;
  const items = toItems(answer, body);
  const results = items.map((item) => readResult(item, request.documents.length));
  if (new Set(results.map(({ index }) => index)).size !== results.length) throw toBrokenAnswer('has an index twice');
  // Servers that know top_n cut the list themselves; others send all.
  if (results.length < request.topN) throw toBrokenAnswer(`has ${results.length} results instead of ${request.topN}`);
  results.sort((one, other) => other.score - one.score || one.index - other.index);
  return {
    results: results.slice(0, request.topN),
    id: readId(body),
    inputTokens: body === null ? readItemTokens(items) : readRerankTokens(body.members),
    searchUnits: readSearchUnits(body),
  };
}

/** The tokens of a rerank, wherever they are said: `usage`, or Cohere's `meta`. Null when they are not, or cannot be. */
export function readRerankTokens(answer: Readonly<Record<string, unknown>>): number | null {
  const usage = isJsonObject(answer.usage) ? answer.usage : {};
  const meta = isJsonObject(answer.meta) ? answer.meta : {};
  const tokens = isJsonObject(meta.tokens) ? meta.tokens : {};
  return parseCount(usage.prompt_tokens ?? usage.total_tokens ?? tokens.input_tokens);
}

function toItems(answer: unknown, body: JsonObject | null): JsonObject[] {
  if (body === null) return JsonObject.of({ results: answer }, '', 'upstream').findObjects('results') ?? [];
  const items = body.findObjects('results') ?? body.findObjects('data');
  if (items === null) throw toBrokenAnswer('has no results');
  return items;
}

function readResult(item: JsonObject, documentCount: number): RerankResult {
  const index = item.findInteger('index', 0, documentCount - 1);
  const score = readFinite(item.find('relevance_score') ?? item.find('score'));
  if (index === null) throw toBrokenAnswer('has a result without an index');
  if (score === null) throw toBrokenAnswer('has a score that is no finite number');
  return { index, score };
}

/** SGLang counts for each document. One that is not told makes the sum worthless. */
function readItemTokens(items: readonly JsonObject[]): number | null {
  let sum = 0;
  for (const item of items) {
    const info = item.find('meta_info');
    const tokens = isJsonObject(info) ? parseCount(info.prompt_tokens) : null;
    if (tokens === null) return null;
    sum += tokens;
  }
  return parseCount(sum);
}

function readSearchUnits(body: JsonObject | null): number | null {
  const meta = body?.find('meta');
  const billed = isJsonObject(meta) ? meta.billed_units : null;
  return isJsonObject(billed) ? parseCount(billed.search_units) : null;
}

/** An id is handed on where it is one: it stands in the caller's answer. */
function readId(body: JsonObject | null): string | null {
  const id = body?.find('id');
  return typeof id === 'string' && ID.test(id) ? id : null;
}

function toBrokenAnswer(what: string): WeirError {
  return new WeirError('upstream_error', { detail: `the upstream's rerank: the answer ${what}` });
}
