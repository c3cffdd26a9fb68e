import { type ErrorCode, WeirError } from '@weir/kernel';
import { toRunEnd } from './to-run-end';

const HOUR_MS = 3_600_000;
const error = (code: ErrorCode, retryAfterMs?: number): WeirError => new WeirError(code, { retryAfterMs });

describe('a job whose run was refused before an upstream was called', () => {
  it.each<[ErrorCode, number, number]>([
    ['rate_limit_exceeded', 40_000, 40_000],
    ['rate_limit_exceeded', 1, 500],
    ['no_upstream_available', 30_000, 30_000],
    ['limits_unavailable', 200, 500],
  ])('waits for as long as it is told, and the run does not count: %s', (code, retryAfterMs, afterMs) => {
    expect(toRunEnd(error(code, retryAfterMs), { attempts: 0, runs: 3, remainingMs: HOUR_MS })).toMatchObject({ kind: 'waits', afterMs, counts: false, reason: { code } });
  });

  it('fails at once when the wait would outlast the job', () => {
    expect(toRunEnd(error('rate_limit_exceeded', HOUR_MS), { attempts: 0, runs: 1, remainingMs: HOUR_MS })).toMatchObject({ kind: 'failed', error: { code: 'rate_limit_exceeded' } });
  });

  it.each<ErrorCode>(['budget_exceeded', 'model_not_found', 'model_not_allowed', 'model_not_priced', 'invalid_api_key', 'key_expired', 'invalid_request', 'rate_limit_exceeded'])(
    'fails where no waiting helps: %s',
    (code) => {
      expect(toRunEnd(error(code), { attempts: 0, runs: 1, remainingMs: HOUR_MS })).toMatchObject({ kind: 'failed', error: { code } });
    },
  );
});

describe('a job whose upstream failed', () => {
  it('is run again after a growing wait, and fails with the third run', () => {
    const end = (runs: number) => toRunEnd(error('upstream_error'), { attempts: 2, runs, remainingMs: HOUR_MS });
    expect(end(1)).toMatchObject({ kind: 'waits', afterMs: 5_000, counts: true });
    expect(end(2)).toMatchObject({ kind: 'waits', afterMs: 10_000, counts: true });
    expect(end(3)).toMatchObject({ kind: 'failed', error: { code: 'upstream_error', message: 'The upstream failed to answer properly.' } });
  });

  it('is not tried for ever where it is Weir that has failed', () => {
    expect(toRunEnd(error('internal_error'), { attempts: 0, runs: 3, remainingMs: HOUR_MS })).toMatchObject({ kind: 'failed' });
  });
});
