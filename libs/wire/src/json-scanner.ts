import { isUtf8 } from 'node:buffer';
import { FILE_KEY, FORBIDDEN_KEY, IMAGE_KEY, TEXT_KEY, THINKING_KEY, toKeyKind } from './json-key-kinds';
import { PlainWords } from './plain-words';

/** What is wrong with a text that is not acceptable JSON. */
export interface JsonFault {
  readonly reason:
    | 'invalid_utf8'
    | 'syntax'
    | 'too_deep'
    | 'duplicate_key'
    | 'forbidden_key'
    | 'too_many_keys';
  /** Byte offset into the text. */
  readonly offset: number;
  /** Where it is, as a caller writes it (`messages[0].content`); empty at the top. */
  readonly path: string;
}

export interface JsonScanOptions {
  /** Refuse an object that says a key twice, and the key `__proto__`. For what callers send. */
  readonly strictKeys: boolean;
}

/** Deeper nesting is refused: no API here needs it, and recursive readers upstream may break on it. */
export const MAX_JSON_DEPTH = 128;
/** One object with more keys is refused, so that looking for duplicates stays cheap. */
const MAX_KEYS_IN_OBJECT = 10_000;
/** Up to so many keys are compared with each other; beyond, a Set takes over. */
const FEW_KEYS = 24;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const LOWER_E = 0x65;

const IN_OBJECT = 1;
const IN_ARRAY = 2;

/** What functions that read on answer in place of a position, after `fail`. */
const FAILED = -1;
/** So much of a text is read byte by byte before it is worth it to read it in words: most are no longer. */
const SHORT_TEXT_BYTES = 24;
/**
 * Checks a whole JSON text (RFC 8259) in one pass over its bytes, without building a value, and
 * remembers where the members of the outermost object are. Prompts are thus never turned into
 * strings, bytes can be passed on unchanged, and what Weir read is provably what it sends: a key
 * said twice, which two parsers could understand differently, is refused.
 *
 * One scanner serves many texts, one after the other: its results hold until the next scan.
 */
export class JsonScanner {
  /** The bytes that were scanned, and maybe others around them. */
  bytes: Buffer = Buffer.alloc(0);
  /** Number of members of the outermost object; 0 when the text is no object. */
  memberCount = 0;
  /** First byte of the outermost value. */
  valueStart = 0;
  /** Bytes of string values under keys that carry language (`content`, `text`, `input`, …). */
  textBytes = 0;
  /** Keys that name or hold a picture. */
  imageCount = 0;
  /** Keys that name or hold a file, or sound or film that is elsewhere. */
  fileCount = 0;
  /** There are keys that hold thinking in the messages of OpenAI's chat; maybe in vain, when they stand elsewhere. */
  hasThinking = false;
  /** What was wrong, after a scan that answered false. */
  fault: JsonFault | null = null;

  private end = 0;
  private depth = 0;
  private strictKeys = false;
  /** The bytes in words; null while no text was long enough to need them. */
  private words: PlainWords | null = null;
  /** There are bytes beyond ASCII, whose UTF-8 has to be checked. */
  private hasMoreThanAscii = false;
  /** The text that was read last has an escape. */
  private textHasEscape = false;
  /** Whether a member's key has an escape: without any, a name is its bytes. */
  private membersHaveEscape = false;
  /** A bit for each `toNameBit` of the members' names: most names that are asked for are told from all by it. */
  private memberNameBits = 0;

  // Members of the outermost object: where each key (inside its quotes) and each value stands.
  private readonly memberKeyStarts: number[] = [];
  private readonly memberKeyEnds: number[] = [];
  private readonly memberValueStarts: number[] = [];
  private readonly memberValueEnds: number[] = [];

