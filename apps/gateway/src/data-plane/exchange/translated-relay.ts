import { type ConversationEvent, type ConversationStreamReader, type ConversationStreamWriter } from '@weir/wire';
import { type AnswerSink } from './answer-sink';
import { type CallerError, toConversationError } from './error-format';
import { EventRelay } from './event-relay';

/**
 * Tells a caller a stream in its own dialect, event by event. Errors are left to the road: it knows
 * what may be shown, and whether another upstream can still be asked.
 */
export class TranslatedRelay extends EventRelay {
  private saysSomething = false;
  private held = '';

  constructor(
    response: AnswerSink,
    begin: () => void,
    private readonly streamReader: ConversationStreamReader,
    private readonly streamWriter: ConversationStreamWriter,
  ) {
    super(response, begin, true);
  }

  onEvent(bytes: Buffer, dataStart: number, dataEnd: number, type: string | null): void {
    if (this.isOver()) return;
    const events = this.streamReader.push({ type, data: bytes.toString('utf8', dataStart, dataEnd) });
    this.tell(events, bytes, dataStart, dataEnd);
  }

  onComment(): void {
    if (!this.hasBegun || this.isOver()) return;
    this.send(this.streamWriter.write({ type: 'ping' }));
  }

  toErrorEvent(error: CallerError): string {
    return this.streamWriter.write({ type: 'error', error: toConversationError(error) });
  }

  protected onEnd(): void {
    this.tell(this.streamReader.end(), EMPTY, 0, 0);
    if (!this.isOver()) this.fault = { reason: this.hasBegun ? 'ended_early' : 'empty' };
  }

  /** What one event of the upstream's means, in one write. */
  private tell(events: readonly ConversationEvent[], bytes: Buffer, dataStart: number, dataEnd: number): void {
    let text = '';
    for (const event of events) {
      if (event.type === 'error') {
        this.send(text);
        if (dataEnd === dataStart) this.fault = { reason: this.hasBegun ? 'ended_early' : 'empty' };
        else if (isJson(bytes, dataStart, dataEnd)) this.failWith(bytes, dataStart, dataEnd);
        else this.fault = { reason: 'invalid_json' };
        return;
      }
      this.take(event);
      // A sign of life before the first word would fix the status, and with it the upstream.
      if (event.type === 'ping' && !this.hasBegun) continue;
      text += this.streamWriter.write(event);
      this.saysSomething ||= !SILENT.has(event.type);
    }
    this.send(text);
  }

  private take(event: ConversationEvent): void {
    if (event.type === 'usage') this.usage = event.usage;
    else if (event.type === 'start') this.told = { id: event.id, model: event.model, stopReason: null };
    else if (event.type === 'stop') {
      this.isUsageFinal = this.usage !== null;
      if (this.told !== null) this.told = { ...this.told, stopReason: event.reason };
    }
    else if (event.type === 'end') this.isDone = true;
    else if (event.type === 'part_delta') {
      if (event.delta.type === 'text') this.textBytes += Buffer.byteLength(event.delta.text);
      else if (event.delta.type === 'arguments') this.textBytes += Buffer.byteLength(event.delta.json);
    }
  }

  /** The head waits for the first word: until then, another upstream can be asked. */
  private send(text: string): void {
    this.held += text;
    if (this.held === '' || (!this.hasBegun && !this.saysSomething)) return;
    this.ensureBegun();
    this.write(this.held);
    this.held = '';
  }
}

const EMPTY = Buffer.alloc(0);
/** Events before the first word. */
const SILENT: ReadonlySet<ConversationEvent['type']> = new Set(['start', 'usage', 'ping', 'error']);

function isJson(bytes: Buffer, start: number, end: number): boolean {
  try {
    JSON.parse(bytes.toString('utf8', start, end));
    return true;
  } catch {
    return false;
  }
}
