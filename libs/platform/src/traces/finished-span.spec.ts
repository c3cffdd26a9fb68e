import { resourceFromAttributes } from '@opentelemetry/resources';
import { FinishedSpan, toHrTime } from './finished-span';

describe('FinishedSpan', () => {
  it('never ends before it began: the clock may have been set in between', () => {
    const context = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 };
    const span = new FinishedSpan(context, undefined, resourceFromAttributes({}), { name: 'n', kind: 'client', startedAtMs: 2000.5, endedAtMs: 1000, attributes: {}, events: [], hasFailed: false });
    expect(span).toMatchObject({ startTime: [2, 500_000], endTime: [2, 500_000], duration: [0, 0] });
  });
});

describe('toHrTime', () => {
  it.each<[number, [number, number]]>([
    [0, [0, 0]],
    [1.5, [0, 1_500_000]],
    [1_763_600_000_123.25, [1_763_600_000, 123_250_000]],
    [1999.9999999, [2, 0]],
  ])('of %d ms is whole seconds and whole nanoseconds', (ms, time) => {
    expect(toHrTime(ms)).toEqual(time);
  });
});
