import { type UsageUnits } from '@weir/kernel';
import { JsonScanner, SseEventTooLargeError, SseReader, type SseSink } from '@weir/wire';
import { type AnswerSink } from './answer-sink';
import { type AnswerStream, type StreamFault, type StreamVerdict } from './answer-stream';
import { type CallerError } from './error-format';
import { readToldAnswer } from './read-told-answer';
import { type ToldAnswer } from './told-answer';

/** Base64 images and audio come in one line; anything longer than this is no event. */
const MAX_EVENT_BYTES = 32 * 1024 * 1024;
const DATA_PREFIX = Buffer.from('data: ');
const EVENT_END = Buffer.from('\n\n');

// Scans are synchronous, so one scanner serves every stream of the process.
const scanner = new JsonScanner();

/** What every relay of server-sent events does alike: reading them, holding back, writing, judging a chunk. */
export abstract class EventRelay implements AnswerStream, SseSink {
  usage: UsageUnits | null = null;
  isUsageFinal = false;
  textBytes = 0;
  hasBegun = false;
  fault: StreamFault | null = null;
  told: ToldAnswer | null = null;
  /** What the upstream says of its answer is to be read. */
  wantsTold = false;

  /** The stream has ended as it should. */
  protected isDone = false;
  protected readonly scanner = scanner;
  private readonly reader: SseReader;
  // Canonical events that stand next to each other in one chunk are written at once, uncopied.
  private pendingBytes: Buffer | null = null;
  private pendingStart = 0;
  private pendingEnd = 0;
  private isCallerSlow = false;

  /**
   * @param begin writes the head of the answer; called once, before the first event is written
   * @param keepsTypes the `event:` lines are passed on
   */
  constructor(
    private readonly response: AnswerSink,
    private readonly begin: () => void,
    keepsTypes: boolean,
  ) {
    this.reader = new SseReader(this, MAX_EVENT_BYTES, keepsTypes);
  }

  abstract onEvent(bytes: Buffer, dataStart: number, dataEnd: number, type: string | null, rawStart: number, rawEnd: number): void;
  abstract onComment(): void;
  abstract toErrorEvent(error: CallerError): string;
  /** The upstream's body has ended; sets `isDone` or `fault`. */
  protected abstract onEnd(): void;

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

  finish(): StreamVerdict {
    this.reader.end();
    if (!this.isDone && this.fault === null) this.onEnd();
    return this.settleChunk();
  }

  cut(): void {
    // Every event was counted as it came.
  }

  protected isOver(): boolean {
    return this.isDone || this.fault !== null;
  }

  /** Whether the event's data is JSON; if not, that is the stream's fault. */
  protected scan(bytes: Buffer, dataStart: number, dataEnd: number): boolean {
    if (scanner.scan(bytes, dataStart, dataEnd, LENIENT)) {
      if (this.wantsTold && this.told === null) this.told = readToldAnswer(scanner);
      return true;
    }
    this.fault = { reason: 'invalid_json' };
    return false;
  }

  protected failWith(bytes: Buffer, dataStart: number, dataEnd: number): void {
    this.fault = { reason: 'error_event', body: Buffer.from(bytes.subarray(dataStart, dataEnd)) };
  }

  protected ensureBegun(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.begin();
  }

  /** Bytes of the chunk that go to the caller as they are. */
  protected passOn(bytes: Buffer, start: number, end: number): void {
    if (this.pendingBytes === bytes && this.pendingEnd === start) {
      this.pendingEnd = end;
      return;
    }
    this.flush();
    this.pendingBytes = bytes;
    this.pendingStart = start;
    this.pendingEnd = end;
  }

  /** @param type the `event:` line to write before it; null for none */
  protected writeAnew(json: Buffer, type: string | null = null): void {
    this.flush();
    // JSON may stand in several lines; a line feed between tokens is white space and becomes a space.
    const data = Buffer.from(json);
    for (let index = data.indexOf(0x0a); index !== -1; index = data.indexOf(0x0a, index)) data[index] = 0x20;
    const head = type === null ? DATA_PREFIX : Buffer.from(`event: ${type}\ndata: `);
    this.write(Buffer.concat([head, data, EVENT_END]));
  }

  protected flush(): void {
    if (this.pendingBytes === null) return;
    const bytes = this.pendingBytes;
    this.pendingBytes = null;
    const isWhole = this.pendingStart === 0 && this.pendingEnd === bytes.length;
    this.write(isWhole ? bytes : bytes.subarray(this.pendingStart, this.pendingEnd));
  }

  protected write(bytes: Buffer | string): void {
    if (!this.response.write(bytes)) this.isCallerSlow = true;
  }

  private settleChunk(): StreamVerdict {
    this.flush();
    if (this.isDone) return 'done';
    if (this.fault !== null) return 'broken';
    return this.isCallerSlow ? 'pause' : 'more';
  }
}

const LENIENT = { strictKeys: false };
