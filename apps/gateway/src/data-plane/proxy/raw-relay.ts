import { type ServerResponse } from 'node:http';
import { type UsageUnits } from '@weir/kernel';
import { type AnswerStream, type StreamFault, type StreamVerdict } from '../exchange/answer-stream';
import { type UsageObserver } from './usage-observer';

/** Passes an answer as it is, whatever it is, and has its usage read on the way. */
export class RawRelay implements AnswerStream {
  hasBegun = false;
  readonly fault: StreamFault | null = null;

  constructor(
    private readonly response: ServerResponse,
    private readonly begin: () => void,
    private readonly observer: UsageObserver | null,
  ) {}

  get usage(): UsageUnits | null {
    return this.observer?.usage ?? null;
  }

  get isUsageFinal(): boolean {
    return this.observer?.isUsageFinal ?? false;
  }

  get textBytes(): number {
    return this.observer?.textBytes ?? 0;
  }

  push(chunk: Buffer): StreamVerdict {
    this.ensureBegun();
    this.observer?.push(chunk);
    return this.response.write(chunk) ? 'more' : 'pause';
  }

  finish(): StreamVerdict {
    this.ensureBegun();
    this.observer?.finish();
    return 'done';
  }

  cut(): void {
    this.observer?.cut();
  }

  /** Nobody knows how to say it in an unknown format: the answer is torn, so that nobody takes it for whole. */
  toErrorEvent(): null {
    return null;
  }

  private ensureBegun(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.begin();
  }
}