  // One entry for each open container.
  private readonly kinds = new Uint8Array(MAX_JSON_DEPTH + 2);
  private readonly isText = new Uint8Array(MAX_JSON_DEPTH + 2);
  private readonly indexes = new Int32Array(MAX_JSON_DEPTH + 2);
  private readonly keyBases = new Int32Array(MAX_JSON_DEPTH + 2);
  private readonly keySets: (Set<string> | null)[] = new Array<Set<string> | null>(MAX_JSON_DEPTH + 2).fill(null);

  // Keys of all open objects, one stack: an object's keys begin at keyBases[depth].
  private readonly keyStarts: number[] = [];
  private readonly keyEnds: number[] = [];
  private readonly keyHashes: number[] = [];
  private keyCount = 0;

  /**
   * Scans bytes[start, end).
   * @returns false when the text is not acceptable; `fault` then says why and where.
   */
  scan(bytes: Buffer, start: number, end: number, options: JsonScanOptions): boolean {
    this.bytes = bytes;
    this.end = end;
    this.depth = 0;
    this.keyCount = 0;
    this.memberCount = 0;
    this.textBytes = 0;
    this.imageCount = 0;
    this.fileCount = 0;
    this.hasThinking = false;
    this.fault = null;
    this.strictKeys = options.strictKeys;
    this.words = null;
    this.hasMoreThanAscii = false;
    this.membersHaveEscape = false;
    this.memberNameBits = 0;
    this.isText[0] = 0;
    const acceptable = this.readDocument(start) !== FAILED && (!this.hasMoreThanAscii || this.checkUtf8(start));
    if (this.depth > 0) this.keySets.fill(null);
    return acceptable;
  }

  /** The index of a member of the outermost object by its decoded name; -1 when it is absent. */
  findMember(name: string): number {
    if ((this.memberNameBits & toNameBit(name.length, name.charCodeAt(0), name.charCodeAt(name.length >> 1))) === 0 && !this.membersHaveEscape) return -1;
    for (let member = 0; member < this.memberCount; member += 1) {
      const start = this.memberKeyStarts[member];
      const end = this.memberKeyEnds[member];
      if (this.equalsAscii(start, end, name)) return member;
      if (this.membersHaveEscape && this.hasEscape(start, end) && this.decodeString(start, end) === name) return member;
    }
    return -1;
  }

  /** The first of the names, which are in lower case, that a member's decoded name differs from in nothing but the case; null when there is none. */
  findOtherSpelling(names: readonly string[]): string | null {
    for (let member = 0; member < this.memberCount; member += 1) {
      if (!this.isLowerCase(this.memberKeyStarts[member], this.memberKeyEnds[member])) return names.find((name) => this.hasOtherSpelling(name)) ?? null;
    }
    return null;
  }

  memberValueStart(member: number): number {
    return this.memberValueStarts[member];
  }

  memberValueEnd(member: number): number {
    return this.memberValueEnds[member];
  }

  /** The first byte of a member's value: `{`, `[`, `"`, `t`, `f`, `n`, `-` or a digit. */
  memberFirstByte(member: number): number {
    return this.bytes[this.memberValueStarts[member]];
  }

  /** The value of a member that is a string. */
  stringMember(member: number): string {
    const start = this.memberValueStarts[member] + 1;
    const end = this.memberValueEnds[member] - 1;
    return this.hasEscape(start, end) ? this.decodeString(start, end) : this.bytes.toString('utf8', start, end);
  }

  /** A member's value as a JavaScript value. For small ones: this is where objects are built. */
  parseMember(member: number): unknown {
    return JSON.parse(this.bytes.toString('utf8', this.memberValueStarts[member], this.memberValueEnds[member]));
  }

  /** True when a member's value is an array or object with nothing in it. */
  isEmptyMember(member: number): boolean {
    let position = this.memberValueStarts[member] + 1;
    while (isWhitespace(this.bytes[position])) position += 1;
    return position === this.memberValueEnds[member] - 1;
  }

