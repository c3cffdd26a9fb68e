import { zeroUsage } from '@weir/kernel';
import { parseModelPrice } from '@weir/ledger';
import { type AbortedCallCharge, type AttemptEnd, toChargedUsage } from './charged-usage';

const worstUsage = { ...zeroUsage(), inputTokens: 900, outputTokens: 4_096, requests: 1 };
const reportedUsage = { ...zeroUsage(), inputTokens: 30, outputTokens: 7, requests: 1 };
const POLICIES: readonly AbortedCallCharge[] = ['estimate', 'input', 'none'];

function toEnd(end: Partial<AttemptEnd>): AttemptEnd {
  return { status: 'succeeded', reportedUsage: null, isReportFinal: false, reachedUpstream: true, isTimeout: false, requestTextBytes: 101, outputTextBytes: 0, hasOutput: (end.outputTextBytes ?? 0) > 0, worstUsage, work: null, price: null, ...end };
}

const estimated = (inputTokens: number, outputTokens: number) => ({ usage: { ...zeroUsage(), inputTokens, outputTokens, requests: 1 }, estimated: true });
const nothing = { usage: zeroUsage(), estimated: false };

describe('what an attempt is charged for', () => {
  it.each(POLICIES)("is the upstream's word, however the attempt ended (%s)", (policy) => {
    for (const status of ['succeeded', 'aborted'] as const) {
      expect(toChargedUsage(toEnd({ status, reportedUsage }), policy)).toEqual({ usage: reportedUsage, estimated: false });
    }
    expect(toChargedUsage(toEnd({ status: 'succeeded', reportedUsage, outputTextBytes: 400 }), policy)).toEqual({ usage: reportedUsage, estimated: false });
  });

  it.each(POLICIES)('is nothing where it failed with the report of a beginning, and the report where that was of the whole (%s)', (policy) => {
    expect(toChargedUsage(toEnd({ status: 'failed', reportedUsage }), policy)).toEqual(nothing);
    expect(toChargedUsage(toEnd({ status: 'failed', reportedUsage, isReportFinal: true }), policy)).toEqual({ usage: reportedUsage, estimated: false });
  });

  it('is no less than what came through where a stream broke off: what it had reported may be of its beginning', () => {
    const cut = { reportedUsage, outputTextBytes: 400 };
    for (const status of ['failed', 'aborted'] as const) {
      expect(toChargedUsage(toEnd({ ...cut, status }), 'input')).toEqual({ usage: { ...reportedUsage, outputTokens: 100 }, estimated: true });
    }
    expect(toChargedUsage(toEnd({ ...cut, status: 'aborted', outputTextBytes: 20 }), 'none')).toEqual({ usage: reportedUsage, estimated: false });
    expect(toChargedUsage(toEnd({ ...cut, status: 'aborted' }), 'estimate')).toEqual({ usage: worstUsage, estimated: true });
    for (const policy of POLICIES) expect(toChargedUsage(toEnd({ ...cut, status: 'aborted', isReportFinal: true }), policy)).toEqual({ usage: reportedUsage, estimated: false });
  });

  it.each(POLICIES)('is for sound and pictures that went out, though nobody counted language in them (%s)', (policy) => {
    const known = { ...zeroUsage(), characters: 50, requests: 1 };
    const work = { known, usual: { ...known, outputTokens: 70 }, worst: { ...known, outputTokens: 900 } };
    expect(toChargedUsage(toEnd({ status: 'failed', hasOutput: true, work }), policy)).toEqual({ usage: work.usual, estimated: true });
    expect(toChargedUsage(toEnd({ status: 'succeeded', hasOutput: true, work }), policy)).toEqual({ usage: work.usual, estimated: true });
    expect(toChargedUsage(toEnd({ status: 'failed', hasOutput: false, work }), policy)).toEqual(nothing);
  });

  it.each([
    ['characters', { per_thousand_characters_usd: 0.015 }],
    ['requests', { per_request_usd: 0.01 }],
    ['time on a GPU', { per_gpu_second_usd: 0.01, per_thousand_characters_usd: 0.015 }],
  ])('is known, and no estimate, where the price is by %s alone and the upstream told nothing', (_what, fields) => {
    const [known, price] = [{ ...zeroUsage(), characters: 50, requests: 1 }, parseModelPrice(fields)];
    const work = { known, usual: { ...known, outputTokens: 70, mediaMs: 3_000 }, worst: { ...known, outputTokens: 900, mediaMs: 60_000 } };
    expect(toChargedUsage(toEnd({ hasOutput: true, work, price }), 'input')).toEqual({ usage: known, estimated: false });
    // What the upstream did of it is not known.
    expect(toChargedUsage(toEnd({ status: 'failed', hasOutput: true, work, price }), 'input')).toEqual({ usage: work.usual, estimated: true });
    expect(toChargedUsage(toEnd({ status: 'aborted', work, price }), 'input')).toEqual({ usage: work.usual, estimated: true });
  });

  it.each([
    ['tokens, too', { per_thousand_characters_usd: 0.015, output_per_million_usd: 1 }],
    ['the second of sound', { per_second_usd: 0.01 }],
    ['nothing at all', { input_per_million_usd: 0 }],
  ])('is an estimate where the price is by %s', (_what, fields) => {
    const known = { ...zeroUsage(), characters: 50, requests: 1 };
    const work = { known, usual: { ...known, outputTokens: 70, mediaMs: 3_000 }, worst: { ...known, outputTokens: 900, mediaMs: 60_000 } };
    expect(toChargedUsage(toEnd({ hasOutput: true, work, price: parseModelPrice(fields) }), 'input')).toEqual({ usage: work.usual, estimated: true });
  });

  it.each(POLICIES)('is estimated from what passed through where the upstream told none (%s)', (policy) => {
    for (const status of ['succeeded', 'failed'] as const) {
      expect(toChargedUsage(toEnd({ status, outputTextBytes: 401 }), policy)).toEqual(estimated(26, 101));
    }
    expect(toChargedUsage(toEnd({ status: 'succeeded' }), policy)).toEqual(estimated(26, 0));
  });

  it.each(POLICIES)('is nothing where it failed before any output (%s)', (policy) => {
    expect(toChargedUsage(toEnd({ status: 'failed' }), policy)).toEqual(nothing);
  });

  it.each(POLICIES)('is nothing where the caller left before the upstream had the request (%s)', (policy) => {
    expect(toChargedUsage(toEnd({ status: 'aborted', reachedUpstream: false }), policy)).toEqual(nothing);
  });

  it('is by the policy where the caller left before any output', () => {
    const end = toEnd({ status: 'aborted' });
    expect(toChargedUsage(end, 'estimate')).toEqual({ usage: worstUsage, estimated: true });
    expect(toChargedUsage(end, 'input')).toEqual(estimated(26, 0));
    expect(toChargedUsage(end, 'none')).toEqual(nothing);
  });

  it('is the worst where the caller left after some output and the policy says so: more may have been thought than was said', () => {
    const end = toEnd({ status: 'aborted', outputTextBytes: 401 });
    expect(toChargedUsage(end, 'estimate')).toEqual({ usage: worstUsage, estimated: true });
    expect(toChargedUsage(end, 'input')).toEqual(estimated(26, 101));
    expect(toChargedUsage(end, 'none')).toEqual(estimated(26, 101));
  });

  it('is by the policy where the time was up: the upstream may be at work, and bill for it', () => {
    const end = toEnd({ status: 'failed', isTimeout: true });
    expect(toChargedUsage(end, 'estimate')).toEqual({ usage: worstUsage, estimated: true });
    expect(toChargedUsage(end, 'input')).toEqual(estimated(26, 0));
    expect(toChargedUsage(end, 'none')).toEqual(nothing);
    expect(toChargedUsage({ ...end, reachedUpstream: false }, 'estimate')).toEqual(nothing);
  });
});
