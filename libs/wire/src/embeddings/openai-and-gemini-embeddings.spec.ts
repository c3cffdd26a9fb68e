import OpenAI from 'openai';
import { WeirError } from '@weir/kernel';
import {
  geminiBatchEmbedToOpenAi, geminiEmbedToOpenAi, openAiToGeminiEmbeddings, readGeminiEmbedAnswer, readGeminiEmbedRequest, readOpenAiEmbeddingAnswer, readOpenAiEmbeddingRequest, toUnitVector, toVectorBase64,
  writeGeminiEmbedRequest, writeOpenAiEmbeddingAnswer,
} from '@weir/wire';

const SECRET = 'my secret text';
const openAi = (changes: object = {}) => ({ model: 'm', input: [SECRET, 'two'], ...changes });
const gemini = (changes: object = {}) => ({ content: { parts: [{ text: SECRET }] }, ...changes });
const two = { inputs: ['a', 'b'], dimensions: null };

function expectRefusal(act: () => unknown, param: string | null): void {
  let refused: unknown = null;
  try {
    act();
  } catch (error) {
    refused = error;
  }
  if (!(refused instanceof WeirError)) throw new Error(`not refused: ${String(refused)}`);
  expect([refused.code, refused.param]).toEqual(['invalid_request', param]);
  expect(refused.message).not.toContain(SECRET);
}

describe('an OpenAI request for embeddings of Gemini', () => {
  it("is said in Google's words", () => {
    expect(openAiToGeminiEmbeddings.toUpstream(openAi({ dimensions: 256, user: 'u', encoding_format: 'base64' }), 'gemini-embedding-001')).toEqual({
      requests: [SECRET, 'two'].map((text) => ({ model: 'models/gemini-embedding-001', content: { parts: [{ text }] }, outputDimensionality: 256 })),
    });
    expect(openAiToGeminiEmbeddings.toUpstream(openAi({ input: 'one' }), 'g')).toEqual({ requests: [{ model: 'models/g', content: { parts: [{ text: 'one' }] } }] });
  });

  it.each(['float', 'base64'] as const)('is answered as OpenAI answers, which its own client parses (%s)', async (encoding_format) => {
    const answer = { embeddings: [{ values: [0.5, -0.25] }, { values: [1, 0] }], usageMetadata: { promptTokenCount: 7, totalTokenCount: 7 } };
    const { body, usage } = openAiToGeminiEmbeddings.toCaller(answer, openAi({ encoding_format }), 'my-model');
    expect(body).toMatchObject({ object: 'list', model: 'my-model', usage: { prompt_tokens: 7, total_tokens: 7 }, data: [{ object: 'embedding', index: 0 }, { index: 1 }] });
    expect(usage).toMatchObject({ inputTokens: 7, outputTokens: 0, requests: 1 });
    const client = new OpenAI({ apiKey: 'k', fetch: async () => new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } }) });
    // Without a format of its own, the client asks for base64 and decodes it.
    const parsed = await client.embeddings.create({ model: 'm', input: 'x', ...(encoding_format === 'float' ? { encoding_format } : {}) });
    expect(parsed.data.map(({ embedding }) => Array.from(embedding))).toEqual([[0.5, -0.25], [1, 0]]);
  });

  it('gets vectors of length 1 where they were shortened, as OpenAI makes them', () => {
    const { body } = openAiToGeminiEmbeddings.toCaller({ embeddings: [{ values: [3, 4] }] }, openAi({ input: 'x', dimensions: 2 }), 'm');
    expect(body).toMatchObject({ data: [{ embedding: [0.6, 0.8] }], usage: { prompt_tokens: 0 } });
    expect(toUnitVector([0, 0])).toEqual([0, 0]);
  });

  it.each<[string, object, string | null]>([
    ['no input', { input: undefined }, 'input'],
    ['an empty text', { input: ['a', ''] }, 'input[1]'],
    ['no texts', { input: [] }, 'input'],
    ['an object', { input: [{ [SECRET]: 1 }] }, 'input[0]'],
    ['a token id that is none', { input: [1, -1] }, 'input'],
    ['token ids', { input: [[1, 2], [3]] }, 'input[0]'],
    ['one list of token ids', { input: [1, 2] }, 'input'],
    ['more than Google takes', { input: Array.from({ length: 101 }, () => SECRET) }, 'input'],
    ['a format that is not known', { encoding_format: SECRET }, 'encoding_format'],
    ['dimensions of nothing', { dimensions: 0 }, 'dimensions'],
    ['a member that is not known', { inptu: 'x' }, 'inptu'],
    ['no model', { model: undefined }, 'model'],
  ])('is refused with %s', (_, changes, param) => {
    expectRefusal(() => openAiToGeminiEmbeddings.toUpstream(openAi(changes), 'g'), param);
  });

  it('reads token ids for those who take them', () => {
    expect(readOpenAiEmbeddingRequest(openAi({ input: [[1, 2], 'three'] })).inputs).toEqual([[1, 2], 'three']);
    expect(readOpenAiEmbeddingRequest(openAi({ input: [1, 2] })).inputs).toEqual([[1, 2]]);
  });
});

