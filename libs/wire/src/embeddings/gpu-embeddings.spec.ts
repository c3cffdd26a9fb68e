import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeirError, zeroUsage } from '@weir/kernel';
import { type BodyConversion, findBodyConversion, parseExactJson, type WireFormat } from '@weir/wire';

const SECRET = 'my secret prompt';
const PNG = 'iVBORw0KGgo=';
const image = { image: PNG };
const request = { model: 'siglip2', input: [SECRET, 'b'] };

function getConversion(caller: WireFormat, upstream: WireFormat): BodyConversion {
  const conversion = findBodyConversion(caller, upstream);
  if (conversion === null) throw new Error(`no conversion from ${caller} to ${upstream}`);
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

const load = (name: string): unknown => parseExactJson(readFileSync(join(__dirname, 'fixtures', name), 'utf8'));
const tei = getConversion('openai-embeddings', 'tei-embed');
const siglip2 = getConversion('openai-embeddings', 'siglip2-embed');

describe('every caller reaches every provider of embeddings:', () => {
  const callers: readonly WireFormat[] = ['openai-embeddings', 'gemini-embed', 'gemini-embed-batch'];
  const upstreams: readonly WireFormat[] = ['openai-embeddings', 'gemini-embed-batch', 'tei-embed', 'siglip2-embed'];
  // A batch of Gemini's names its model in each request, so it is rewritten even for Gemini.
  it.each(callers.flatMap((caller) => upstreams.filter((upstream) => upstream !== 'openai-embeddings' || caller !== upstream).map((upstream) => [caller, upstream] as const)))(
    '%s to %s',
    (caller, upstream) => {
      const body = caller === 'openai-embeddings' ? { model: 'm', input: 'x' } : caller === 'gemini-embed' ? { content: { parts: [{ text: 'x' }] } } : { requests: [{ content: { parts: [{ text: 'x' }] } }] };
      const answer =
        upstream === 'tei-embed' ? [[1, 0]] : upstream === 'gemini-embed-batch' ? { embeddings: [{ values: [1, 0] }] } : { data: [{ index: 0, embedding: [1, 0] }], usage: { prompt_tokens: 3, total_tokens: 3 } };
      const conversion = getConversion(caller, upstream);
      expect(JSON.stringify(conversion.toUpstream(body, 'up'))).toContain('"x"');
      expect(JSON.stringify(conversion.toCaller(answer, body, 'm').body)).toContain('[1,0]');
    },
  );

  it('and where bytes pass there is nothing to convert', () => {
    for (const format of ['openai-embeddings', 'gemini-embed', 'openai-speech', 'openai-images', 'meshes'] as const) expect(findBodyConversion(format, format)).toBeNull();
    expect(findBodyConversion('openai-embeddings', 'rerank')).toBeNull();
    expect(findBodyConversion('openai-chat', 'anthropic')).toBeNull();
  });
});

describe('text-embeddings-inference', () => {
  it('is asked for vectors of length 1, and cuts no text without a word', () => {
    expect(tei.toUpstream({ model: 'm', input: 'a', dimensions: 2, user: 'u' }, 'up')).toEqual({ inputs: ['a'], normalize: true, truncate: false, dimensions: 2 });
    expect(tei.toUpstream({ model: 'm', input: [[1, 2], [3]] }, 'up')).toMatchObject({ inputs: [[1, 2], [3]] });
  });

  it('answers a bare array, which becomes a list of OpenAI; tokens are estimated', () => {
    expect(tei.toCaller(load('tei-embed.reference.json'), request, 'my-model')).toEqual({
      body: {
        object: 'list',
        data: [
          { object: 'embedding', index: 0, embedding: [0.6, 0.8, 0] },
          { object: 'embedding', index: 1, embedding: [0, -0.00001, 1] },
        ],
        model: 'my-model',
        usage: { prompt_tokens: 0, total_tokens: 0 },
      },
      usage: null,
    });
  });

  it('gives base64 to callers that want it', () => {
    const { body } = tei.toCaller([[0.5, -2]], { model: 'm', input: 'a', encoding_format: 'base64' }, 'm');
    expect(body).toMatchObject({ data: [{ embedding: Buffer.from(Float32Array.of(0.5, -2).buffer).toString('base64') }] });
  });

  it.each<[string, unknown]>([
    ['one vector for two', [[1, 2]]],
    ['three vectors for two', [[1], [2], [3]]],
    ['vectors of different lengths', [[1, 2], [3]]],
    ['an empty vector', [[], []]],
    ['NaN', [[1], [NaN]]],
    ['null in a vector', [[1], [null]]],
    ['a number that is a text', [[1], ['2']]],
    ['a number beyond all numbers', parseExactJson('[[1],[1e999]]')],
    ['no vectors at all', { error: 'x' }],
    ['null', null],
    ['a vector without end', [Array(70_000).fill(0), Array(70_000).fill(0)]],
  ])('is not believed with %s', (_, answer) => {
    expect(errorOf(() => tei.toCaller(answer, request, 'm')).code).toBe('upstream_error');
  });

  it('is not believed when it overlooks the length that was asked for', () => {
    expect(errorOf(() => tei.toCaller([[1, 2, 3]], { model: 'm', input: 'a', dimensions: 2 }, 'm')).code).toBe('upstream_error');
    expect(tei.toCaller([[1, 2]], { model: 'm', input: 'a', dimensions: 2 }, 'm').body).toMatchObject({ data: [{ embedding: [1, 2] }] });
  });

  it('takes numbers of more digits than JavaScript has', () => {
    expect(tei.toCaller(parseExactJson('[[1.2345678901234567e-05,0.12345678901234567890]]'), { model: 'm', input: 'a' }, 'm').body).toMatchObject({
      data: [{ embedding: [1.2345678901234567e-5, 0.12345678901234568] }],
    });
  });
});

describe('a service for texts and pictures', () => {
  it('is asked for one kind at a time, pictures as data URIs', () => {
    expect(siglip2.toUpstream(request, 'up')).toEqual({ model: 'up', modality: 'text', input: [SECRET, 'b'], encoding_format: 'float' });
    const pictures = { model: 'm', input: [image, { image: `data:image/png;base64,${PNG}` }] };
    expect(siglip2.toUpstream(pictures, 'up')).toEqual({ model: 'up', modality: 'image', input: [`data:image/png;base64,${PNG}`, `data:image/png;base64,${PNG}`], encoding_format: 'float' });
    expect(siglip2.toUpstream({ model: 'm', input: [{ text: 'a' }, 'b'] }, 'up')).toMatchObject({ modality: 'text', input: ['a', 'b'] });
  });

  it('answers in any order, with its tokens', () => {
    expect(siglip2.toCaller(load('siglip2.reference.json'), { model: 'm', input: [image, image] }, 'my-model')).toEqual({
      body: {
        object: 'list',
        data: [
          { object: 'embedding', index: 0, embedding: [0.6, 0.8, 0] },
          { object: 'embedding', index: 1, embedding: [0, 1, 0] },
        ],
        model: 'my-model',
        usage: { prompt_tokens: 12, total_tokens: 12 },
      },
      usage: { ...zeroUsage(), inputTokens: 12, requests: 1 },
    });
  });

  it.each([[[[1, 0], [0, 1]]], [{ embeddings: [[1, 0], [0, 1]] }], [{ data: [{ embedding: [1, 0] }, { embedding: [0, 1] }] }]])('may answer %j', (answer) => {
    expect(siglip2.toCaller(answer, request, 'm').body).toMatchObject({ data: [{ embedding: [1, 0] }, { embedding: [0, 1] }] });
  });

  it.each<[string, unknown]>([
    ['an index twice', { data: [{ index: 0, embedding: [1] }, { index: 0, embedding: [2] }] }],
    ['an index out of range', { data: [{ index: 0, embedding: [1] }, { index: 2, embedding: [2] }] }],
    ['a vector missing', { data: [{ index: 0, embedding: [1] }, { index: 1 }] }],
    ['nothing', {}],
    ['HTML', '<html>'],
  ])('is not believed with %s', (_, answer) => {
    expect(errorOf(() => siglip2.toCaller(answer, request, 'm')).code).toBe('upstream_error');
  });

  it.each<[string, object, string]>([
    ['texts and pictures at once', { input: ['a', image] }, 'input[1]'],
    ['pictures and a text', { input: [image, image, 'a'] }, 'input[2]'],
    ['token ids', { input: [[1, 2]] }, 'input'],
    ['token ids among texts', { input: ['a', [1, 2]] }, 'input[1]'],
    ['a length of its own', { dimensions: 64 }, 'dimensions'],
    ['a URL', { input: [{ image: 'https://a.b/c.png' }] }, 'input[0].image'],
    ['a file', { input: [image, { image: 'file:///etc/passwd' }] }, 'input[1].image'],
    ['a picture that lies about its type', { input: [{ image: `data:image/jpeg;base64,${PNG}` }] }, 'input[0].image'],
    ['text and picture in one', { input: [{ image: PNG, text: 'a' }] }, 'input[0]'],
    ['neither', { input: [{}] }, 'input[0]'],
    ['something else beside', { input: [{ image: PNG, url: 'x' }] }, 'input[0]'],
    ['an empty text', { input: [image, ''] }, 'input[1]'],
    ['an empty text in an object', { input: [{ text: '' }] }, 'input[0].text'],
    ['no inputs', { input: [] }, 'input'],
    ['a member that is not known beside pictures', { input: [image], modality: 'image' }, 'modality'],
  ])('is not asked for %s', (_, changes, param) => {
    const error = errorOf(() => siglip2.toUpstream({ ...request, ...changes }, 'up'));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
    expect(error.message).not.toContain(SECRET);
  });
});
