import { type UsageUnits, zeroUsage } from '@weir/kernel';
import { type ModelPrice, toCost } from '@weir/ledger';
import { addWork, type Work } from './estimate';

/** What a call is charged whose caller left before any of the answer came (`ABORTED_CALL_CHARGE`). */
export type AbortedCallCharge = 'estimate' | 'input' | 'none';

/** How an attempt went, as far as its charge depends on it. */
export interface AttemptEnd {
  readonly status: 'succeeded' | 'failed' | 'aborted';
  /** By the upstream's word; null when it told none, or lied. */
  readonly reportedUsage: UsageUnits | null;
  /** It counts all of the answer, and not only its beginning. */
  readonly isReportFinal: boolean;
  /** False when it ended before the upstream had the request. */
  readonly reachedUpstream: boolean;
  /** It took too long: the upstream may well be at work, and bill for it. */
  readonly isTimeout: boolean;
  /** Bytes of language in the request. */
  readonly requestTextBytes: number;
  /** Something of the answer has gone to the caller, be it language or sound. */
  readonly hasOutput: boolean;
  /** Bytes of language that the upstream sent. */
  readonly outputTextBytes: number;
  /** The most that the call may use: what its hold is for. */
  readonly worstUsage: UsageUnits;
  /** What is used beside or instead of tokens of text; null for these alone. */
  readonly work: Work | null;
  /** What the attempt is charged by; null when nobody has set one. */
  readonly price: ModelPrice | null;
}

/** What an attempt is charged for, by the upstream's word or estimated from what passed through. */
export interface ChargedUsage {
  readonly usage: UsageUnits;
  readonly estimated: boolean;
}

/** Where no usage is reported: bytes of language per token, low enough to rather count too many. */
const BYTES_PER_TOKEN = 4;

/**
 * What is charged for an attempt:
 * - what the upstream reports; of a stream that broke off no less than what came through;
 * - else what is known from the request, where that alone has a price;
 * - else what passed through: of a whole answer, and of one that broke off, whoever broke it;
 * - nothing where it failed before any output;
 * - by `policy` where the caller left, or the time was up, before any output: what the upstream did is
 *   not known then. `estimate` counts for a caller that left after some output, too: more may have been
 *   thought than was said.
 */
export function toChargedUsage(end: AttemptEnd, policy: AbortedCallCharge): ChargedUsage {
  // A report of a beginning alone: another upstream is asked, and paid.
  if (end.status === 'failed' && !end.hasOutput && !end.isTimeout && !end.isReportFinal) return toNothing();
  if (end.reportedUsage !== null && (end.status === 'succeeded' || end.isReportFinal || !end.hasOutput)) return { usage: withKnownWork(end.reportedUsage, end), estimated: false };
  if (end.status === 'succeeded' && end.reportedUsage === null && end.work !== null && isPaidByKnown(end.price, end.work)) return { usage: { ...end.work.known }, estimated: false };
  if (end.status === 'aborted' && end.hasOutput && policy === 'estimate') return { usage: end.worstUsage, estimated: true };
  if (end.status === 'succeeded' || end.hasOutput) return end.reportedUsage === null ? toRelayed(end) : toCut(end, end.reportedUsage);
  if ((end.status === 'failed' && !end.isTimeout) || !end.reachedUpstream) return toNothing();
  switch (policy) {
    case 'estimate':
      return { usage: end.worstUsage, estimated: true };
    case 'input':
      return toRelayed(end);
    case 'none':
      return toNothing();
  }
}

function withKnownWork(usage: UsageUnits, { work }: AttemptEnd): UsageUnits {
  return work === null ? usage : addWork(usage, work.known);
}

/**
 * What a stream had reported when it broke off may be of its beginning (Anthropic counts one token of
 * output there): what came since counts, too.
 */
function toCut(end: AttemptEnd, reported: UsageUnits): ChargedUsage {
  const usage = withKnownWork(reported, end);
  const outputTokens = Math.max(usage.outputTokens, Math.ceil(end.outputTextBytes / BYTES_PER_TOKEN));
  return { usage: { ...usage, outputTokens }, estimated: outputTokens !== usage.outputTokens };
}

/** By the character or the image, say: then nothing that was never counted need be invented. */
function isPaidByKnown(price: ModelPrice | null, { known, worst }: Work): boolean {
  if (price === null) return false;
  const nanos = toCost(price, known);
  return nanos > 0 && nanos === toCost(price, worst);
}

function toNothing(): ChargedUsage {
  return { usage: zeroUsage(), estimated: false };
}

function toRelayed({ requestTextBytes, outputTextBytes, work }: AttemptEnd): ChargedUsage {
  if (work !== null) return { usage: { ...work.usual }, estimated: true };
  const usage = zeroUsage();
  usage.inputTokens = Math.ceil(requestTextBytes / BYTES_PER_TOKEN);
  usage.outputTokens = Math.ceil(outputTextBytes / BYTES_PER_TOKEN);
  usage.requests = 1;
  return { usage, estimated: true };
}
