import { OPERATION_DEFINITIONS } from '../operations';
import { parseRequestFacts } from './request-facts';

const [chat] = OPERATION_DEFINITIONS;

function parse(members: string, deployment: string | null = null): string {
  return parseRequestFacts(Buffer.from(`{${members},"messages":[{"role":"user","content":"x"}]}`), chat, deployment).model;
}

describe("a model's name", () => {
  it.each(['gpt-5.5', 'azure/gpt-4o', 'a..b', 'ä/模型', '.hidden'])('may be %s', (model) => {
    expect(parse(`"model":"${model}"`)).toBe(model);
  });

  it.each(['azure/\\ud800', 'azure/..', '.', '../x', 'a/./b', 'a\\\\..\\\\b'])('that would break the path it stands in is not found: %s', (model) => {
    expect(() => parse(`"model":"${model}"`)).toThrow(expect.objectContaining({ code: 'model_not_found', param: 'model' }));
  });

  it('in the path is held to the same', () => {
    expect(() => parse('"n":1', 'm'.repeat(300))).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'model' }));
    expect(() => parse('"n":1', '..')).toThrow(expect.objectContaining({ code: 'model_not_found' }));
    expect(parse('"n":1', 'gpt-4o')).toBe('gpt-4o');
  });
});

describe('a key that a server may take for another', () => {
  it.each([
    ['"model":"a","Model":"b"', 'model'],
    ['"model":"a","MODEL":"b"', 'model'],
    ['"model":"a","\\u004dodel":"b"', 'model'],
    ['"model":"a","ſtream":true', 'stream'],
    ['"model":"a","stream":true,"Stream_Options":{}', 'stream_options'],
  ])('is refused: %s', (members, param) => {
    expect(() => parse(members)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  it('is refused where the path names the model', () => {
    expect(() => parse('"Model":"b"', 'a')).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'model' }));
  });

  it('is none when it is the same one, written with escapes', () => {
    expect(parse('"mod\\u0065l":"a"')).toBe('a');
  });
});
