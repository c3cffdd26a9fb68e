import { DAY_MS, HOUR_MS, toUsageSpans, type UsageSource } from './usage-spans';

const NOON = Date.UTC(2026, 10, 20, 12);
const MIDNIGHT = Date.UTC(2026, 10, 20);

describe('toUsageSpans', () => {
  it.each<[string, number, number, UsageSource | undefined, [UsageSource, number, number][]]>([
    ['a whole day', MIDNIGHT, MIDNIGHT + DAY_MS, undefined, [['daily', MIDNIGHT, MIDNIGHT + DAY_MS]]],
    ['everything', -Infinity, Infinity, undefined, [['daily', -Infinity, Infinity]]],
    ['hours', NOON, NOON + 2 * HOUR_MS, undefined, [['hourly', NOON, NOON + 2 * HOUR_MS]]],
    ['less than an hour', NOON + 1, NOON + 2, undefined, [['rows', NOON + 1, NOON + 2]]],
    ['two parts of hours', NOON - 1, NOON + 1, undefined, [['rows', NOON - 1, NOON + 1]]],
    ['nothing', NOON, NOON, undefined, []],
    ['less than nothing', NOON, NOON - 1, undefined, []],
    [
      'days and what is around them',
      NOON - 1,
      NOON + 2 * DAY_MS + 1,
      undefined,
      [
        ['rows', NOON - 1, NOON],
        ['hourly', NOON, MIDNIGHT + DAY_MS],
        ['daily', MIDNIGHT + DAY_MS, MIDNIGHT + 2 * DAY_MS],
        ['hourly', MIDNIGHT + 2 * DAY_MS, NOON + 2 * DAY_MS],
        ['rows', NOON + 2 * DAY_MS, NOON + 2 * DAY_MS + 1],
      ],
    ],
    ['days when hours are asked for', MIDNIGHT, MIDNIGHT + DAY_MS, 'hourly', [['hourly', MIDNIGHT, MIDNIGHT + DAY_MS]]],
    ['hours when minutes are asked for', MIDNIGHT, MIDNIGHT + DAY_MS, 'rows', [['rows', MIDNIGHT, MIDNIGHT + DAY_MS]]],
    ['time before 1970', -HOUR_MS - 1, 0, undefined, [['rows', -HOUR_MS - 1, -HOUR_MS], ['hourly', -HOUR_MS, 0]]],
  ])('reads %s where it is cheapest', (_what, fromMs, toMs, coarsest, expected) => {
    expect(toUsageSpans(fromMs, toMs, coarsest).map((span) => [span.source, span.fromMs, span.toMs])).toEqual(expected);
  });

  it('leaves no gap and reads nothing twice, whatever the range', () => {
    for (let seed = 1; seed < 2_000; seed++) {
      const fromMs = NOON + ((seed * 7_919_993) % (5 * DAY_MS));
      const toMs = fromMs + ((seed * 104_729_003) % (4 * DAY_MS)) + 1;
      const spans = toUsageSpans(fromMs, toMs);
      expect(spans[0].fromMs).toBe(fromMs);
      expect(spans.at(-1)?.toMs).toBe(toMs);
      for (let index = 1; index < spans.length; index++) expect(spans[index].fromMs).toBe(spans[index - 1].toMs);
    }
  });
});
