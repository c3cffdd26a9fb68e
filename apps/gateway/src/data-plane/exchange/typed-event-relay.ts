import { type UsageUnits } from '@weir/kernel';
import { type JsonScanner, type WireFormat } from '@weir/wire';
import { type AnswerSink } from './answer-sink';
import { type CallerError, toErrorEvent } from './error-format';
import { EventRelay } from './event-relay';

/** As many events say nothing at the most, before the first one that does. */
const MOST_HELD = 8;

/** What the events of a format mean to a relay, by the `type` that each of them names. */
export interface TypedEvents {
  /** `start`: nothing is said yet, so that another upstream can still be asked. */
  toMeaning(type: string): 'start' | 'text' | 'other' | 'end' | 'error';
  /** The usage that an event tells, the last one counting; `earlier` is what an event before it told. */
  readUsage(event: JsonScanner, type: string, earlier: UsageUnits | null): UsageUnits | null;
  /** Several events may end a piece of work; the stream is whole when its body ends behind one of them. */
  readonly endsWithBody: boolean;
  /** A sign of life for a caller that hears none; null where its clients bear none. */
  readonly ping: string | null;
}

/**
 * Passes a stream whose events name their types, and whose end is an event of its own, from an
 * upstream to a caller: Anthropic's messages, OpenAI's responses, speech, images and transcriptions.
 */
export class TypedEventRelay extends EventRelay {
  private eventCount = 0;
  private hasEnded = false;
  private held: { readonly data: Buffer; readonly type: string | null }[] = [];

  constructor(
    response: AnswerSink,
    begin: () => void,
    private readonly format: WireFormat,
    private readonly events: TypedEvents,
  ) {
    super(response, begin, true);
  }

  onEvent(bytes: Buffer, dataStart: number, dataEnd: number, eventType: string | null, rawStart: number, rawEnd: number): void {
    if (this.isOver() || isDoneMark(bytes, dataStart)) return;
    if (!this.scan(bytes, dataStart, dataEnd)) return;
    const type = this.readType() ?? eventType ?? '';
    const meaning = eventType === 'error' ? 'error' : this.events.toMeaning(type);
    this.takeUsage(this.events.readUsage(this.scanner, type, this.usage), meaning);
    if (meaning === 'error') {
      this.failWith(bytes, dataStart, dataEnd);
      return;
    }
    if (meaning === 'text') this.textBytes += this.scanner.textBytes;
    this.eventCount += 1;
    if (meaning === 'start' && !this.hasBegun && this.held.length < MOST_HELD) {
      // The chunk's bytes may be used anew by the next one.
      this.held.push({ data: Buffer.from(bytes.subarray(dataStart, dataEnd)), type: toLine(eventType) });
      return;
    }
    this.writeHeld();
    if (rawStart !== -1) this.passOn(bytes, rawStart, rawEnd);
    else this.writeAnew(bytes.subarray(dataStart, dataEnd), toLine(eventType));
    if (meaning !== 'end') return;
    this.hasEnded = true;
    this.isDone = !this.events.endsWithBody;
  }

  private takeUsage(told: UsageUnits | null, meaning: ReturnType<TypedEvents['toMeaning']>): void {
    if (told === null) return;
    this.usage = told;
    // At the start, Anthropic counts a token of output that is not there yet.
    this.isUsageFinal = meaning !== 'start';
  }

  /** Behind the first word, an error can only be told in the stream. */
  private writeHeld(): void {
    this.ensureBegun();
    for (const { data, type } of this.held) this.writeAnew(data, type);
    this.held = [];
  }

  onComment(): void {
    const { ping } = this.events;
    if (ping === null || !this.hasBegun || this.isOver()) return;
    this.flush();
    this.write(ping);
  }

  toErrorEvent(error: CallerError): string {
    return toErrorEvent(this.format, error, this.eventCount);
  }

  protected onEnd(): void {
    if (this.hasEnded) this.isDone = true;
    else this.fault = { reason: this.hasBegun ? 'ended_early' : 'empty' };
  }

  private readType(): string | null {
    const member = this.scanner.findMember('type');
    return member === -1 || this.scanner.memberFirstByte(member) !== QUOTE ? null : this.scanner.stringMember(member);
  }
}

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;

/** `[DONE]` behind the last event: some servers send it everywhere. It is no JSON object in any case. */
function isDoneMark(bytes: Buffer, start: number): boolean {
  return bytes[start] === OPEN_BRACKET;
}

/** A type with anything odd in it is not passed on as a line. */
function toLine(type: string | null): string | null {
  return type !== null && /^[\w.-]{1,100}$/.test(type) ? type : null;
}