describe('a Gemini request for embeddings of OpenAI', () => {
  it("is said in OpenAI's words, in either spelling", () => {
    const asked = { taskType: 'RETRIEVAL_DOCUMENT', title: 'Ants', outputDimensionality: 256 };
    expect(geminiEmbedToOpenAi.toUpstream(gemini(asked), 'text-embedding-3-small')).toEqual({ model: 'text-embedding-3-small', input: SECRET, dimensions: 256, encoding_format: 'base64' });
    expect(readGeminiEmbedRequest(gemini({ task_type: 'X', output_dimensionality: 5 }), { model: 'm', isBatch: false })).toMatchObject({ taskType: 'X', dimensions: 5, model: 'm' });
    expect(readGeminiEmbedRequest(gemini({ embedContentConfig: { taskType: 'Y' } }), { model: 'm', isBatch: false })).toMatchObject({ taskType: 'Y' });
    expect(geminiBatchEmbedToOpenAi.toUpstream({ requests: [gemini(), gemini({ model: 'models/m', content: { parts: [{ text: 'a' }, { text: 'b' }] } })] }, 'e')).toMatchObject({ input: [SECRET, 'a\nb'] });
  });

  it('is answered as Google answers, one or many, whichever way OpenAI sends the numbers', () => {
    const usage = { prompt_tokens: 3, total_tokens: 3 };
    const one = { data: [{ index: 0, embedding: toVectorBase64([0.5, -2]) }], usage };
    expect(geminiEmbedToOpenAi.toCaller(one, gemini(), 'm').body).toEqual({ embedding: { values: [0.5, -2] }, usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 } });
    const many = { data: [{ index: 1, embedding: [2] }, { index: 0, embedding: [1] }], usage };
    expect(geminiBatchEmbedToOpenAi.toCaller(many, { requests: [gemini(), gemini()] }, 'm')).toMatchObject({ body: { embeddings: [{ values: [1] }, { values: [2] }] }, usage: { inputTokens: 3 } });
  });

  it.each<[string, object, boolean, string | null]>([
    ['no content', { content: undefined }, false, 'content'],
    ['an empty text', { content: { parts: [{ text: '' }] } }, false, 'content.parts'],
    ['a picture', { content: { parts: [{ inlineData: {} }] } }, false, 'content.parts[0]'],
    ['a member that is not known', { tasktype: 'x' }, false, 'tasktype'],
    ['no requests', { requests: [], content: undefined }, true, 'requests'],
    ['vectors of two lengths', { content: undefined, requests: [gemini(), gemini({ outputDimensionality: 5 })] }, true, 'requests[1].outputDimensionality'],
  ])('is refused with %s', (_, changes, isBatch, param) => {
    expectRefusal(() => readGeminiEmbedRequest(gemini(changes), { model: 'm', isBatch }), param);
  });

  it('keeps its task and title on the way to Google', () => {
    const request = readGeminiEmbedRequest(gemini({ taskType: 'X', title: 'T' }), { model: 'm', isBatch: false });
    expect(writeGeminiEmbedRequest(request, 'g')).toMatchObject({ requests: [{ taskType: 'X', title: 'T' }] });
  });
});

describe("an upstream's answer", () => {
  it.each([[null], [{}], [{ embeddings: [{ values: [1] }] }], [{ embeddings: [{ values: [1] }, { values: [] }] }], [{ embeddings: [{ values: [1] }, { values: ['2'] }] }], [{ embeddings: [{ values: [1] }, { values: [1, 2] }] }]])('of Google like %j is its fault', (body) => {
    expect(() => readGeminiEmbedAnswer(body, two)).toThrow(expect.objectContaining({ code: 'upstream_error' }));
  });

  it.each([[null], [{ data: [] }], [{ data: [{ index: 0, embedding: [1] }, { index: 0, embedding: [1] }] }], [{ data: [{ index: 0, embedding: [1] }, { index: 7, embedding: [1] }] }], [{ data: [{ index: 0, embedding: 'AAA' }, { index: 1, embedding: [1] }] }]])('of OpenAI like %j is its fault', (body) => {
    expect(() => readOpenAiEmbeddingAnswer(body, two)).toThrow(expect.objectContaining({ code: 'upstream_error' }));
  });

  it('survives both formats of numbers', () => {
    for (const encodingFormat of ['float', 'base64'] as const) {
      const body = writeOpenAiEmbeddingAnswer({ vectors: [[0.5, -0.125], [3, 4]], usage: null }, { model: 'm', encodingFormat });
      expect(readOpenAiEmbeddingAnswer(body, two).vectors).toEqual([[0.5, -0.125], [3, 4]]);
    }
  });
});
