import { parseVoiceFields, toNameKey } from './parse-voice-fields';

const GOOD = { name: 'Ann', consent: 'cons_1' };

describe('parseVoiceFields', () => {
  it.each(['Ann', 'a', '0', 'ann.v2_final-b', 'My voice', '小明的声音', 'Zoë', 'हिन्दी', 'x'.repeat(64)])('takes the name %s', (name) => {
    expect(parseVoiceFields({ ...GOOD, name }).name).toBe(name);
  });

  it.each(['', ' ', ' Ann', 'Ann ', 'a  b', '../etc', 'a/b', 'a\\b', 'a\nb', 'a\r\nb', 'a\0b', 'a%2fb', '-a', '.', '..', '<b>', 'a\u202eb', '\u200b', 'x'.repeat(65), `voice_${'0'.repeat(32)}`, `VOICE_${'A'.repeat(32)}`])(
    'refuses the name %j',
    (name) => {
      expect(() => parseVoiceFields({ ...GOOD, name })).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'name' }) as Error);
    },
  );

  it('takes the same letters for the same name, however they are written', () => {
    expect(parseVoiceFields({ ...GOOD, name: 'Zoe\u0308' }).name).toBe('Zoë');
    expect(toNameKey('ZOË')).toBe(toNameKey('zoe\u0308'));
  });

  it('keeps what is spoken, in lines, and nothing where nothing is said', () => {
    expect(parseVoiceFields({ ...GOOD, refText: ' One.\r\nTwo. ' }).refText).toBe('One.\r\nTwo.');
    expect([parseVoiceFields(GOOD).refText, parseVoiceFields({ ...GOOD, refText: '  ' }).refText]).toEqual([null, null]);
  });

  it.each([
    ['name', { consent: 'x' }],
    ['consent', { name: 'Ann' }],
    ['consent', { name: 'Ann', consent: ' ' }],
    ['consent', { name: 'Ann', consent: 'a\nb' }],
    ['consent', { name: 'Ann', consent: 'x'.repeat(257) }],
    ['ref_text', { ...GOOD, refText: 'x'.repeat(4097) }],
    ['ref_text', { ...GOOD, refText: 'bell\x07' }],
    ['type', { ...GOOD, type: 'prompt' }],
  ])('names %s when it is at fault', (param, given) => {
    expect(() => parseVoiceFields(given)).toThrow(expect.objectContaining({ code: 'invalid_request', param }) as Error);
  });
});