  private hasOtherSpelling(name: string): boolean {
    for (let member = 0; member < this.memberCount; member += 1) {
      const start = this.memberKeyStarts[member];
      const end = this.memberKeyEnds[member];
      if (this.equalsAscii(start, end, name)) continue;
      // Nearly all are told apart by their length; only what has escapes or more than ASCII can be longer.
      if (end - start !== name.length && (end - start > 6 * name.length || this.isPlain(start, end))) continue;
      const decoded = this.decodeString(start, end);
      // Upper case also takes the long s (U+017F) for an S, as such readers do.
      if (decoded !== name && decoded.toUpperCase() === name.toUpperCase()) return true;
    }
    return false;
  }

  // Each reading function takes the position of what it reads and answers the one behind it, or FAILED.

  private readDocument(start: number): number {
    const { bytes, end } = this;
    let position = skipWhitespace(bytes, start, end);
    this.valueStart = position;
    for (;;) {
      if (position >= end) return this.fail('syntax', position);
      const byte = bytes[position];
      if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        const depth = this.depth;
        position = byte === OPEN_BRACE ? this.openObject(position) : this.openArray(position);
        if (position === FAILED) return FAILED;
        // Its first value follows.
        if (this.depth > depth) continue;
      } else {
        position = byte === QUOTE ? this.readText(position) : this.readScalar(position, byte);
        if (position === FAILED) return FAILED;
      }
      position = this.readAfterValue(position);
      if (position === FAILED) return FAILED;
      if (this.depth === 0) break;
    }
    position = skipWhitespace(bytes, position, end);
    return position === end ? position : this.fail('syntax', position);
  }

  /** A string that is a value. */
  private readText(start: number): number {
    const position = this.readString(start);
    if (this.isText[this.depth] === 1 && position !== FAILED) this.textBytes += position - start - 2;
    return position;
  }

  private readScalar(position: number, byte: number): number {
    switch (byte) {
      case 0x74:
        return this.readLiteral(position, 'true');
      case 0x66:
        return this.readLiteral(position, 'false');
      case 0x6e:
        return this.readLiteral(position, 'null');
      default:
        return this.readNumber(position);
    }
  }

  /** After a value: closes what ends here; stops in front of the next value, or at depth 0. */
  private readAfterValue(start: number): number {
    const { bytes, end, kinds } = this;
    let position = start;
    while (this.depth > 0) {
      const isInObject = kinds[this.depth] === IN_OBJECT;
      if (this.depth === 1 && isInObject) this.memberValueEnds[this.memberCount - 1] = position;
      position = skipWhitespace(bytes, position, end);
      if (position >= end) return this.fail('syntax', position);
      const byte = bytes[position];
      if (byte === COMMA) {
        if (isInObject) return this.readKey(position + 1);
        this.indexes[this.depth] += 1;
        return skipWhitespace(bytes, position + 1, end);
      }
      if (byte !== (isInObject ? CLOSE_BRACE : CLOSE_BRACKET)) return this.fail('syntax', position);
      position += 1;
      this.closeContainer();
    }
    return position;
  }

  /** Opens an object and reads its first key; closes it again when it has none. */
  private openObject(start: number): number {
    if (!this.openContainer(start, IN_OBJECT)) return FAILED;
    this.isText[this.depth] = 0;
    const position = skipWhitespace(this.bytes, start + 1, this.end);
    if (position >= this.end || this.bytes[position] !== CLOSE_BRACE) return this.readKey(position);
    this.closeContainer();
    return position + 1;
  }

  /** Opens an array; closes it again when it has nothing in it. */
  private openArray(start: number): number {
    const isText = this.isText[this.depth];
    if (!this.openContainer(start, IN_ARRAY)) return FAILED;
    this.isText[this.depth] = isText;
    const position = skipWhitespace(this.bytes, start + 1, this.end);
    if (position >= this.end || this.bytes[position] !== CLOSE_BRACKET) return position;
    this.closeContainer();
    return position + 1;
  }

  private openContainer(position: number, kind: number): boolean {
    if (this.depth >= MAX_JSON_DEPTH) return this.fail('too_deep', position) !== FAILED;
    this.depth += 1;
    this.kinds[this.depth] = kind;
    this.indexes[this.depth] = 0;
    this.keyBases[this.depth] = this.keyCount;
    return true;
  }

  private closeContainer(): void {
    this.keyCount = this.keyBases[this.depth];
    this.keySets[this.depth] = null;
    this.depth -= 1;
  }

  /** Reads a key, its colon and white space, up to the value. */
  private readKey(from: number): number {
    const { bytes, end: textEnd } = this;
    const quote = skipWhitespace(bytes, from, textEnd);
    if (quote >= textEnd || bytes[quote] !== QUOTE) return this.fail('syntax', quote);
    this.textHasEscape = false;
    let position = this.readString(quote);
    if (position === FAILED) return FAILED;
    const start = quote + 1;
    const end = position - 1;
    position = skipWhitespace(bytes, position, textEnd);
    if (position >= textEnd || bytes[position] !== COLON) return this.fail('syntax', position);
    position = skipWhitespace(bytes, position + 1, textEnd);
    if (this.depth === 1) this.noteMember(start, end, position);
    const kind = this.strictKeys && this.textHasEscape ? this.toEscapedKeyKind(start, end) : toKeyKind(bytes, start, end);
    this.isText[this.depth] = kind & TEXT_KEY;
    if (kind > TEXT_KEY) this.noteKind(kind);
    return !this.strictKeys || this.checkKey(start, end, kind, position) ? position : FAILED;
  }

  private noteMember(start: number, end: number, valueStart: number): void {
    const member = this.memberCount++;
    this.memberKeyStarts[member] = start;
    this.memberKeyEnds[member] = end;
    this.memberValueStarts[member] = valueStart;
    this.memberNameBits |= toNameBit(end - start, this.bytes[start], this.bytes[(start + end) >> 1]);
    if (this.textHasEscape) this.membersHaveEscape = true;
  }

  private noteKind(kind: number): void {
    if ((kind & IMAGE_KEY) !== 0) this.imageCount += 1;
    if ((kind & FILE_KEY) !== 0) this.fileCount += 1;
    if ((kind & THINKING_KEY) !== 0) this.hasThinking = true;
  }

  /** Whoever writes a key with escapes must not hide what it is from the meter. */
  private toEscapedKeyKind(start: number, end: number): number {
    const key = Buffer.from(this.decodeString(start, end));
    return toKeyKind(key, 0, key.length);
  }

  private checkKey(start: number, end: number, kind: number, position: number): boolean {
    const base = this.keyBases[this.depth];
    const hash = this.toKeyHash(start, end);
    const number = this.keyCount++;
    this.keyStarts[number] = start;
    this.keyEnds[number] = end;
    this.keyHashes[number] = hash;
    if (kind === FORBIDDEN_KEY) return this.fail('forbidden_key', position) !== FAILED;
    const keys = number - base;
    if (keys >= MAX_KEYS_IN_OBJECT) return this.fail('too_many_keys', position) !== FAILED;
    const hasSet = this.keySets[this.depth] !== null;
    if (hasSet || keys >= FEW_KEYS || this.textHasEscape) return this.checkKeyInSet(base, number, hasSet, position);
    for (let other = base; other < number; other += 1) {
      if (this.keyHashes[other] === hash && this.equalsRange(this.keyStarts[other], this.keyEnds[other], start, end)) {
        return this.fail('duplicate_key', position) !== FAILED;
      }
    }
    return true;
  }

  /** What keys are compared by before their bytes are: made of their length and three of their bytes. */
  private toKeyHash(start: number, end: number): number {
    const { bytes } = this;
    const length = end - start;
    return length === 0 ? 0 : (length << 24) ^ (bytes[start] << 16) ^ (bytes[start + (length >> 1)] << 8) ^ bytes[end - 1];
  }

  /** For objects with many keys, or with a key written with escapes: compares decoded names. */
  private checkKeyInSet(base: number, number: number, hasSet: boolean, position: number): boolean {
    const set = this.keySets[this.depth] ?? (this.keySets[this.depth] = new Set<string>());
    for (let other = hasSet ? number : base; other <= number; other += 1) {
      const key = this.decodeString(this.keyStarts[other], this.keyEnds[other]);
      if (set.has(key)) return this.fail('duplicate_key', position) !== FAILED;
      if (key === '__proto__') return this.fail('forbidden_key', position) !== FAILED;
      set.add(key);
    }
    return true;
  }

  /** Reads a string whose opening quote is at the position; notes whether it has an escape. */
  private readString(start: number): number {
    const position = this.skipPlain(start + 1);
    return position < this.end && this.bytes[position] === QUOTE ? position + 1 : this.readRest(position);
  }

  /** What of a string is behind its first byte that is not plain. */
  private readRest(start: number): number {
    const { bytes, end } = this;
    let position = start;
    while (position < end) {
      const byte = bytes[position];
      if (byte === QUOTE) return position + 1;
      if (byte === BACKSLASH) {
        const length = escapeLength(bytes, position, end);
        if (length === 0) break;
        this.textHasEscape = true;
        position += length;
      } else if (byte < 0x20) {
        break;
      } else {
        this.hasMoreThanAscii = true;
        do position += 1;
        while (position < end && bytes[position] >= 0x80);
      }
      position = this.skipPlain(position);
    }
    return this.fail('syntax', position);
  }

  /** Over the bytes of a text that mean themselves, up to one that may not, or the end. */
  private skipPlain(start: number): number {
    const { bytes, end } = this;
    const near = Math.min(end, start + SHORT_TEXT_BYTES);
    let position = start;
    while (position < near && isPlainByte(bytes[position])) position += 1;
    return position < near || near === end ? position : this.skipPlainWords(position);
  }

  private skipPlainWords(start: number): number {
    const { bytes, end } = this;
    this.words ??= new PlainWords(bytes);
    let position = this.words.skip(start, end);
    while (position < end && isPlainByte(bytes[position])) position += 1;
    return position;
  }

  private readLiteral(position: number, literal: string): number {
    const end = position + literal.length;
    return this.equalsAscii(position, Math.min(end, this.end), literal) ? end : this.fail('syntax', position);
  }

  /** -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
  private readNumber(start: number): number {
    const { bytes, end } = this;
    const first = bytes[start] === MINUS ? start + 1 : start;
    let position = skipDigits(bytes, first, end);
    if (position === first || (position > first + 1 && bytes[first] === ZERO)) return this.fail('syntax', position);
    if (position < end && bytes[position] === DOT) {
      const fraction = position + 1;
      position = skipDigits(bytes, fraction, end);
      if (position === fraction) return this.fail('syntax', position);
    }
    if (position < end && (bytes[position] | 0x20) === LOWER_E) {
      let exponent = position + 1;
      if (exponent < end && (bytes[exponent] === PLUS || bytes[exponent] === MINUS)) exponent += 1;
      position = skipDigits(bytes, exponent, end);
      if (position === exponent) return this.fail('syntax', position);
    }
    return position;
  }

  private checkUtf8(start: number): boolean {
    const { bytes, end } = this;
    return isUtf8(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)) || this.fail('invalid_utf8', end) !== FAILED;
  }

  private hasEscape(start: number, end: number): boolean {
    for (let position = start; position < end; position += 1) if (this.bytes[position] === BACKSLASH) return true;
    return false;
  }

  private isLowerCase(start: number, end: number): boolean {
    for (let position = start; position < end; position += 1) {
      const byte = this.bytes[position];
      if (byte >= 0x80 || byte === BACKSLASH || (byte >= 0x41 && byte <= 0x5a)) return false;
    }
    return true;
  }

  private isPlain(start: number, end: number): boolean {
    for (let position = start; position < end; position += 1) {
      if (this.bytes[position] === BACKSLASH || this.bytes[position] >= 0x80) return false;
    }
    return true;
  }

  private decodeString(start: number, end: number): string {
    // The quotes stand around the range, and the scan has checked the escapes.
    const decoded: unknown = JSON.parse(this.bytes.toString('utf8', start - 1, end + 1));
    return String(decoded);
  }

  private equalsAscii(start: number, end: number, text: string): boolean {
    if (end - start !== text.length) return false;
    for (let index = 0; index < text.length; index += 1) {
      if (this.bytes[start + index] !== text.charCodeAt(index)) return false;
    }
    return true;
  }

  private equalsRange(start: number, end: number, otherStart: number, otherEnd: number): boolean {
    if (end - start !== otherEnd - otherStart) return false;
    for (let index = 0; index < end - start; index += 1) {
      if (this.bytes[start + index] !== this.bytes[otherStart + index]) return false;
    }
    return true;
  }

  private fail(reason: JsonFault['reason'], offset: number): typeof FAILED {
    this.fault = { reason, offset, path: this.describePath() };
    return FAILED;
  }

  /** The path to where the scan stands. Only on failure, so it may be slow. */
  private describePath(): string {
    let path = '';
    for (let level = 1; level <= Math.min(this.depth, 8); level += 1) {
      if (this.kinds[level] === IN_ARRAY) path += `[${this.indexes[level]}]`;
      else path += this.describeKey(level, path === '');
    }
    return path;
  }

  private describeKey(level: number, isFirst: boolean): string {
    if (!this.strictKeys) return '';
    const next = level === this.depth ? this.keyCount : this.keyBases[level + 1];
    const number = next - 1;
    if (number < this.keyBases[level]) return '';
    // A path is shown to people: a key is cut, and only its plain characters are kept.
    const name = this.bytes
      .toString('latin1', this.keyStarts[number], Math.min(this.keyEnds[number], this.keyStarts[number] + 64))
      .replace(/[^\w$-]/g, '?');
    return isFirst ? name : `.${name}`;
  }
}

