import { createHash } from 'node:crypto';
import { zeroUsage, type UsageUnits } from '@weir/kernel';
import { type BodyConversion, type ConvertedAnswer } from '../body-conversion';
import { readRerankAnswer, type RerankAnswer } from './read-rerank-answer';
import { readRerankRequest } from './read-rerank-request';
import { type RerankRequest } from './rerank-request';

/** Cohere bills a query with up to a hundred documents as one. */
const DOCUMENTS_PER_SEARCH_UNIT = 100;

/**
 * To a server that speaks Cohere's shape: vLLM, SGLang, llama.cpp, Infinity, Jina, Cohere. Documents
 * are sent as texts, which all of them take, and never asked for: they are given back from the request.
 */
export const rerankToRerank: BodyConversion = {
  toUpstream: (body, upstreamModel) => {
    const request = readRerankRequest(body);
    return {
      model: upstreamModel,
      query: request.query,
      documents: request.documents.map(({ text }) => text),
      ...(request.topN === request.documents.length ? {} : { top_n: request.topN }),
      ...(request.wantsRawScores === null ? {} : { raw_scores: request.wantsRawScores }),
    };
  },
  toCaller,
};

/** To text-embeddings-inference, which serves one model and knows no `top_n`. */
export const rerankToTeiRerank: BodyConversion = {
  toUpstream: (body) => {
    const request = readRerankRequest(body);
    return {
      query: request.query,
      texts: request.documents.map(({ text }) => text),
      raw_scores: request.wantsRawScores ?? false,
      return_text: false,
      // Cohere and Jina cut a document that is too long; left alone, this server refuses the whole request.
      truncate: request.truncates ?? true,
    };
  },
  toCaller,
};

function toCaller(answer: unknown, body: unknown, model: string): ConvertedAnswer {
  const request = readRerankRequest(body);
  const read = readRerankAnswer(answer, request);
  return { body: writeRerankAnswer(read, request, model), usage: toUsage(read, request) };
}

/**
 * The answer for every caller: it has what the clients of Cohere, Jina and vLLM read. Tokens are 0
 * where the server does not say.
 */
function writeRerankAnswer(answer: RerankAnswer, request: RerankRequest, model: string): object {
  const tokens = answer.inputTokens ?? 0;
  return {
    id: answer.id ?? toId(answer, request),
    object: 'rerank',
    model,
    results: answer.results.map(({ index, score }) => ({
      index,
      relevance_score: score,
      ...(request.returnsDocuments ? { document: request.documents[index].echo } : {}),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    meta: { billed_units: { search_units: answer.searchUnits ?? Math.ceil(request.documents.length / DOCUMENTS_PER_SEARCH_UNIT) } },
  };
}

/** Null without tokens: a model that is priced by them must be estimated, not given away. */
function toUsage({ inputTokens }: RerankAnswer, { documents }: RerankRequest): UsageUnits | null {
  if (inputTokens === null) return null;
  const units = zeroUsage();
  units.inputTokens = inputTokens;
  units.documents = documents.length;
  units.requests = 1;
  return units;
}

/** For servers that name no answers. The same question and answer always have the same. */
function toId({ results }: RerankAnswer, { query }: RerankRequest): string {
  return `rerank-${createHash('sha256').update(JSON.stringify([query, results])).digest('hex').slice(0, 32)}`;
}
