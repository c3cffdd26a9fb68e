import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WeirError, zeroUsage } from '@weir/kernel';
import { readSpeechEvent, readSpeechRequest, readUpstreamVoices, type SpeechQuirks, toUpstreamSpeech, toVoiceUploadFields } from '@weir/wire';

const SECRET = 'my secret prompt';
const request = { model: 'qwen3-tts', input: 'Hello', voice: 'vivian' };
const quirks: SpeechQuirks = { maxInputCharacters: 100, formats: ['mp3', 'wav', 'pcm'], streamFormats: ['pcm', 'wav'], takesSpeed: true, takesInstructions: true, requiresVoice: false };
const poor: SpeechQuirks = { maxInputCharacters: 100, formats: ['wav'], streamFormats: [], takesSpeed: false, takesInstructions: false, requiresVoice: true };

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
const say = (changes: object, of: SpeechQuirks = quirks, voice: string | null = null) => toUpstreamSpeech(readSpeechRequest({ ...request, ...changes }), of, 'up', voice);

describe('a request for speech', () => {
  it('is read with what it costs and what comes back', () => {
    expect(readSpeechRequest({ ...request, input: 'Hé 😀!', voice: { id: 'voice_1' }, response_format: 'opus', speed: 0.25, instructions: 'whisper', seed: 5 })).toEqual({
      input: 'Hé 😀!',
      characters: 5,
      voice: 'voice_1',
      format: 'opus',
      speed: 0.25,
      instructions: 'whisper',
      isEvents: false,
      contentType: 'audio/ogg',
      others: { seed: 5 },
    });
  });

  it.each([
    [{}, 'audio/mpeg'],
    [{ response_format: 'mp3' }, 'audio/mpeg'],
    [{ response_format: 'opus' }, 'audio/ogg'],
    [{ response_format: 'aac' }, 'audio/aac'],
    [{ response_format: 'flac' }, 'audio/flac'],
    [{ response_format: 'wav' }, 'audio/wav'],
    [{ response_format: 'pcm', stream_format: 'audio' }, 'audio/pcm'],
    [{ response_format: 'pcm', stream_format: 'sse' }, 'text/event-stream'],
    [{ response_format: 'pcm', stream: true }, 'text/event-stream'],
    [{ response_format: 'pcm', stream: true, stream_format: 'audio' }, 'audio/pcm'],
  ])('is answered as it asks: %j', (changes, contentType) => {
    expect(readSpeechRequest({ ...request, ...changes }).contentType).toBe(contentType);
  });

  it('may have 4096 characters, and an emoji is one', () => {
    expect(readSpeechRequest({ ...request, input: '😀'.repeat(4096) }).characters).toBe(4096);
    expect(errorOf(() => readSpeechRequest({ ...request, input: 'x'.repeat(4097) })).param).toBe('input');
  });

  it.each<[string, object, string]>([
    ['no input', { input: undefined }, 'input'],
    ['an empty input', { input: ' \n' }, 'input'],
    ['an input that is a list', { input: [SECRET] }, 'input'],
    ['a format that is not known', { response_format: 'ogg' }, 'response_format'],
    ['a speed out of range', { speed: 4.5 }, 'speed'],
    ['a speed that is a text', { speed: '1' }, 'speed'],
    ['a stream format that is not known', { stream_format: 'json' }, 'stream_format'],
    ['an empty voice', { voice: '' }, 'voice'],
    ['a voice that is a number', { voice: 5 }, 'voice'],
    ['a voice without an id', { voice: { name: 'x' } }, 'voice.id'],
    ['a voice that is a path', { voice: '../../etc/passwd' }, 'voice'],
    ['a voice that is a path of Windows', { voice: 'a\\b' }, 'voice'],
    ['a voice that is the folder above', { voice: '..' }, 'voice'],
    ['a voice with a line break', { voice: 'a\nb' }, 'voice'],
    ['a voice that is a URL', { voice: { id: 'https://a.b/c.wav' } }, 'voice.id'],
    ['a URL as ref_audio', { ref_audio: 'https://169.254.169.254/latest' }, 'ref_audio'],
    ['a file as ref_audio', { ref_audio: 'file:///etc/passwd' }, 'ref_audio'],
    ['base64 as ref_audio', { ref_audio: 'UklGRg==' }, 'ref_audio'],
    ['a list of ref_audio', { ref_audio: ['x'] }, 'ref_audio'],
    ['a second ref_audio', { ref_audio_2: 'x' }, 'ref_audio_2'],
    ['references', { references: [{ audio_path: '/etc/passwd', text: 'x' }] }, 'references'],
    ['an embedding of a speaker', { speaker_embedding: [1, 2] }, 'speaker_embedding'],
    ['an adapter to load', { lora: { path: 'x' } }, 'lora'],
    ['a URL in a member that is not known', { extra_params: { a: [{ b: 'http://a.b' }] } }, 'extra_params'],
    ['a URL in capitals behind spaces', { extra_params: '  FILE:/etc/passwd' }, 'extra_params'],
    ['a data URI in a member that is not known', { extra: 'data:audio/wav;base64,AAAA' }, 'extra'],
    ['a path in a member that is not known', { extra: ['/etc/passwd'] }, 'extra'],
    ['a path from the home folder', { extra: '~/.ssh/id_rsa' }, 'extra'],
    ['a URL as the text of a sample', { ref_text: 'ftp://a.b/c' }, 'ref_text'],
  ])('is refused with its field, and without its words: %s', (_, changes, param) => {
    const error = errorOf(() => readSpeechRequest({ ...request, ...changes }));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
    expect(error.message).not.toContain(SECRET);
  });

  it('may speak of URLs', () => {
    expect(readSpeechRequest({ ...request, input: 'https://example.com/', instructions: '/slowly', language: 'English' }).others).toEqual({ language: 'English' });
  });
});