function isPlainByte(byte: number): boolean {
  // Most are small letters, which stand behind the backslash.
  return byte > BACKSLASH ? byte < 0x80 : byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH;
}

/** One of 32 bits for a name, by its length, its first character and the one in its middle. */
function toNameBit(length: number, first: number, middle: number): number {
  // Only the lowest five bits count. A name of no length has no characters.
  return length === 0 ? 1 : 1 << (length ^ first ^ middle);
}

/** The first byte at the position or behind it that is no white space; `end` when there is none. */
function skipWhitespace(bytes: Buffer, position: number, end: number): number {
  // Nearly always there is none.
  return position < end && bytes[position] <= 0x20 ? skipAllWhitespace(bytes, position, end) : position;
}

function skipAllWhitespace(bytes: Buffer, start: number, end: number): number {
  let position = start;
  while (position < end && isWhitespace(bytes[position])) position += 1;
  return position;
}

function skipDigits(bytes: Buffer, start: number, end: number): number {
  let position = start;
  while (position < end && bytes[position] >= ZERO && bytes[position] <= NINE) position += 1;
  return position;
}

function isWhitespace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Length of the escape sequence at the position: 2, 6, or 0 when it is none. */
function escapeLength(bytes: Buffer, position: number, end: number): number {
  if (position + 1 >= end) return 0;
  switch (bytes[position + 1]) {
    case 0x22:
    case 0x5c:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return 2;
    case 0x75: {
      if (position + 5 >= end) return 0;
      for (let digit = position + 2; digit < position + 6; digit += 1) if (!isHexDigit(bytes[digit])) return 0;
      return 6;
    }
    default:
      return 0;
  }
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
}
