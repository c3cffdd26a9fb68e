/** What Weir makes of a key's value, wherever in a body the key stands: none, one or more of these. */
export const OTHER_KEY = 0;
/** Its strings are language. */
export const TEXT_KEY = 1;
/** It names or holds a picture. */
export const IMAGE_KEY = 2;
/** It names or holds a file, or sound or film that is elsewhere. */
export const FILE_KEY = 4;
/** In a message of OpenAI's chat it holds what a model thought. */
export const THINKING_KEY = 8;
/** It means something to JavaScript, and something else to others. */
export const FORBIDDEN_KEY = 16;

const KINDS: readonly (readonly [kind: number, names: readonly string[]])[] = [
  [TEXT_KEY, ['content', 'text', 'input', 'prompt', 'arguments', 'refusal', 'thinking', 'partial_json', 'delta', 'instructions', 'system', 'output']],
  [IMAGE_KEY, ['image_url', 'image', 'source']],
  [FILE_KEY, ['file_id', 'file_data', 'file_url', 'video_url', 'video', 'audio_url', 'audio', 'input_audio', 'document_url', 'cached_content', 'inlineData', 'inline_data', 'fileData']],
  [TEXT_KEY | THINKING_KEY, ['reasoning', 'reasoning_content']],
  [THINKING_KEY, ['reasoning_details']],
  [FORBIDDEN_KEY, ['__proto__']],
];

interface KnownKey {
  readonly name: Buffer;
  readonly kind: number;
}

/** The known keys by their length. */
const KEYS_BY_LENGTH: readonly (readonly KnownKey[])[] = toKeysByLength();
/** The bits by `toBit` of the known keys of a length: nearly all others are told from them by these. */
const BITS_BY_LENGTH = Int32Array.from(KEYS_BY_LENGTH, (keys) => keys.reduce((bits, { name }) => bits | toBit(name, 0, name.length), 0));

/** The kind of the key that stands at [start, end), without its quotes. */
export function toKeyKind(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  return length < BITS_BY_LENGTH.length && (BITS_BY_LENGTH[length] & toBit(bytes, start, length)) !== 0 ? findKeyKind(bytes, start, length) : OTHER_KEY;
}

function findKeyKind(bytes: Buffer, start: number, length: number): number {
  const candidates = KEYS_BY_LENGTH[length];
  for (let index = 0; index < candidates.length; index += 1) {
    const { name, kind } = candidates[index];
    let position = 0;
    while (position < length && bytes[start + position] === name[position]) position += 1;
    if (position === length) return kind;
  }
  return OTHER_KEY;
}

/** One of 32, by the first letter and the one in the middle. */
function toBit(bytes: Buffer, start: number, length: number): number {
  return 1 << (bytes[start] ^ bytes[start + (length >> 1)]);
}

function toKeysByLength(): KnownKey[][] {
  const keys = KINDS.flatMap(([kind, names]) => names.map((name) => ({ name: Buffer.from(name), kind })));
  const longest = Math.max(...keys.map(({ name }) => name.length));
  return Array.from({ length: longest + 1 }, (_, length) => keys.filter(({ name }) => name.length === length));
}
