import { type UsageUnits } from '@weir/kernel';
import { JsonScanner, type WireFormat } from '@weir/wire';
import { type AnswerSink } from '../exchange/answer-sink';
import { type AnswerStream } from '../exchange/answer-stream';
import { openPassingRelay } from '../exchange/open-passing-relay';
import { readScannedUsage } from '../exchange/read-scanned-usage';

/** Looks at an answer that passes, for its usage. */
export interface UsageObserver {
  readonly usage: UsageUnits | null;
  /** As AnswerStream.isUsageFinal. */
  readonly isUsageFinal: boolean;
  readonly textBytes: number;
  push(chunk: Buffer): void;
  finish(): void;
  /** As AnswerStream.cut. */
  cut(): void;
}

/** A larger answer is passed all the same, and its usage estimated. */
const MOST_BYTES = 8 * 1024 * 1024;
const scanner = new JsonScanner();
const nowhere: AnswerSink = { write: () => true };
const ignore = (): void => undefined;

export function openUsageObserver(format: WireFormat, mediaType: string): UsageObserver {
  if (mediaType === 'text/event-stream') return new StreamObserver(openPassingRelay(format, true, nowhere, ignore));
  return mediaType === 'application/json' ? new JsonObserver(format) : new ByteObserver();
}

/** What would be passed on is written nowhere; what it means counts. */
class StreamObserver implements UsageObserver {
  private isOver = false;
  /** What follows what cannot be understood passes all the same, and counts as text. */
  private isBroken = false;
  private unreadBytes = 0;

  constructor(private readonly relay: AnswerStream) {}

  get usage(): UsageUnits | null {
    return this.relay.usage;
  }

  get isUsageFinal(): boolean {
    return this.relay.isUsageFinal && !this.isBroken;
  }

  get textBytes(): number {
    return this.relay.textBytes + this.unreadBytes;
  }

  push(chunk: Buffer): void {
    if (this.isBroken) this.unreadBytes += chunk.length;
    if (this.isOver) return;
    const verdict = this.relay.push(chunk);
    this.isOver = verdict === 'done' || verdict === 'broken';
    this.isBroken = verdict === 'broken';
  }

  finish(): void {
    if (!this.isOver) this.relay.finish();
  }

  cut(): void {
    this.relay.cut();
  }
}

class JsonObserver implements UsageObserver {
  usage: UsageUnits | null = null;
  textBytes = 0;
  /** It is read when the answer is whole. */
  readonly isUsageFinal = true;
  private chunks: Buffer[] = [];
  private bytes = 0;

  constructor(private readonly format: WireFormat) {}

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes <= MOST_BYTES) this.chunks.push(chunk);
    else this.chunks = [];
  }

  finish(): void {
    if (this.bytes > MOST_BYTES) {
      // Text, as far as anybody knows.
      this.textBytes = this.bytes;
      return;
    }
    const body = Buffer.concat(this.chunks, this.bytes);
    if (!scanner.scan(body, 0, body.length, { strictKeys: false })) return;
    this.textBytes = scanner.textBytes;
    this.usage = body[scanner.valueStart] === OPEN_BRACKET ? readLastUsage(body, this.format) : readScannedUsage(scanner, this.format);
  }

  /** The caller has it but for its end: the language in it counts, and of a text that broke off what came. */
  cut(): void {
    if (this.bytes > MOST_BYTES) {
      this.textBytes = this.bytes;
      return;
    }
    // Not JSON: the scan ends where the answer does, and what it has counted until there is what is asked.
    const body = toClosedText(Buffer.concat(this.chunks, this.bytes));
    scanner.scan(body, 0, body.length, { strictKeys: false });
    this.textBytes = scanner.textBytes;
  }
}

const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const QUOTE = Buffer.from('"');
/** `\u00e9`. */
const LONGEST_ESCAPE = 6;

/** With a quote behind what came, in which a text may be open; an escape that is not whole is left out. */
function toClosedText(body: Buffer): Buffer {
  let end = body.length;
  const escape = body.lastIndexOf(BACKSLASH);
  if (escape !== -1 && end - escape < LONGEST_ESCAPE) end = escape;
  while (end > 0 && body[end - 1] === BACKSLASH) end -= 1;
  return Buffer.concat([body.subarray(0, end), QUOTE]);
}

/** Google streams a list where nobody asks for events; each of its members has a snapshot. */
function readLastUsage(body: Buffer, format: WireFormat): UsageUnits | null {
  const list: unknown = JSON.parse(body.toString('utf8'));
  if (!Array.isArray(list)) return null;
  for (const member of list.reverse()) {
    const bytes = Buffer.from(JSON.stringify(member));
    const usage = scanner.scan(bytes, 0, bytes.length, { strictKeys: false }) ? readScannedUsage(scanner, format) : null;
    if (usage !== null) return usage;
  }
  return null;
}

/** Of an answer in a form that nobody reads here, all is taken for text. */
class ByteObserver implements UsageObserver {
  readonly usage = null;
  readonly isUsageFinal = false;
  textBytes = 0;

  push(chunk: Buffer): void {
    this.textBytes += chunk.length;
  }

  finish(): void {
    // Nothing is told at the end.
  }

  cut(): void {
    // All of it was counted as it came.
  }
}
