import { isUtf8 } from 'node:buffer';
import { FILE_KEY, IMAGE_KEY, TEXT_KEY, toKeyKind } from './json-key-kinds';

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

const IN_OBJECT = 1;
const IN_ARRAY = 2;

const PROTO_KEY = Buffer.from('__proto__');

/**
 * Checks a whole JSON text (RFC 8259) in one pass over its bytes, without building a value, and
 * remembers where the members of the outermost object are. Prompts are thus never turned into
 * strings, bytes can be passed on unchanged, and what Weir read is provably what it sends: a key
 * said twice, which two parsers could understand differently, is refused.
 *
 * One scanner serves many texts, one after the other: its results hold until the next scan.
 */
export class JsonScanner {
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
  /** What was wrong, after a scan that answered false. */
  fault: JsonFault | null = null;

  private bytes: Buffer = Buffer.alloc(0);
  private end = 0;
  private position = 0;
  private depth = 0;
  private strictKeys = false;
  /** What `readKeyString` noted of the last key. */
  private keyHash = 0;
  private keyHasEscape = false;
  private keyIsLowerCase = true;
  /** Whether a member's key has an escape: without any, a name is its bytes. */
  private membersHaveEscape = false;
  /** Whether all members' keys are ASCII without capitals and escapes, as nearly always. */
  private membersAreLowerCase = true;

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
    this.position = start;
    this.end = end;
    this.depth = 0;
    this.keyCount = 0;
    this.memberCount = 0;
    this.textBytes = 0;
    this.imageCount = 0;
    this.fileCount = 0;
    this.fault = null;
    this.strictKeys = options.strictKeys;
    this.membersHaveEscape = false;
    this.membersAreLowerCase = true;
    this.isText[0] = 0;
    const acceptable =
      this.readDocument() && (isUtf8(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)) || this.fail('invalid_utf8'));
    if (this.depth > 0) this.keySets.fill(null);
    return acceptable;
  }

  /** The index of a member of the outermost object by its decoded name; -1 when it is absent. */
  findMember(name: string): number {
    for (let member = 0; member < this.memberCount; member += 1) {
      const start = this.memberKeyStarts[member];
      const end = this.memberKeyEnds[member];
      if (this.equalsAscii(start, end, name)) return member;
      if (this.membersHaveEscape && this.hasEscape(start, end) && this.decodeString(start, end) === name) return member;
    }
    return -1;
  }

  /** True when a member's decoded name differs from `name`, of lower-case letters, in nothing but the case. */
  hasOtherSpelling(name: string): boolean {
    if (this.membersAreLowerCase) return false;
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

  private readDocument(): boolean {
    this.skipWhitespace();
    this.valueStart = this.position;
    if (this.position >= this.end) return this.fail('syntax');
    for (;;) {
      const opened = this.readValue();
      if (opened === FAILED) return false;
      if (opened === OPENED) continue;
      if (!this.readAfterValue()) return false;
      if (this.depth === 0) break;
    }
    this.skipWhitespace();
    return this.position === this.end || this.fail('syntax');
  }

  /** Reads a value that starts at the position. OPENED: a container was entered and its first value follows. */
  private readValue(): number {
    this.skipWhitespace();
    if (this.position >= this.end) return this.failValue('syntax');
    const byte = this.bytes[this.position];
    switch (byte) {
      case QUOTE: {
        const start = this.position + 1;
        if (!this.readString()) return FAILED;
        if (this.isText[this.depth] === 1) this.textBytes += this.position - 1 - start;
        return DONE;
      }
      case OPEN_BRACE:
        return this.openObject();
      case OPEN_BRACKET:
        return this.openArray();
      case 0x74:
        return this.readLiteral('true');
      case 0x66:
        return this.readLiteral('false');
      case 0x6e:
        return this.readLiteral('null');
      default:
        return this.readNumber() ? DONE : FAILED;
    }
  }

  /** After a value: closes what ends here; stops in front of the next value, or at depth 0. */
  private readAfterValue(): boolean {
    while (this.depth > 0) {
      if (this.depth === 1 && this.kinds[1] === IN_OBJECT) this.memberValueEnds[this.memberCount - 1] = this.position;
      this.skipWhitespace();
      if (this.position >= this.end) return this.fail('syntax');
      const byte = this.bytes[this.position];
      if (byte === COMMA) {
        this.position += 1;
        if (this.kinds[this.depth] === IN_OBJECT) return this.readKey();
        this.indexes[this.depth] += 1;
        return true;
      }
      if (byte !== (this.kinds[this.depth] === IN_OBJECT ? CLOSE_BRACE : CLOSE_BRACKET)) return this.fail('syntax');
      this.position += 1;
      this.closeContainer();
    }
    return true;
  }

  private openObject(): number {
    if (!this.openContainer(IN_OBJECT)) return FAILED;
    this.isText[this.depth] = 0;
    this.skipWhitespace();
    if (this.position < this.end && this.bytes[this.position] === CLOSE_BRACE) {
      this.position += 1;
      this.closeContainer();
      return DONE;
    }
    return this.readKey() ? OPENED : FAILED;
  }

  private openArray(): number {
    const isText = this.isText[this.depth];
    if (!this.openContainer(IN_ARRAY)) return FAILED;
    this.isText[this.depth] = isText;
    this.skipWhitespace();
    if (this.position < this.end && this.bytes[this.position] === CLOSE_BRACKET) {
      this.position += 1;
      this.closeContainer();
      return DONE;
    }
    return OPENED;
  }

  private openContainer(kind: number): boolean {
    if (this.depth >= MAX_JSON_DEPTH) return this.fail('too_deep');
    this.position += 1;
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

  /** Reads a key and its colon, up to the value. */
  private readKey(): boolean {
    this.skipWhitespace();
    if (this.position >= this.end || this.bytes[this.position] !== QUOTE) return this.fail('syntax');
    const start = this.position + 1;
    if (!this.readKeyString()) return false;
    const end = this.position - 1;
    this.skipWhitespace();
    if (this.position >= this.end || this.bytes[this.position] !== COLON) return this.fail('syntax');
    this.position += 1;
    this.skipWhitespace();
    if (this.depth === 1) {
      const member = this.memberCount++;
      this.memberKeyStarts[member] = start;
      this.memberKeyEnds[member] = end;
      this.memberValueStarts[member] = this.position;
      if (this.keyHasEscape) this.membersHaveEscape = true;
      if (!this.keyIsLowerCase) this.membersAreLowerCase = false;
    }
    const kind = this.strictKeys && this.keyHasEscape ? this.toEscapedKeyKind(start, end) : toKeyKind(this.bytes, start, end);
    this.isText[this.depth] = kind === TEXT_KEY ? 1 : 0;
    if (kind === IMAGE_KEY) this.imageCount += 1;
    else if (kind === FILE_KEY) this.fileCount += 1;
    return !this.strictKeys || this.checkKey(start, end);
  }

  /** Whoever writes a key with escapes must not hide what it is from the meter. */
  private toEscapedKeyKind(start: number, end: number): number {
    const key = Buffer.from(this.decodeString(start, end));
    return toKeyKind(key, 0, key.length);
  }

  private checkKey(start: number, end: number): boolean {
    const base = this.keyBases[this.depth];
    const hash = this.keyHash;
    const number = this.keyCount++;
    this.keyStarts[number] = start;
    this.keyEnds[number] = end;
    this.keyHashes[number] = hash;
    if (this.equalsBytes(start, end, PROTO_KEY)) return this.fail('forbidden_key');
    const keys = number - base;
    if (keys >= MAX_KEYS_IN_OBJECT) return this.fail('too_many_keys');
    const hasSet = this.keySets[this.depth] !== null;
    if (hasSet || keys >= FEW_KEYS || this.keyHasEscape) return this.checkKeyInSet(base, number, hasSet);
    for (let other = base; other < number; other += 1) {
      if (this.keyHashes[other] === hash && this.equalsRange(this.keyStarts[other], this.keyEnds[other], start, end)) {
        return this.fail('duplicate_key');
      }
    }
    return true;
  }

  /** For objects with many keys, or with a key written with escapes: compares decoded names. */
  private checkKeyInSet(base: number, number: number, hasSet: boolean): boolean {
    const set = this.keySets[this.depth] ?? (this.keySets[this.depth] = new Set<string>());
    for (let other = hasSet ? number : base; other <= number; other += 1) {
      const key = this.decodeString(this.keyStarts[other], this.keyEnds[other]);
      if (set.has(key)) return this.fail('duplicate_key');
      if (key === '__proto__') return this.fail('forbidden_key');
      set.add(key);
    }
    return true;
  }

  /** Reads a string whose opening quote is at the position; stops behind the closing one. */
  private readString(): boolean {
    const { bytes, end } = this;
    let position = this.position + 1;
    while (position < end) {
      const byte = bytes[position];
      if (byte === QUOTE) {
        this.position = position + 1;
        return true;
      }
      if (byte === BACKSLASH) {
        const length = escapeLength(bytes, position, end);
        if (length === 0) break;
        position += length;
      } else if (byte < 0x20) {
        break;
      } else {
        position += 1;
      }
    }
    this.position = position;
    return this.fail('syntax');
  }

  /** As `readString`, and notes what the checks of a key need, in the same pass. */
  private readKeyString(): boolean {
    const { bytes, end } = this;
    let position = this.position + 1;
    let hash = 0;
    let isLowerCase = true;
    this.keyHasEscape = false;
    while (position < end) {
      const byte = bytes[position];
      if (byte === QUOTE) {
        this.position = position + 1;
        this.keyHash = hash;
        this.keyIsLowerCase = isLowerCase;
        return true;
      }
      hash = (Math.imul(hash, 31) + byte) | 0;
      if (byte === BACKSLASH) {
        const length = escapeLength(bytes, position, end);
        if (length === 0) break;
        this.keyHasEscape = true;
        isLowerCase = false;
        position += length;
      } else if (byte < 0x20) {
        break;
      } else {
        if (byte >= 0x80 || (byte >= 0x41 && byte <= 0x5a)) isLowerCase = false;
        position += 1;
      }
    }
    this.position = position;
    return this.fail('syntax');
  }

  private readLiteral(literal: string): number {
    if (!this.equalsAscii(this.position, Math.min(this.position + literal.length, this.end), literal)) {
      return this.failValue('syntax');
    }
    this.position += literal.length;
    return DONE;
  }

  /** -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
  private readNumber(): boolean {
    if (this.bytes[this.position] === 0x2d) this.position += 1;
    const leadingZero = this.position < this.end && this.bytes[this.position] === 0x30;
    const digits = this.skipDigits();
    if (digits === 0 || (leadingZero && digits > 1)) return this.fail('syntax');
    if (this.position < this.end && this.bytes[this.position] === 0x2e) {
      this.position += 1;
      if (this.skipDigits() === 0) return this.fail('syntax');
    }
    if (this.position < this.end && (this.bytes[this.position] | 0x20) === 0x65) {
      this.position += 1;
      const sign = this.bytes[this.position];
      if (this.position < this.end && (sign === 0x2b || sign === 0x2d)) this.position += 1;
      if (this.skipDigits() === 0) return this.fail('syntax');
    }
    return true;
  }

  private skipDigits(): number {
    const start = this.position;
    while (this.position < this.end && this.bytes[this.position] >= 0x30 && this.bytes[this.position] <= 0x39) {
      this.position += 1;
    }
    return this.position - start;
  }

  private skipWhitespace(): void {
    while (this.position < this.end && isWhitespace(this.bytes[this.position])) this.position += 1;
  }

  private hasEscape(start: number, end: number): boolean {
    for (let position = start; position < end; position += 1) if (this.bytes[position] === BACKSLASH) return true;
    return false;
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

  private equalsBytes(start: number, end: number, other: Buffer): boolean {
    if (end - start !== other.length) return false;
    for (let index = 0; index < other.length; index += 1) {
      if (this.bytes[start + index] !== other[index]) return false;
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

  private failValue(reason: JsonFault['reason']): number {
    this.fail(reason);
    return FAILED;
  }

  private fail(reason: JsonFault['reason']): false {
    this.fault = { reason, offset: this.position, path: this.describePath() };
    return false;
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

const FAILED = 0;
const DONE = 1;
const OPENED = 2;

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
