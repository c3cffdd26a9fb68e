import { type UsageUnits } from '@weir/kernel';
import { type AnswerSink } from './answer-sink';
import { type AnswerStream, type StreamFault, type StreamVerdict } from './answer-stream';

/** Passes sound from an upstream to a caller as it comes. Its end is the end of the upstream's body. */
export class ByteRelay implements AnswerStream {
  readonly usage: UsageUnits | null = null;
  readonly isUsageFinal = false;
  readonly textBytes = 0;
  hasBegun = false;
  fault: StreamFault | null = null;

  constructor(
    private readonly response: AnswerSink,
    private readonly begin: () => void,
  ) {}

  push(chunk: Buffer): StreamVerdict {
    if (chunk.length === 0) return 'more';
    if (!this.hasBegun) {
      this.hasBegun = true;
      this.begin();
    }
    return this.response.write(chunk) ? 'more' : 'pause';
  }

  cut(): void {
    // There is no language in it to be counted.
  }

  /** Sound has no place for words: it is torn off, so that nobody takes it for whole. */
  toErrorEvent(): null {
    return null;
  }

  finish(): StreamVerdict {
    if (this.hasBegun) return 'done';
    this.fault = { reason: 'empty' };
    return 'broken';
  }
}
