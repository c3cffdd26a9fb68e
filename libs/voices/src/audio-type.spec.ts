import { detectAudioType, requireAudioType } from './audio-type';

const bytes = (...parts: (string | number[])[]): Buffer => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))));
const ogg = (codec: string): Buffer => bytes('OggS', Array<number>(22).fill(0), [1, 30], codec);

const WAV = bytes('RIFF', [36, 0, 0, 0], 'WAVEfmt ');
const SAMPLES: [string, Buffer, string | null][] = [
  ['wav', WAV, 'audio/wav'],
  ['flac', bytes('fLaC', [0, 0, 0, 34]), 'audio/flac'],
  ['opus', ogg('OpusHead'), 'audio/ogg'],
  ['vorbis', ogg('\x01vorbis'), 'audio/ogg'],
  ['mp3 with a tag', bytes('ID3', [4, 0, 0, 0, 0, 1, 2]), 'audio/mpeg'],
  ['mp3 from its first frame', bytes([0xff, 0xfb, 0x90, 0x64]), 'audio/mpeg'],
  ['aac', bytes([0xff, 0xf1, 0x50, 0x80, 0, 0x1f, 0xfc]), 'audio/aac'],
  ['m4a', bytes([0, 0, 0, 32], 'ftypM4A '), 'audio/mp4'],
  ['mp4', bytes([0, 0, 0, 32], 'ftypisom'), 'audio/mp4'],
  ['webm', bytes([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x86, 0x81, 1, 0x42, 0x82, 0x84], 'webm'), 'audio/webm'],
  ['an ogg film', ogg('\x80theora'), null],
  ['matroska', bytes([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x82, 0x88], 'matroska'), null],
  ['avi', bytes('RIFF', [36, 0, 0, 0], 'AVI LIST'), null],
  ['heic', bytes([0, 0, 0, 32], 'ftypheic'), null],
  ['a picture', bytes([0xff, 0xd8, 0xff, 0xe0]), null],
  ['UTF-16 text', bytes([0xff, 0xfe, 0x61, 0, 0x62, 0, 0x63, 0]), null],
  ['a program', bytes([0x7f], 'ELF'), null],
  ['a page', bytes('<html><body>'), null],
  ['a URL', bytes('http://169.254.169.254/'), null],
  ['a data URI', bytes('data:audio/wav;base64,UklGRg=='), null],
  ['one byte', bytes([0xff]), null],
  ['nothing', bytes(), null],
];

describe('detectAudioType', () => {
  it.each(SAMPLES)('tells %s by its bytes', (_what, head, type) => {
    expect(detectAudioType(head)).toBe(type);
  });
});

describe('requireAudioType', () => {
  it.each([null, 'application/octet-stream', 'audio/x-wav', 'AUDIO/WAV; codecs=1'])('takes a wav announced as %s', (announced) => {
    expect(requireAudioType(WAV, announced)).toBe('audio/wav');
  });

  it.each(['audio/mpeg', 'image/png', 'text/plain', 'audio/unheard-of'])('refuses a wav announced as %s', (announced) => {
    expect(() => requireAudioType(WAV, announced)).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'audio_sample' }) as Error);
  });

  it.each([['an empty file', bytes(), 'is empty'], ['what is no recording', bytes('<html>'), 'not a recording']])('refuses %s', (_what, head, message) => {
    expect(() => requireAudioType(head, null)).toThrow(message);
  });
});
