import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeirError, zeroUsage } from '@weir/kernel';
import { type BodyConversion, findBodyConversion, MAX_RERANK_DOCUMENTS, parseExactJson, readRerankRequest, toRerankFacts } from '@weir/wire';

const SECRET = 'my secret prompt';
const documents = ['Berlin is in Germany.', 'Paris is the capital of France.', 'Rome is in Italy.'];
const request = { model: 'r', query: 'What is the capital of France?', documents };

function getConversion(upstream: 'rerank' | 'tei-rerank'): BodyConversion {
  const conversion = findBodyConversion('rerank', upstream);
  if (conversion === null) throw new Error('no conversion');
  return conversion;
}

function errorOf(act: () => unknown): WeirError {
  try {
    act();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const load = (name: string): unknown => parseExactJson(readFileSync(join(__dirname, 'fixtures', `${name}.reference.json`), 'utf8'));
const score = (index: number, relevance: unknown) => ({ index, relevance_score: relevance });

describe('an answer is the same for callers, whichever server gave it:', () => {
  it.each([
    ['vllm', 56],
    ['infinity', 56],
    ['infinity-old', 56],
    ['jina', 56],
    ['cohere', null],
    ['llama-cpp', 56],
    ['voyage', 56],
    ['sglang', 56],
    ['tei', null],
  ])('%s', (name, tokens) => {
    const { body, usage } = getConversion(name === 'tei' ? 'tei-rerank' : 'rerank').toCaller(load(name), request, 'my-model');
    expect(body).toEqual({
      id: expect.stringMatching(/^[A-Za-z0-9-]{8,}$/),
      object: 'rerank',
      model: 'my-model',
      results: [score(1, 0.9991), score(2, 0.0071), score(0, 0.0013)],
      usage: { prompt_tokens: tokens ?? 0, total_tokens: tokens ?? 0 },
      meta: { billed_units: { search_units: 1 } },
    });
    expect(usage).toEqual(tokens === null ? null : { ...zeroUsage(), inputTokens: 56, documents: 3, requests: 1 });
  });

  it("gives documents back from the request, in the caller's own form", () => {
    const own = { text: documents[2], page: 7 };
    const { body } = getConversion('tei-rerank').toCaller(load('tei'), { ...request, documents: [documents[0], documents[1], own], return_documents: true, top_n: 2 }, 'm');
    expect(body).toMatchObject({ results: [{ index: 1, document: { text: documents[1] } }, { index: 2, document: own }] });
  });

  it('is cut to top_n, also where the server overlooks it, and equal scores keep the order of the request', () => {
    const all = [score(2, 0.5), score(0, 0.5), score(1, 0.5)];
    expect(getConversion('rerank').toCaller({ results: all }, { ...request, top_n: 2 }, 'm').body).toMatchObject({ results: [score(0, 0.5), score(1, 0.5)] });
    expect(getConversion('rerank').toCaller({ results: [score(2, -3.5)] }, { ...request, top_n: 1 }, 'm').body).toMatchObject({ results: [score(2, -3.5)] });
  });

  it('takes scores of more digits than a number has', () => {
    const answer = parseExactJson('[{"index":0,"score":1.2345678901234567e-05},{"index":1,"score":0.1234567890123456789},{"index":2,"score":1}]');
    expect(getConversion('tei-rerank').toCaller(answer, request, 'm').body).toMatchObject({ results: [score(2, 1), score(1, 0.12345678901234568), score(0, 1.2345678901234567e-5)] });
  });

  it.each([
    ['a score that is NaN', [score(0, NaN), score(1, 1), score(2, 1)]],
    ['a score that is null', [score(0, null), score(1, 1), score(2, 1)]],
    ['a score that is a text', [score(0, '0.5'), score(1, 1), score(2, 1)]],
    ['a score beyond all numbers', [score(0, Infinity), score(1, 1), score(2, 1)]],
    ['an index twice', [score(0, 1), score(1, 1), score(1, 1)]],
    ['an index out of range', [score(0, 1), score(1, 1), score(3, 1)]],
    ['a negative index', [score(0, 1), score(1, 1), score(-1, 1)]],
    ['a broken index', [score(0, 1), score(1, 1), score(0.5, 1)]],
    ['no index', [{ relevance_score: 1 }, score(1, 1), score(2, 1)]],
    ['a document missing', [score(0, 1), score(1, 1)]],
    ['nothing', []],
    ['more results than documents', [score(0, 1), score(1, 1), score(2, 1), score(0, 1)]],
    ['a result that is no object', [1, 2, 3]],
  ])('believes no answer with %s', (_, results) => {
    for (const answer of [{ results }, results]) {
      expect(errorOf(() => getConversion('rerank').toCaller(answer, request, 'm')).code).toBe('upstream_error');
    }
  });

  it.each([null, 'x', 5, {}, { results: 'x' }, { error: 'x' }])('believes no answer that is %j', (answer) => {
    expect(errorOf(() => getConversion('rerank').toCaller(answer, request, 'm')).code).toBe('upstream_error');
  });

  it.each([{ prompt_tokens: -1 }, { prompt_tokens: 1e300 }, { prompt_tokens: '5' }, { total_tokens: 1.5 }, null, 'x'])('has no usage where the server lies: %j', (usage) => {
    expect(getConversion('rerank').toCaller({ results: [score(0, 1), score(1, 1), score(2, 1)], usage }, request, 'm').usage).toBeNull();
  });

  it('hands on no id that is none', () => {
    const answer = { id: 'x\r\nset-cookie: a', results: [score(0, 1), score(1, 1), score(2, 1)] };
    expect(getConversion('rerank').toCaller(answer, request, 'm').body).toMatchObject({ id: expect.stringMatching(/^rerank-[0-9a-f]{32}$/) });
  });
});

describe('a request of any shape', () => {
  it.each<[string, object]>([
    ["Cohere's v1", { documents: documents.map((text) => ({ text })), top_n: 2, return_documents: true, max_chunks_per_doc: 10 }],
    ["Cohere's v2", { documents, top_n: 2, return_documents: true, max_tokens_per_doc: 4096 }],
    ["Voyage's", { documents, top_k: 2, return_documents: true, truncation: null }],
    ["text-embeddings-inference's", { texts: documents, top_n: 2, return_text: true }],
    ['fields of its documents', { documents: documents.map((title) => ({ title, page: 1 })), rank_fields: ['title'], top_n: 2, return_documents: true }],
  ])('is read alike: %s', (_, body) => {
    const read = readRerankRequest({ query: 'q', ...body });
    expect(read).toMatchObject({ query: 'q', topN: 2, returnsDocuments: true });
    expect(read.documents.map(({ text }) => text)).toEqual(documents);
  });

  it('goes to a server of the shape of Cohere as texts, with the name that it has for the model', () => {
    const body = { ...request, documents: [{ text: 'a', page: 1 }, 'b'], top_n: 1, return_documents: true, user: 'u' };
    expect(getConversion('rerank').toUpstream(body, 'up')).toEqual({ model: 'up', query: request.query, documents: ['a', 'b'], top_n: 1 });
    expect(getConversion('rerank').toUpstream({ ...request, top_n: 50 }, 'up')).not.toHaveProperty('top_n');
  });

  it('goes to text-embeddings-inference in its words; long texts are cut there unless the caller objects', () => {
    expect(getConversion('tei-rerank').toUpstream({ ...request, top_n: 1 }, 'up')).toEqual({ query: request.query, texts: documents, raw_scores: false, return_text: false, truncate: true });
    expect(getConversion('tei-rerank').toUpstream({ ...request, truncate: false, raw_scores: true }, 'up')).toMatchObject({ truncate: false, raw_scores: true });
  });

  it('is charged by documents and by the characters that are read: the query once for each', () => {
    expect(toRerankFacts(readRerankRequest({ query: 'ab', documents: ['x😀', 'yz'] }))).toEqual({ documents: 2, characters: 8 });
  });

  it.each<[string, object, string | null]>([
    ['10,000 documents', { documents: Array.from({ length: 10_000 }, () => 'x') }, 'documents'],
    ['one document too many', { documents: Array.from({ length: MAX_RERANK_DOCUMENTS + 1 }, () => 'x') }, 'documents'],
    ['too many texts', { documents: undefined, texts: Array.from({ length: MAX_RERANK_DOCUMENTS + 1 }, () => 'x') }, 'texts'],
    ['no documents', { documents: [] }, 'documents'],
    ['documents that are missing', { documents: null }, 'documents'],
    ['documents that are a text', { documents: SECRET }, 'documents'],
    ['documents twice', { texts: [SECRET] }, 'texts'],
    ['an empty document', { documents: ['a', ''] }, 'documents[1]'],
    ['an empty document in an object', { documents: ['a', { text: '' }] }, 'documents[1]'],
    ['a document without text', { documents: [{ title: SECRET }] }, 'documents[0]'],
    ['a document without any of the fields', { documents: [{ text: SECRET }], rank_fields: ['title'] }, 'documents[0]'],
    ['a picture', { documents: [{ image: 'https://a.b/c.png' }] }, 'documents[0]'],
    ['a document that is a number', { documents: [5] }, 'documents[0]'],
    ['no query', { query: null }, 'query'],
    ['an empty query', { query: ' ' }, 'query'],
    ['a query that is a list', { query: [SECRET] }, 'query'],
    ['top_n of nothing', { top_n: 0 }, 'top_n'],
    ['top_n that is a text', { top_n: '1' }, 'top_n'],
    ['top_k that is broken', { top_k: 1.5 }, 'top_k'],
    ['return_documents that is a text', { return_documents: SECRET }, 'return_documents'],
    ['a member that is not known', { top_m: 5 }, 'top_m'],
    ['a member whose name is a prompt', { [SECRET]: 5 }, null],
  ])('is refused with its field, and without its words: %s', (_, changes, param) => {
    const error = errorOf(() => readRerankRequest({ ...request, ...changes }));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
    expect(`${error.message} ${error.detail ?? ''}`).not.toContain(SECRET);
  });

  it('may have as many documents as the limit says', () => {
    expect(readRerankRequest({ ...request, documents: Array.from({ length: MAX_RERANK_DOCUMENTS }, () => 'x') }).documents).toHaveLength(MAX_RERANK_DOCUMENTS);
  });
});

describe('any order of any scores', () => {
  it('comes out sorted, each document once, with the score that it had', () => {
    for (let seed = 1; seed <= 200; seed++) {
      let state = seed;
      const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
      const count = 1 + Math.floor(random() * 30);
      const topN = 1 + Math.floor(random() * count);
      const scores = Array.from({ length: count }, () => Math.round(random() * 10) / 10 - 0.5);
      const items = scores.map((value, index) => ({ index, score: value, order: random() })).sort((one, other) => one.order - other.order);
      const body = { model: 'm', query: 'q', documents: scores.map(String), top_n: topN, return_documents: true };
      const results = Reflect.get(getConversion('tei-rerank').toCaller(items, body, 'm').body, 'results') as { index: number; relevance_score: number; document: { text: string } }[];
      expect(results).toHaveLength(topN);
      expect(new Set(results.map(({ index }) => index)).size).toBe(topN);
      expect(results.every(({ index, relevance_score, document }) => scores[index] === relevance_score && document.text === String(relevance_score))).toBe(true);
      expect(results.map(({ relevance_score }) => relevance_score)).toEqual([...scores].sort((one, other) => other - one).slice(0, topN));
    }
  });
});
