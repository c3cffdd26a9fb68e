/** Takes the events of a stream as they become whole. */
export interface SseSink {
  /**
   * One event that carries data, which is bytes[dataStart, dataEnd) without a line end.
   * @param type the `event:` field; null when there was none; `error` also for llama.cpp's `error:` field
   * @param rawStart where the event's canonical form (`data: …` and a blank line, LF only; a reader
   *   that keeps types also takes an `event: …` line before it) begins in the bytes, so that it can be
   *   passed on as it is, up to rawEnd; -1 when it has to be written anew
   */
  onEvent(bytes: Buffer, dataStart: number, dataEnd: number, type: string | null, rawStart: number, rawEnd: number): void;
  /** A comment line: a sign of life. */
  onComment(): void;
}

/** An event longer than the reader was told to bear. */
export class SseEventTooLargeError extends Error {
  constructor(readonly limitBytes: number) {
    super(`an event of the stream is longer than ${limitBytes} bytes`);
    this.name = 'SseEventTooLargeError';
  }
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;

/**
 * Reads server-sent events (WHATWG HTML §9.2) from chunks that may be cut anywhere, inside a line
 * end or a character too. Bears LF, CRLF and CR, a byte order mark, `data:` without a space, data in
 * several lines, comments, and a last event with no blank line after it. `id:` and `retry:` are
 * dropped: forwarded, they break clients.
 *
 * In the common case, a chunk of whole canonical events, nothing is copied.
 */
export class SseReader {
  /** Pieces of a line whose end has not come yet. */
  private carry: Buffer[] = [];
  private carryBytes = 0;
  private isFirstLine = true;
  /** The last line ended with CR at the end of a chunk: a LF that follows belongs to it. */
  private skipLf = false;

  // The event being read.
  private eventType: string | null = null;
  private lineCount = 0;
  private dataCount = 0;
  private dataBytes: Buffer = EMPTY;
  private dataStart = 0;
  private dataEnd = 0;
  private dataTotal = 0;
  /** Data lines before the last one, when there is more than one. */
  private earlierData: Buffer[] | null = null;
  private rawStart = -1;
  /** Where the event's canonical `event:` line begins, in the chunk that is being read. */
  private typeStart = -1;

  /** @param keepsTypes an event with its `event:` line can be passed on as it is; without, types are left out */
  constructor(
    private readonly sink: SseSink,
    private readonly maxEventBytes: number,
    private readonly keepsTypes: boolean = false,
  ) {}

  /** @throws SseEventTooLargeError */
  push(chunk: Buffer): void {
    let lineStart = 0;
    let position = 0;
    const length = chunk.length;
    if (this.lineCount > 0) this.rawStart = this.typeStart = -1;
    if (this.skipLf && length > 0) {
      this.skipLf = false;
      if (chunk[0] === LF) lineStart = position = 1;
    }
    while (position < length) {
      const byte = chunk[position];
      if (byte !== LF && byte !== CR) {
        position += 1;
        continue;
      }
      let next = position + 1;
      if (byte === CR) {
        if (next === length) this.skipLf = true;
        else if (chunk[next] === LF) next += 1;
      }
      this.endLine(chunk, lineStart, position, byte === LF ? next : -1);
      lineStart = position = next;
    }
    if (lineStart < length) this.keepForLater(chunk.subarray(lineStart));
  }

  /** The stream ended: an event whose blank line never came is handed on, too. */
  end(): void {
    if (this.carryBytes > 0) this.endLine(EMPTY, 0, 0, -1);
    this.dispatch(-1);
  }

  private keepForLater(piece: Buffer): void {
    this.carry.push(piece);
    this.carryBytes += piece.length;
    if (this.carryBytes + this.dataTotal > this.maxEventBytes) throw new SseEventTooLargeError(this.maxEventBytes);
  }

  /** @param rawEnd behind the line's end when that was a LF, else -1 */
  private endLine(chunk: Buffer, start: number, end: number, rawEnd: number): void {
    if (this.carryBytes === 0) {
      this.readLine(chunk, start, end, rawEnd === -1 ? -1 : start, rawEnd);
      return;
    }
    this.carry.push(chunk.subarray(start, end));
    const line = Buffer.concat(this.carry);
    this.carry = [];
    this.carryBytes = 0;
    this.readLine(line, 0, line.length, -1, -1);
  }

