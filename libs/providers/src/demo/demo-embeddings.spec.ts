import { parseDemoEmbeddingsRequest, toDemoEmbeddingsAnswer, toDemoVector } from '@weir/providers';

const answer = (body: object) => toDemoEmbeddingsAnswer(parseDemoEmbeddingsRequest({ model: 'demo/echo', ...body }));

describe('demo/echo embeddings', () => {
  it.each([1, 8, 9, 256])('are unit vectors of %i dimensions', (dimensions) => {
    const vector = toDemoVector('text', dimensions);
    expect(vector).toHaveLength(dimensions);
    expect(vector.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 5);
  });

  it('depend on the text alone', () => {
    expect(toDemoVector('a', 16)).toEqual(toDemoVector('a', 16));
    expect(toDemoVector('a', 16)).not.toEqual(toDemoVector('b', 16));
  });

  it('are the same numbers in both encodings', () => {
    const [{ embedding: floats }] = answer({ input: 'a', dimensions: 8 }).data;
    const [{ embedding: base64 }] = answer({ input: 'a', dimensions: 8, encoding_format: 'base64' }).data;
    const bytes = Buffer.from(String(base64), 'base64');
    expect(Array.from({ length: 8 }, (_, index) => bytes.readFloatLE(index * 4))).toEqual(floats);
  });

  it('take texts, lists of texts and lists of tokens, and charge for all', () => {
    expect(answer({ input: ['one two', 'three'] })).toMatchObject({ data: [{ index: 0 }, { index: 1 }], usage: { prompt_tokens: 4, total_tokens: 4 } });
    expect(answer({ input: [1, 2, 3] })).toMatchObject({ data: [{ index: 0 }], usage: { prompt_tokens: 3 } });
    expect(answer({ input: [[1, 2], [3]] })).toMatchObject({ data: [{ index: 0 }, { index: 1 }], usage: { prompt_tokens: 3 } });
  });

  it.each([
    [{ input: '' }, 'input'],
    [{ input: [] }, 'input'],
    [{ input: ['a', ''] }, 'input[1]'],
    [{ input: { a: 1 } }, 'input'],
    [{ input: 'a', dimensions: 257 }, 'dimensions'],
    [{ input: 'a', encoding_format: 'hex' }, 'encoding_format'],
  ])('refuse %j and name %s', (body, param) => {
    expect(() => answer(body)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });
});
