import { readGeminiEventFacts } from '@weir/wire';
import { type AnswerSink } from './answer-sink';
import { type CallerError, toErrorEvent } from './error-format';
import { EventRelay } from './event-relay';

/**
 * Passes a stream of Google's from an upstream to a caller. It has no last event: it is whole when an
 * event told why it ended. Its clients bear neither comments nor `[DONE]`.
 */
export class GeminiRelay extends EventRelay {
  private endsWell = false;

  constructor(response: AnswerSink, begin: () => void) {
    super(response, begin, false);
  }

  onEvent(bytes: Buffer, dataStart: number, dataEnd: number, type: string | null, rawStart: number, rawEnd: number): void {
    if (this.isOver() || !this.scan(bytes, dataStart, dataEnd)) return;
    const facts = readGeminiEventFacts(this.scanner, bytes);
    if (facts.usage !== null) this.usage = facts.usage;
    if (facts.isError || type === 'error') {
      this.failWith(bytes, dataStart, dataEnd);
      return;
    }
    this.textBytes += facts.textBytes;
    this.endsWell ||= facts.endsWell;
    this.isUsageFinal = this.endsWell && this.usage !== null;
    this.ensureBegun();
    if (rawStart !== -1) this.passOn(bytes, rawStart, rawEnd);
    else this.writeAnew(bytes.subarray(dataStart, dataEnd));
  }

  onComment(): void {
    // Nothing: a comment would break its clients.
  }

  toErrorEvent(error: CallerError): string {
    return toErrorEvent('gemini', error, 0);
  }

  protected onEnd(): void {
    if (this.endsWell) this.isDone = true;
    else this.fault = { reason: this.hasBegun ? 'ended_early' : 'empty' };
  }
}
