/** What Weir makes of a key's value, wherever in a body the key stands. */
export const OTHER_KEY = 0;
/** Its strings are language. */
export const TEXT_KEY = 1;
/** It names or holds a picture. */
export const IMAGE_KEY = 2;
/** It names or holds a file, or sound or film that is elsewhere. */
export const FILE_KEY = 3;

const KINDS: readonly (readonly [kind: number, names: readonly string[]])[] = [
  [TEXT_KEY, ['content', 'text', 'input', 'prompt', 'arguments', 'reasoning', 'reasoning_content', 'refusal', 'thinking', 'partial_json', 'delta', 'instructions', 'system', 'output']],
  [IMAGE_KEY, ['image_url', 'image', 'source']],
  [FILE_KEY, ['file_id', 'file_data', 'file_url', 'video_url', 'video', 'audio_url', 'audio', 'input_audio', 'document_url', 'cached_content', 'inlineData', 'inline_data', 'fileData']],
];

interface KnownKey {
  readonly name: Buffer;
  readonly kind: number;
}

/** The known keys by their length: most keys are told apart by it alone. */
const KEYS_BY_LENGTH: readonly (readonly KnownKey[])[] = toKeysByLength();

/** The kind of the key that stands at [start, end), without its quotes. */
export function toKeyKind(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  if (length >= KEYS_BY_LENGTH.length) return OTHER_KEY;
  const candidates = KEYS_BY_LENGTH[length];
  for (let index = 0; index < candidates.length; index += 1) {
    const { name, kind } = candidates[index];
    let position = 0;
    while (position < length && bytes[start + position] === name[position]) position += 1;
    if (position === length) return kind;
  }
  return OTHER_KEY;
}

function toKeysByLength(): KnownKey[][] {
  const keys = KINDS.flatMap(([kind, names]) => names.map((name) => ({ name: Buffer.from(name), kind })));
  const longest = Math.max(...keys.map(({ name }) => name.length));
  return Array.from({ length: longest + 1 }, (_, length) => keys.filter(({ name }) => name.length === length));
}