describe('a server of one’s own', () => {
  it('is always told the format, as its default is another than that of OpenAI', () => {
    expect(say({ language: 'English' })).toEqual({ body: { model: 'up', input: 'Hello', voice: 'vivian', response_format: 'mp3', language: 'English' }, format: 'mp3', contentType: 'audio/mpeg' });
    expect(say({}, poor)).toMatchObject({ body: { response_format: 'wav' }, contentType: 'audio/wav' });
  });

  it('is told its own name of a voice', () => {
    expect(say({ voice: { id: 'voice_1' } }, quirks, 'weir_voice_1').body).toMatchObject({ voice: 'weir_voice_1' });
    expect(say({ voice: undefined }).body).not.toHaveProperty('voice');
  });

  it('sends sound as it comes wherever it can', () => {
    expect(say({ response_format: 'pcm' }).body).toMatchObject({ stream_format: 'audio' });
    expect(say({ response_format: 'wav', stream: true }).body).toEqual({ model: 'up', input: 'Hello', voice: 'vivian', response_format: 'wav', stream_format: 'sse' });
    expect(say({ response_format: 'mp3', stream_format: 'audio' }).body).not.toHaveProperty('stream_format');
    // Older servers change the speed only of sound that is finished.
    expect(say({ response_format: 'pcm', speed: 2 }).body).toEqual({ model: 'up', input: 'Hello', voice: 'vivian', response_format: 'pcm', speed: 2 });
  });

  it.each<[string, object, SpeechQuirks, string]>([
    ['events in a format that it cannot stream', { stream_format: 'sse' }, quirks, 'response_format'],
    ['events of a server that has none', { stream_format: 'sse' }, poor, 'stream_format'],
    ['a format that it does not make', { response_format: 'mp3' }, poor, 'response_format'],
    ['another speed', { speed: 2 }, poor, 'speed'],
    ['instructions', { instructions: 'whisper' }, poor, 'instructions'],
    ['no voice', { voice: null }, poor, 'voice'],
    ['more text than it takes', { input: 'x'.repeat(101) }, quirks, 'input'],
  ])('is not asked for what it would overlook: %s', (_, changes, of, param) => {
    const error = errorOf(() => say(changes, of));
    expect([error.code, error.param]).toEqual(['invalid_request', param]);
  });
});

describe('a stream of speech', () => {
  it('tells its usage at the end', () => {
    const events = load('speech.reference.sse').split('\n\n').filter((event) => event !== '').map((event) => readSpeechEvent(JSON.parse(event.slice('data: '.length))));
    expect(events).toEqual([{ type: 'delta' }, { type: 'delta' }, { type: 'done', usage: { ...zeroUsage(), inputTokens: 14, outputTokens: 101, requests: 1 } }]);
  });

  it.each([
    [{ type: 'speech.audio.done' }, { type: 'done', usage: null }],
    [{ type: 'speech.audio.done', usage: { input_tokens: -1, output_tokens: 5 } }, { type: 'done', usage: null }],
    [{ type: 'speech.audio.done', usage: { input_tokens: 1, output_tokens: 1e300 } }, { type: 'done', usage: null }],
    [{ error: { message: 'x' } }, { type: 'error', message: 'x' }],
    [{ type: 'error', message: 'x' }, { type: 'error', message: 'x' }],
    [{ type: 'speech.audio.error', error: 'x' }, { type: 'error', message: 'x' }],
    [{ type: 'speech.audio.started' }, { type: 'other' }],
    [null, { type: 'other' }],
  ])('%j is %j', (event, expected) => {
    expect(readSpeechEvent(event)).toEqual(expected);
  });
});

describe('voices', () => {
  it.each([
    ['vLLM-Omni', load('vllm-omni-voices.reference.json'), ['aiden', 'ryan', 'serena', 'vivian'], ['weir_voice_1']],
    ['IndexTTS', load('index-tts-voices.reference.json'), ['jay_klee', 'cathy'], []],
    ['IndexTTS without voices', '[]', [], []],
    ['others', '{"voices":[{"id":"alloy"},{"name":"Echo","id":"echo"},5,{}]}', ['alloy', 'Echo'], []],
  ])('of %s are listed', (_, answer, builtIn, uploaded) => {
    expect(readUpstreamVoices(JSON.parse(answer))).toEqual({ builtIn, uploaded });
  });

  it('of a broken server are refused', () => {
    for (const answer of [null, 'x', { voices: 'x' }, { uploaded_voices: {} }]) expect(errorOf(() => readUpstreamVoices(answer)).code).toBe('upstream_error');
  });

  it('are uploaded under the names of the form', () => {
    expect(toVoiceUploadFields({ name: 'v', consent: 'c', refText: 'hello' })).toEqual([['name', 'v'], ['consent', 'c'], ['ref_text', 'hello']]);
    expect(toVoiceUploadFields({ name: 'v', consent: 'c', refText: null })).toEqual([['name', 'v'], ['consent', 'c']]);
  });
});
