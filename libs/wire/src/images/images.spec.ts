import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeirError, zeroUsage } from '@weir/kernel';
import { readImageData, readImageEventUsage, readImagesRequest, readImagesUsage, vllmOmniImages } from '@weir/wire';

const SECRET = 'my secret prompt';
const PNG = 'iVBORw0KGgo=';
const WEBP = Buffer.from('RIFF\x10\x00\x00\x00WEBPVP8 ', 'latin1').toString('base64');
const WAV = Buffer.from('RIFF\x10\x00\x00\x00WAVEfmt ', 'latin1').toString('base64');
const request = { model: 'z-image', prompt: SECRET };

function errorOf(act: () => unknown): WeirError {
  try {
    act();
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

const load = (name: string): string => readFileSync(join(__dirname, 'fixtures', name), 'utf8');
const parse = (name: string): unknown => JSON.parse(load(name));

describe('a picture from a caller', () => {
  it.each([
    [`data:image/png;base64,${PNG}`, 'image/png'],
    [`DATA:image/PNG;base64,${PNG}`, 'image/png'],
    [`data:image/jpg;base64,/9j/4AAQ`, 'image/jpeg'],
    [PNG, 'image/png'],
    ['/9j/4AAQ', 'image/jpeg'],
    ['R0lGODlh', 'image/gif'],
    [WEBP, 'image/webp'],
    [`data:image/webp;base64,${WEBP}`, 'image/webp'],
  ])('is taken as a data URI or as base64: %s', (value, mediaType) => {
    expect(readImageData(value, 'image')).toMatchObject({ type: 'base64', mediaType });
  });

  it.each([
    ['a URL of the web', 'https://example.com/a.png'],
    ['a URL of the metadata service', 'http://169.254.169.254/latest/meta-data'],
    ['a file', 'file:///etc/passwd'],
    ['a file in capitals', 'FILE:///etc/passwd'],
    ['a script', 'javascript:alert(1)'],
    ['an object of a store', 's3://bucket/a.png'],
    ['a path', '/etc/passwd'],
    ['a data URI that lies about its type', `data:image/jpeg;base64,${PNG}`],
    ['sound that says it is a picture', `data:image/webp;base64,${WAV}`],
    ['sound as base64', WAV],
    ['a PDF', 'data:application/pdf;base64,JVBERi0='],
    ['a picture of a type that nobody checks', `data:image/svg+xml;base64,${PNG}`],
    ['a data URI that is no base64', 'data:image/png,abc'],
    ['a data URI with other letters', `data:image/png;base64,${SECRET}`],
    ['a data URI of nothing', 'data:image/png;base64,'],
    ['base64 of nothing that is known', 'AAAA'],
    ['base64 with other letters', `${PNG.slice(0, 11)} ${SECRET}`],
    ['nothing', ''],
  ])('is refused with its field: %s', (_, value) => {
    const error = errorOf(() => readImageData(value, 'image'));
    expect([error.code, error.param]).toEqual(['invalid_request', 'image']);
    expect(error.message).not.toContain(SECRET);
  });
});

it('a picture at a URL is refused with the reason', () => {
  for (const url of ['https://example.com/a.png', 'file:///etc/passwd']) expect(errorOf(() => readImageData(url, 'image')).message).toContain('not fetched from a URL');
});

describe('a request for pictures', () => {
  it('says how many there will be', () => {
    expect(readImagesRequest(request)).toEqual({ images: 1, size: null, responseFormat: null, isStream: false });
    expect(readImagesRequest({ ...request, n: 10, size: '1536x1024', response_format: 'b64_json', stream: true, anything: 1 })).toEqual({
      images: 10,
      size: { width: 1536, height: 1024 },
      responseFormat: 'b64_json',
      isStream: true,
    });
    expect(readImagesRequest({ ...request, size: 'auto', n: null })).toMatchObject({ images: 1, size: null });
  });

  it.each<[string, object, string]>([
    ['no prompt', { prompt: null }, 'prompt'],
    ['an empty prompt', { prompt: '  ' }, 'prompt'],
    ['a prompt without end', { prompt: 'x'.repeat(32_001) }, 'prompt'],
    ['no pictures', { n: 0 }, 'n'],
    ['too many pictures', { n: 11 }, 'n'],
    ['half a picture', { n: 1.5 }, 'n'],
    ['pictures as a text', { n: '1' }, 'n'],
    ['a size that is none', { size: 'huge' }, 'size'],
    ['a size of nothing', { size: '0x1024' }, 'size'],
    ['a size beyond all screens', { size: '1024x9000' }, 'size'],
    ['a size of many digits', { size: '1024x100000000000' }, 'size'],
    ['a form of answer that is not known', { response_format: 'file' }, 'response_format'],
    ['too many partial pictures', { partial_images: 4 }, 'partial_images'],
    ['a stream that is a text', { stream: 'yes' }, 'stream'],
  ])('is refused with its field: %s', (_, changes, param) => {
    const error = errorOf(() => readImagesRequest({ ...request, ...changes }));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
    expect(error.message).not.toContain(SECRET);
  });
});

describe('pictures by vLLM-Omni', () => {
  const say = (changes: object) => vllmOmniImages.toUpstream({ ...request, ...changes }, 'Z-Image-Turbo');

  it('are asked for as base64, with its own members and without those that mean nothing to it', () => {
    expect(say({ size: 'auto', quality: 'high', user: 'u', background: 'opaque', negative_prompt: 'https://x', num_inference_steps: 9, seed: 1 })).toEqual({
      model: 'Z-Image-Turbo',
      prompt: SECRET,
      n: 1,
      response_format: 'b64_json',
      negative_prompt: 'https://x',
      num_inference_steps: 9,
      seed: 1,
    });
    expect(say({ size: '512x768', n: 2 })).toMatchObject({ size: '512x768', n: 2 });
  });

  it.each<[string, object, string]>([
    ['a URL of its own', { response_format: 'url' }, 'response_format'],
    ['a stream', { stream: true }, 'stream'],
    ['no background', { background: 'transparent' }, 'background'],
    ['an adapter to load', { lora: { name: 'a', path: 'x' } }, 'lora'],
    ['a picture to start from', { image: 'https://a.b/c' }, 'image'],
    ['a URL in a member that is not known', { extra_params: { init: ['https://a.b'] } }, 'extra_params'],
    ['a path', { generator_device: '/dev/mem' }, 'generator_device'],
  ])('are not asked for with %s', (_, changes, param) => {
    expect(errorOf(() => say(changes)).param).toBe(param);
  });

  it('come back as OpenAI has them, without members that are null', () => {
    expect(vllmOmniImages.toCaller(parse('vllm-omni.reference.json'), request, 'z-image')).toEqual({
      body: { created: 1763719200, output_format: 'png', size: '1024x1024', data: [{ b64_json: PNG }] },
      usage: { ...zeroUsage(), images: 1, requests: 1 },
    });
  });

  it.each([null, [], {}, { data: [] }, { data: [{}] }, { data: [{ b64_json: '' }] }, { data: [{ b64_json: 5 }] }, { data: [{ b64_json: 'x' }, { b64_json: 'x' }] }])(
    'are not believed when they are %j',
    (answer) => {
      expect(errorOf(() => vllmOmniImages.toCaller(answer, request, 'm')).code).toBe('upstream_error');
    },
  );
});

describe('what pictures used', () => {
  it('is the pictures, and tokens where they are told', () => {
    expect(readImagesUsage(parse('openai.reference.json'))).toEqual({ ...zeroUsage(), inputTokens: 14, outputTokens: 544, images: 2, requests: 1 });
    expect(readImagesUsage(parse('vllm-omni.reference.json'))).toEqual({ ...zeroUsage(), images: 1, requests: 1 });
  });

  it('is in the last event of a stream', () => {
    const events = load('stream.reference.sse').split('\n').filter((line) => line.startsWith('data: ')).map((line) => readImageEventUsage(JSON.parse(line.slice(6))));
    expect(events).toEqual([null, { ...zeroUsage(), inputTokens: 14, outputTokens: 372, images: 1, requests: 1 }]);
    expect(readImageEventUsage({ type: 'image_edit.completed' })).toEqual({ ...zeroUsage(), images: 1, requests: 1 });
  });

  it.each([null, [], {}, { data: [] }, { data: [{}], usage: { input_tokens: -1 } }, { data: [{}], usage: 'x' }, { data: [{}], usage: { input_tokens: 5, output_tokens: 1e300 } }])(
    'is not known from %j',
    (answer) => {
      expect(readImagesUsage(answer)).toBeNull();
    },
  );
});
