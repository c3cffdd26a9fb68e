import { WeirError } from '@weir/kernel';
import { parseIdempotencyKey } from './parse-idempotency-key';

function refusalOf(rawHeaders: string[]): WeirError {
  try {
    parseIdempotencyKey(rawHeaders);
  } catch (error) {
    if (error instanceof WeirError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('parseIdempotencyKey', () => {
  it.each(['a', '7f9c2ba4-e88f-11ea-adc1-0242ac120002', '!~', 'x'.repeat(255)])('takes %p', (value) => {
    expect(parseIdempotencyKey(['Host', 'h', 'IDEMPOTENCY-key', value])).toBe(value);
  });

  it.each(['', 'x'.repeat(256), 'two words', 'caf\u00e9', 'tab\there'])('refuses %p with 400 and names the header', (value) => {
    const refusal = refusalOf(['idempotency-key', value]);
    expect([refusal.status, refusal.param]).toEqual([400, 'Idempotency-Key']);
  });

  it('refuses several headers, also when they say the same', () => {
    const refusal = refusalOf(['Idempotency-Key', 'a', 'accept', '*/*', 'idempotency-key', 'a']);
    expect([refusal.status, refusal.param]).toEqual([400, 'Idempotency-Key']);
  });
});
