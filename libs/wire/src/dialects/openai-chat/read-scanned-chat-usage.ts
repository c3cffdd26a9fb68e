import { type UsageUnits } from '@weir/kernel';
import { type JsonScanner } from '../../json-scanner';
import { readChatUsage, toChatUnits } from './read-usage';

/** What is read, as nearly every server writes it; the place of a name is that of its count. */
const COUNTS = ['prompt_tokens', 'completion_tokens', 'total_tokens'];
const PROMPT_DETAILS = 'prompt_tokens_details';
const COMPLETION_DETAILS = 'completion_tokens_details';
const PROMPT_COUNTS = ['cached_tokens', 'cache_write_tokens'];
const COMPLETION_COUNTS = ['reasoning_tokens'];
/** Other servers' names, wherever they stand: rare, and left to `readChatUsage`. */
const OTHER_NAMES = ['cached_tokens', 'prompt_cache_hit_tokens', 'cache_creation_input_tokens', 'cache_creation_tokens'];

const [INPUT, SHOWN, TOTAL, CACHED, WRITTEN, REASONING, PLACES] = [0, 1, 2, 3, 4, 5, 6];
const ABSENT = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const ZERO = 0x30;
const NINE = 0x39;
/** So many digits are always a count that can be believed. */
const MOST_DIGITS = 9;

/** Reads the `usage` of a scanned answer, or of a scanned event; null as `readChatUsage` says. */
export function readScannedChatUsage(scanner: JsonScanner, member: number): UsageUnits | null {
  if (!reader.read(scanner.bytes, scanner.memberValueStart(member))) return readChatUsage(scanner.parseMember(member));
  const { counts } = reader;
  if (counts[INPUT] === ABSENT) return null;
  return toChatUnits({
    inputTokens: counts[INPUT],
    shownTokens: Math.max(counts[SHOWN], 0),
    totalTokens: counts[TOTAL] === ABSENT ? null : counts[TOTAL],
    cachedTokens: Math.max(counts[CACHED], 0),
    writtenTokens: Math.max(counts[WRITTEN], 0),
    saidReasoning: Math.max(counts[REASONING], 0),
  });
}

/**
 * Reads a few small whole numbers out of JSON that was scanned, without building objects. Whatever is
 * not plain makes it give up: a number that is negative, fractional or long, a text, a null, a name
 * with an escape, details said twice.
 */
class PlainUsageReader {
  readonly counts = new Int32Array(PLACES);
  private bytes: Buffer = Buffer.alloc(0);
  private position = 0;
  private keyStart = 0;
  private keyLength = 0;
  private hasPromptDetails = false;
  private hasCompletionDetails = false;

  /**
   * @param start where the value stands, in bytes that are JSON
   * @returns false: it has to be parsed
   */
  read(bytes: Buffer, start: number): boolean {
    if (bytes[start] !== OPEN_BRACE) return false;
    this.bytes = bytes;
    this.position = start;
    this.counts.fill(ABSENT);
    this.hasPromptDetails = this.hasCompletionDetails = false;
    while (this.readKey()) {
      if (!(bytes[this.position] === OPEN_BRACE ? this.readDetails() : this.readCount(COUNTS, INPUT))) return false;
    }
    return bytes[this.position] === CLOSE_BRACE;
  }

  private readDetails(): boolean {
    if (this.isKey(PROMPT_DETAILS) && !this.hasPromptDetails) {
      this.hasPromptDetails = true;
      return this.readCounts(PROMPT_COUNTS, CACHED);
    }
    if (!this.isKey(COMPLETION_DETAILS) || this.hasCompletionDetails) return false;
    this.hasCompletionDetails = true;
    return this.readCounts(COMPLETION_COUNTS, REASONING);
  }

  private readCounts(names: readonly string[], firstPlace: number): boolean {
    while (this.readKey()) if (!this.readCount(names, firstPlace)) return false;
    if (this.bytes[this.position] !== CLOSE_BRACE) return false;
    this.position = skipWhitespace(this.bytes, this.position + 1);
    return true;
  }

  /** Reads the number under the last key, and keeps it when its name is one of these. */
  private readCount(names: readonly string[], firstPlace: number): boolean {
    const { bytes, position: start } = this;
    let position = start;
    let count = 0;
    while (bytes[position] >= ZERO && bytes[position] <= NINE && position - start < MOST_DIGITS) {
      count = count * 10 + bytes[position] - ZERO;
      position += 1;
    }
    const end = skipWhitespace(bytes, position);
    if (position === start || (bytes[end] !== COMMA && bytes[end] !== CLOSE_BRACE)) return false;
    this.position = end;
    const name = this.findName(names);
    if (name === -1) return this.findName(OTHER_NAMES) === -1 && !this.isKey(PROMPT_DETAILS) && !this.isKey(COMPLETION_DETAILS);
    // Of what is said twice the last counts, as when it is parsed.
    this.counts[firstPlace + name] = count;
    return true;
  }

  /** Goes to the value behind the next key; false at what is none, such as the end of the object. */
  private readKey(): boolean {
    const { bytes } = this;
    const before = bytes[this.position];
    if (before !== OPEN_BRACE && before !== COMMA) return false;
    const quote = skipWhitespace(bytes, this.position + 1);
    this.position = quote;
    if (bytes[quote] !== QUOTE) return false;
    let position = quote + 1;
    while (bytes[position] !== QUOTE && bytes[position] !== BACKSLASH) position += 1;
    this.keyStart = quote + 1;
    this.keyLength = position - quote - 1;
    if (bytes[position] === BACKSLASH) return false;
    position = skipWhitespace(bytes, position + 1);
    if (bytes[position] !== COLON) return false;
    this.position = skipWhitespace(bytes, position + 1);
    return true;
  }

  private findName(names: readonly string[]): number {
    for (let index = 0; index < names.length; index += 1) if (names[index].length === this.keyLength && this.isKey(names[index])) return index;
    return -1;
  }

  private isKey(name: string): boolean {
    const { bytes, keyStart, keyLength } = this;
    if (keyLength !== name.length) return false;
    for (let index = 0; index < keyLength; index += 1) if (bytes[keyStart + index] !== name.charCodeAt(index)) return false;
    return true;
  }
}

// Reading is synchronous, so one reader serves every answer of the process.
const reader = new PlainUsageReader();

function skipWhitespace(bytes: Buffer, start: number): number {
  let position = start;
  while (bytes[position] === 0x20 || bytes[position] === 0x0a || bytes[position] === 0x0d || bytes[position] === 0x09) position += 1;
  return position;
}