  private readLine(bytes: Buffer, start: number, end: number, rawStart: number, rawEnd: number): void {
    if (this.isFirstLine) {
      this.isFirstLine = false;
      if (end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf) {
        start += 3;
        rawStart = -1;
      }
    }
    if (start === end) {
      this.dispatch(rawStart === -1 ? -1 : rawEnd);
      return;
    }
    this.lineCount += 1;
    if (startsWithData(bytes, start, end)) this.readData(bytes, start, end, rawStart);
    else if (bytes[start] === COLON) this.readComment();
    else this.readField(bytes.toString('utf8', start, Math.min(end, start + 4096)), bytes, start, end, rawStart);
  }

  private readData(bytes: Buffer, start: number, end: number, rawStart: number): void {
    let valueStart = start + 5;
    const hasSpace = valueStart < end && bytes[valueStart] === SPACE;
    if (hasSpace) valueStart += 1;
    if (!hasSpace) this.rawStart = -1;
    else if (this.lineCount === 1) this.rawStart = rawStart;
    else this.rawStart = this.lineCount === 2 && rawStart !== -1 ? this.typeStart : -1;
    this.addData(bytes, valueStart, end);
  }

  private addData(bytes: Buffer, start: number, end: number): void {
    if (this.dataCount > 0) {
      this.earlierData ??= [];
      this.earlierData.push(this.dataBytes.subarray(this.dataStart, this.dataEnd), NEW_LINE);
    }
    this.dataCount += 1;
    this.dataBytes = bytes;
    this.dataStart = start;
    this.dataEnd = end;
    this.dataTotal += end - start + LINE_COST_BYTES;
    if (this.dataTotal > this.maxEventBytes) throw new SseEventTooLargeError(this.maxEventBytes);
  }

  private readComment(): void {
    this.rawStart = -1;
    this.sink.onComment();
  }

  private readField(line: string, bytes: Buffer, start: number, end: number, rawStart: number): void {
    this.rawStart = -1;
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    if (name === 'event') {
      this.eventType = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
      this.typeStart = this.keepsTypes && this.lineCount === 1 && line.startsWith('event: ') ? rawStart : -1;
    } else if (name === 'error') {
      this.eventType = 'error';
      const valueStart = Math.min(start + 6, end);
      this.addData(bytes, bytes[valueStart] === SPACE ? valueStart + 1 : valueStart, end);
    }
  }

  private dispatch(rawEnd: number): void {
    const hasData = this.dataCount > 0;
    let bytes = this.dataBytes;
    let start = this.dataStart;
    let end = this.dataEnd;
    if (this.earlierData !== null) {
      bytes = Buffer.concat([...this.earlierData, bytes.subarray(start, end)]);
      start = 0;
      end = bytes.length;
    }
    const type = this.eventType;
    const isCanonical = this.lineCount === 1 || (this.lineCount === 2 && this.typeStart !== -1);
    const rawStart = rawEnd === -1 || !isCanonical ? -1 : this.rawStart;
    this.eventType = null;
    this.lineCount = 0;
    this.dataCount = 0;
    this.dataTotal = 0;
    this.dataBytes = EMPTY;
    this.earlierData = null;
    this.rawStart = this.typeStart = -1;
    // Data without a byte in it is how some servers keep a connection alive, and breaks who parses it.
    if (hasData && (end > start || type === 'error')) this.sink.onEvent(bytes, start, end, type, rawStart, rawStart === -1 ? -1 : rawEnd);
  }
}

const EMPTY = Buffer.alloc(0);
/** What keeping a line costs beside its bytes: lines without any, and no end to them, must reach the limit, too. */
const LINE_COST_BYTES = 256;
const NEW_LINE = Buffer.from('\n');

function startsWithData(bytes: Buffer, start: number, end: number): boolean {
  return (
    end - start >= 5 &&
    bytes[start] === 0x64 &&
    bytes[start + 1] === 0x61 &&
    bytes[start + 2] === 0x74 &&
    bytes[start + 3] === 0x61 &&
    bytes[start + 4] === COLON
  );
}
