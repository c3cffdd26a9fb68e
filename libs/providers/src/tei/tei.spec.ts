import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@weir/kernel';
import { type FailureClass, toUpstreamFormat } from '../provider';
import { readTeiTokens } from './read-tei-tokens';
import { tei } from './tei';

const at = (basePath: string) => ({ origin: 'http://gpu:6012', basePath, options: {} });
const load = (name: string): Buffer => readFileSync(join(__dirname, `${name}.reference.json`));

describe('text-embeddings-inference', () => {
  it.each<[string, number, FailureClass]>([
    ['overloaded', 429, 'throttled'],
    ['unhealthy', 503, 'fault'],
    ['backend', 424, 'fault'],
    ['openai-backend', 424, 'fault'],
    ['validation', 413, 'caller'],
    ['openai-validation', 413, 'caller'],
    ['tokenizer', 422, 'caller'],
  ])('says %s under %d: %s', (name, status, expected) => {
    expect(tei.readFailure(status, {}, load(name), 0)).toMatchObject({ failureClass: expected, status, code: null });
  });

  it("passes its words about the caller's request, with a type that OpenAI's clients know", () => {
    expect(tei.readFailure(413, {}, load('validation'), 0)).toMatchObject({ message: 'batch size 1000 > maximum allowed batch size 32', type: 'invalid_request_error' });
  });

  it.each<[number, string, FailureClass]>([
    [401, '', 'bad_key'],
    [424, '<html>', 'fault'],
    [413, '', 'caller'],
    [502, '\u001f\u008b', 'fault'],
    [429, '{"error":"x","error_type":"constructor"}', 'throttled'],
    [500, 'null', 'fault'],
  ])('%d with %j is %s', (status, body, expected) => {
    expect(tei.readFailure(status, {}, Buffer.from(body), 0).failureClass).toBe(expected);
  });

  it('is asked at its root, whether or not the base URL ends in /v1', () => {
    for (const [base, root] of [['', ''], ['/v1', ''], ['/tei', '/tei'], ['/tei/v1', '/tei']]) {
      expect(tei.toPath(at(base), 'openai-embeddings', 'm', false)).toBe(`${root}/v1/embeddings`);
      expect(tei.toPath(at(base), 'tei-embed', 'm', false)).toBe(`${root}/embed`);
      expect(tei.toPath(at(base), 'tei-rerank', 'm', false)).toBe(`${root}/rerank`);
      expect(tei.toHealthPath(at(base))).toBe(`${root}/health`);
    }
    expect(() => tei.toPath(at(''), 'openai-chat', 'm', false)).toThrow('no path');
    expect(tei.toAuthorization(new Secret('k'))).toEqual(['authorization', 'Bearer k']);
  });

  it("takes OpenAI's embeddings as they are, and reranks in its own words", () => {
    expect(toUpstreamFormat(tei, 'embeddings', 'openai-embeddings')).toBe('openai-embeddings');
    expect(toUpstreamFormat(tei, 'embeddings', 'gemini-embed')).toBe('openai-embeddings');
    expect(toUpstreamFormat(tei, 'rerank', 'rerank')).toBe('tei-rerank');
    expect(toUpstreamFormat(tei, 'chat', 'openai-chat')).toBeNull();
  });

  it.each([
    [{ 'x-compute-tokens': '12' }, 12],
    [{ 'x-compute-tokens': '0' }, 0],
    [{ 'x-compute-tokens': '-1' }, null],
    [{ 'x-compute-tokens': '1e9' }, null],
    [{ 'x-compute-tokens': '9999999999' }, null],
    [{ 'x-compute-tokens': ['1', '2'] }, null],
    [{}, null],
  ])('counts in a header: %j', (headers, expected) => {
    expect(readTeiTokens(headers)).toBe(expected);
  });
});
