import { Secret } from '@weir/kernel';
import { toErrorBody } from '@weir/wire';
import { type AttemptFailure, toFailure } from './attempt-failure';
import { toCallerError, toWeirError } from './caller-error';

const SECRET = new Secret('provider-key-0123456789');

function toRefused(innerErrorJson: string): AttemptFailure {
  const provider = { failureClass: 'caller', status: 400, retryAfterMs: null, message: 'no', type: null, param: null, code: null, innerErrorJson } as const;
  return { ...toFailure('caller', 400, 'error_answer'), provider };
}

function toInnerError(innerErrorJson: string): unknown {
  const body = JSON.parse(toErrorBody(toCallerError(toRefused(innerErrorJson), SECRET)).toString()) as { error: { innererror?: unknown } };
  return body.error.innererror;
}

describe("a provider's inner error", () => {
  it('is passed on as it is', () => {
    expect(toInnerError('{"content_filter_result":{"hate":{"filtered":true}}}')).toEqual({ content_filter_result: { hate: { filtered: true } } });
  });

  it('loses the key that it repeats', () => {
    expect(toInnerError('{"seen":"provider-key-0123456789"}')).toEqual({ seen: '[secret]' });
  });

  it.each(['{"token":5}', '{"password":"a\\"b"}'])('is left out when what takes the place of a secret leaves no JSON: %s', (json) => {
    expect(toInnerError(json)).toBeUndefined();
  });
});

describe('a 503', () => {
  it.each(['bad_key', 'throttled', 'quota_exhausted'] as const)('says when to come back after %s, though the provider did not', (failureClass) => {
    const { code, retryAfterMs } = toWeirError(toFailure(failureClass, 401, 'error_answer'));
    expect([code, retryAfterMs]).toEqual(['no_upstream_available', 30_000]);
  });
});
