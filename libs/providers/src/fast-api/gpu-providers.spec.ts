import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSpeechRequest, toUpstreamSpeech } from '@weir/wire';
import { indexTts, toIndexTtsSpeech, toIndexTtsVoicesPath } from '../index-tts/index-tts';
import { infinity } from '../infinity/infinity';
import { type FailureClass, type Provider, toUpstreamFormat } from '../provider';
import { siglip2 } from '../siglip2/siglip2';
import { trellis } from '../trellis/trellis';
import { toVllmOmniVoicePath, toVllmOmniVoicesPath, vllmOmni, vllmOmniSpeech } from '../vllm-omni/vllm-omni';

const SECRET = 'my secret prompt';
const at = (basePath: string, options: Record<string, unknown> = {}) => ({ origin: 'http://gpu:6010', basePath, options });
const load = (name: string): Buffer => readFileSync(join(__dirname, '..', `${name}.reference.json`));

describe('what an error answer of a GPU service says', () => {
  it.each<[string, Provider, number, FailureClass]>([
    ['fast-api/validation', siglip2, 422, 'caller'],
    ['fast-api/detail', vllmOmni, 413, 'caller'],
    ['infinity/model-not-found', infinity, 400, 'caller'],
    ['infinity/failure', infinity, 500, 'fault'],
    ['infinity/unauthorized', infinity, 401, 'bad_key'],
    ['vllm-omni/invalid-voice', vllmOmni, 400, 'caller'],
    ['vllm-omni/not-found', vllmOmni, 404, 'caller'],
    ['index-tts/unknown-voice', indexTts, 404, 'caller'],
    ['index-tts/traceback', indexTts, 500, 'fault'],
    ['trellis/invalid-image', trellis, 400, 'caller'],
  ])('%s', (name, provider, status, expected) => {
    expect(provider.readFailure(status, {}, load(name), 0)).toMatchObject({ failureClass: expected, status });
  });

  it('names the member that has the wrong shape, without the value that was sent', () => {
    const failure = siglip2.readFailure(422, {}, load('fast-api/validation'), 0);
    expect(failure).toMatchObject({ message: 'Input should be a valid string', param: 'documents.0' });
    expect(JSON.stringify(failure)).not.toContain(SECRET);
  });

  it('keeps the traceback of a fault to itself', () => {
    expect(indexTts.readFailure(500, {}, load('index-tts/traceback'), 0).message).toBe('The upstream answered 500.');
    expect(infinity.readFailure(500, {}, load('infinity/failure'), 0).message).toBe('The upstream answered 500.');
  });

  it("passes the words about the caller's request", () => {
    expect(indexTts.readFailure(404, {}, load('index-tts/unknown-voice'), 0).message).toBe("Voice 'nobody' not found");
    expect(vllmOmni.readFailure(400, {}, load('vllm-omni/invalid-voice'), 0).message).toContain('Supported: aiden');
    expect(trellis.readFailure(400, {}, load('trellis/invalid-image'), 0).message).toBe('invalid image');
  });

  it.each([infinity, vllmOmni, indexTts, siglip2, trellis])('bears any body: $name', (provider) => {
    for (const body of ['', '<html>', '\u001f\u008b\u0008', 'null', '[]', '{"detail":null}', '{"detail":[]}', '{"detail":[5]}', '{"detail":[{"loc":5,"msg":5}]}', '{"error":{}}']) {
      expect(provider.readFailure(503, {}, Buffer.from(body), 0)).toMatchObject({ failureClass: 'fault', message: 'The upstream answered 503.' });
      expect(provider.readFailure(400, {}, Buffer.from(body), 0).failureClass).toBe('caller');
      expect(provider.readFailure(429, { 'retry-after': '2' }, Buffer.from(body), 0)).toMatchObject({ failureClass: 'throttled', retryAfterMs: 2000 });
    }
  });
});

