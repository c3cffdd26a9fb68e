import { type UsageUnits } from '@weir/kernel';
import { type CallerError } from './error-format';
import { type ToldAnswer } from './told-answer';

/** Why an upstream's stream cannot be passed on. */
export type StreamFault =
  | { readonly reason: 'ended_early' | 'empty' | 'invalid_json' | 'event_too_large' }
  | { readonly reason: 'error_event'; readonly body: Buffer };

/** What the upstream's connection should do after a chunk. */
export type StreamVerdict = 'more' | 'pause' | 'done' | 'broken';

/**
 * Carries an answer from an upstream to a caller as it comes. Holds everything back until the first
 * good piece, so that an early failure can still be answered with a status, or by another upstream.
 */
export interface AnswerStream {
  /** What the upstream has reported so far. */
  readonly usage: UsageUnits | null;
  /** Nothing that comes behind it will change `usage`. */
  readonly isUsageFinal: boolean;
  /** Bytes of language passed on, for an estimate where no usage comes. */
  readonly textBytes: number;
  /** Null until it is known, and where nobody wants it. */
  readonly told?: ToldAnswer | null;
  /** The caller has got the head. */
  readonly hasBegun: boolean;
  readonly fault: StreamFault | null;
  push(chunk: Buffer): StreamVerdict;
  /** The upstream's body has ended. */
  finish(): StreamVerdict;
  /** Nothing more comes, though the body has not ended: what came is all that there is to count. */
  cut(): void;
  /** The last event of a stream that has begun and cannot go on; null: it has no way to say it, and must be torn. */
  toErrorEvent(error: CallerError): string | null;
}
