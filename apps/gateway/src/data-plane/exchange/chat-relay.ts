import { type ServerResponse } from 'node:http';
import { type UsageUnits } from '@weir/kernel';
import { type Provider } from '@weir/providers';
import { JsonScanner, spliceMembers, SseEventTooLargeError, SseReader, type SseSink } from '@weir/wire';

/** Why an upstream's stream cannot be passed on. */
export type StreamFault =
  | { readonly reason: 'ended_early' | 'empty' | 'invalid_json' | 'event_too_large' }
  | { readonly reason: 'error_event'; readonly body: Buffer };

/** What the upstream's connection should do after a chunk. */
export type StreamVerdict = 'more' | 'pause' | 'done' | 'broken';

/** Base64 images and audio come in one line; anything longer than this is no event. */
const MAX_EVENT_BYTES = 32 * 1024 * 1024;
const DONE_EVENT = Buffer.from('data: [DONE]\n\n');
const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');
const DATA_PREFIX = Buffer.from('data: ');
const EVENT_END = Buffer.from('\n\n');

// Scans are synchronous, so one scanner serves every stream of the process.
const scanner = new JsonScanner();

/**
 * Passes an OpenAI-shaped event stream from an upstream to a caller: whole events, canonically
 * written, each checked, the usage read on the way. Holds everything back until the first good
 * event, so that an early failure can still be answered with a status, or by another upstream.
 */
export class StreamRelay implements SseSink {
  usage: UsageUnits | null = null;
  /** Bytes of language passed on, for an estimate where no usage comes. */
  textBytes = 0;
  hasBegun = false;
  fault: StreamFault | null = null;

  private isDone = false;
  private readonly reader = new SseReader(this, MAX_EVENT_BYTES);
  // Canonical events that stand next to each other in one chunk are written at once, uncopied.
  private pendingBytes: Buffer | null = null;
  private pendingStart = 0;
  private pendingEnd = 0;
  private isCallerSlow = false;

  /** @param begin writes the head of the answer; called once, before the first event is written */
  constructor(
    private readonly response: ServerResponse,
    private readonly wantsUsage: boolean,
    private readonly provider: Provider,
    private readonly begin: () => void,
  ) {}

  push(chunk: Buffer): StreamVerdict {
    this.isCallerSlow = false;
    try {
      this.reader.push(chunk);
    } catch (error) {
      if (!(error instanceof SseEventTooLargeError)) throw error;
      this.fault ??= { reason: 'event_too_large' };
    }
    return this.settleChunk();
  }

  /** The upstream's body has ended. */
  finish(): StreamVerdict {
    this.reader.end();
    if (!this.isDone) this.fault ??= { reason: this.hasBegun ? 'ended_early' : 'empty' };
    return this.settleChunk();
  }

  onEvent(bytes: Buffer, dataStart: number, dataEnd: number, type: string | null, rawStart: number, rawEnd: number): void {
    if (this.isDone || this.fault !== null) return;
    if (isDoneMark(bytes, dataStart, dataEnd)) {
      this.onDone();
      return;
    }
    if (!scanner.scan(bytes, dataStart, dataEnd, LENIENT)) {
      this.fault = { reason: 'invalid_json' };
      return;
    }
    if (type === 'error' || hasError()) {
      this.fault = { reason: 'error_event', body: Buffer.from(bytes.subarray(dataStart, dataEnd)) };
      return;
    }
    this.textBytes += scanner.textBytes;
    const choices = scanner.findMember('choices');
    if (this.readUsage(choices) && !this.wantsUsage) return;
    this.ensureBegun();
    if (choices !== -1 && scanner.memberFirstByte(choices) === NULL_START) this.writeWithEmptyChoices(bytes, dataStart, dataEnd, choices);
    else if (rawStart !== -1) this.passOn(bytes, rawStart, rawEnd);
    else this.writeAnew(bytes.subarray(dataStart, dataEnd));
  }

  onComment(): void {
    // Passed on as a sign of life, but only between events of a stream that the caller has begun to read.
    if (this.hasBegun && !this.isDone && this.fault === null) {
      this.flush();
      this.write(KEEP_ALIVE);
    }
  }

  private onDone(): void {
    if (!this.hasBegun) {
      this.fault = { reason: 'empty' };
      return;
    }
    this.isDone = true;
    this.flush();
    this.write(DONE_EVENT);
  }

  /** Reads the event's usage, if it has one. True for the extra chunk that carries nothing else. */
  private readUsage(choices: number): boolean {
    const member = scanner.findMember('usage');
    if (member === -1 || scanner.memberFirstByte(member) !== 0x7b) return false;
    // Cumulative where it comes more than once: the last one wins.
    const usage = this.provider.readUsage(scanner.parseMember(member));
    if (usage !== null) this.usage = usage;
    if (choices === -1 || scanner.memberFirstByte(choices) === NULL_START) return true;
    return scanner.memberFirstByte(choices) === 0x5b && scanner.isEmptyMember(choices);
  }

  /** Some servers send `choices: null` with their usage, which breaks clients. */
  private writeWithEmptyChoices(bytes: Buffer, dataStart: number, dataEnd: number, choices: number): void {
    const start = scanner.memberValueStart(choices) - dataStart;
    const end = scanner.memberValueEnd(choices) - dataStart;
    this.writeAnew(spliceMembers(bytes.subarray(dataStart, dataEnd), [{ start, end, text: '[]' }]));
  }

  private ensureBegun(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.begin();
  }

  private passOn(bytes: Buffer, start: number, end: number): void {
    if (this.pendingBytes === bytes && this.pendingEnd === start) {
      this.pendingEnd = end;
      return;
    }
    this.flush();
    this.pendingBytes = bytes;
    this.pendingStart = start;
    this.pendingEnd = end;
  }

  private writeAnew(json: Buffer): void {
    this.flush();
    // JSON may stand in several lines; a line feed between tokens is white space and becomes a space.
    const data = Buffer.from(json);
    for (let index = data.indexOf(0x0a); index !== -1; index = data.indexOf(0x0a, index)) data[index] = 0x20;
    this.write(Buffer.concat([DATA_PREFIX, data, EVENT_END]));
  }

  private settleChunk(): StreamVerdict {
    this.flush();
    if (this.isDone) return 'done';
    if (this.fault !== null) return 'broken';
    return this.isCallerSlow ? 'pause' : 'more';
  }

  private flush(): void {
    if (this.pendingBytes === null) return;
    const bytes = this.pendingBytes;
    this.pendingBytes = null;
    const isWhole = this.pendingStart === 0 && this.pendingEnd === bytes.length;
    this.write(isWhole ? bytes : bytes.subarray(this.pendingStart, this.pendingEnd));
  }

  private write(bytes: Buffer): void {
    if (!this.response.write(bytes)) this.isCallerSlow = true;
  }
}

const LENIENT = { strictKeys: false };
/** The first byte of `null`. */
const NULL_START = 0x6e;

function hasError(): boolean {
  const member = scanner.findMember('error');
  return member !== -1 && scanner.memberFirstByte(member) !== NULL_START;
}

/** `[DONE]`, also with white space around it, which some servers add. */
function isDoneMark(bytes: Buffer, start: number, end: number): boolean {
  return bytes[start] === 0x5b && end - start >= 6 && end - start < 32 && bytes.toString('latin1', start, end).trim() === '[DONE]';
}