describe('where a request to a GPU service goes', () => {
  it.each([
    [infinity, '', 'openai-embeddings', '/embeddings', '/health'],
    [infinity, '/v1', 'rerank', '/v1/rerank', '/health'],
    [siglip2, '', 'siglip2-embed', '/embeddings', '/health'],
    [siglip2, '/v1', 'siglip2-embed', '/v1/embeddings', '/health'],
    [vllmOmni, '', 'vllm-omni-speech', '/v1/audio/speech', '/health'],
    [vllmOmni, '/v1', 'vllm-omni-speech', '/v1/audio/speech', '/health'],
    [vllmOmni, '/tts/v1', 'vllm-omni-images', '/tts/v1/images/generations', '/tts/health'],
    [vllmOmni, '', 'openai-chat', '/v1/chat/completions', '/health'],
    [indexTts, '', 'index-tts-speech', '/audio/speech', '/health'],
    [indexTts, '/v1', 'index-tts-speech', '/v1/audio/speech', '/health'],
    [trellis, '', 'trellis', '/generate', '/health'],
    [trellis, '/api', 'trellis', '/api/generate', '/api/health'],
  ] as const)('$name at "%s": %s', (provider, base, format, path, health) => {
    expect(provider.toPath(at(base), format, 'm', false)).toBe(path);
    expect(provider.toHealthPath(at(base))).toBe(health);
  });

  it('is at the path that the upstream names, if that is one', () => {
    expect(trellis.toPath(at('', { generate_path: '/generate_mesh_file' }), 'trellis', 'm', false)).toBe('/generate_mesh_file');
    for (const path of ['generate', '/a?b', '/../admin', '//evil', 5]) expect(trellis.toPath(at('', { generate_path: path }), 'trellis', 'm', false)).toBe('/generate');
  });

  it('is at the voices of a speech server', () => {
    expect(toVllmOmniVoicesPath(at(''))).toBe('/v1/audio/voices');
    expect(toVllmOmniVoicePath(at('/v1'), 'a/../b')).toBe('/v1/audio/voices/a%2F..%2Fb');
    expect(toIndexTtsVoicesPath(at(''))).toBe('/audio/voices');
  });

  it('is nowhere for work that the service does not do', () => {
    for (const provider of [infinity, siglip2, indexTts, trellis, vllmOmni]) expect(() => provider.toPath(at(''), 'gemini-embed', 'm', false)).toThrow('no path');
    expect(toUpstreamFormat(infinity, 'speech', 'openai-speech')).toBeNull();
    expect(toUpstreamFormat(vllmOmni, 'images', 'openai-image-edits')).toBe('vllm-omni-images');
    expect(toUpstreamFormat(siglip2, 'embeddings', 'openai-embeddings')).toBe('siglip2-embed');
    expect(toUpstreamFormat(trellis, 'meshes', 'meshes')).toBe('trellis');
  });
});

describe('speech by a server of one’s own', () => {
  const say = (changes: object, quirks = vllmOmniSpeech) => toUpstreamSpeech(readSpeechRequest({ model: 'm', input: 'Hello', voice: 'vivian', ...changes }), quirks, 'up', null);

  it('is mp3 from vLLM-Omni, whose own default is wav', () => {
    expect(say({}).body).toMatchObject({ response_format: 'mp3' });
  });

  it('is wav from IndexTTS, unless its upstream says more', () => {
    expect(say({}, toIndexTtsSpeech(at('')))).toMatchObject({ body: { model: 'up', input: 'Hello', voice: 'vivian', response_format: 'wav' }, contentType: 'audio/wav' });
    expect(() => say({ response_format: 'mp3' }, toIndexTtsSpeech(at('')))).toThrow('response_format');
    expect(say({ response_format: 'mp3' }, toIndexTtsSpeech(at('', { response_formats: 'wav, mp3, ogg' })))).toMatchObject({ format: 'mp3' });
    expect(toIndexTtsSpeech(at('', { response_formats: 'ogg' })).formats).toEqual(['wav']);
  });
});
