import { toBackupName, toExpired } from './to-expired';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 10, 21, 3, 17);
/** One a night, the newest of now. */
const names = Array.from({ length: 30 }, (_, days) => toBackupName(new Date(NOW_MS - days * DAY_MS)));
const kept = (keep: number | null, keepDays: number | null, from = names): number => from.length - toExpired(from, NOW_MS, { keep, keepDays }).length;

describe('the retention of backups', () => {
  it('names a backup by the second in which it was made', () => {
    expect(names[0]).toBe('weir-2026-11-21T031700Z.backup');
  });

  it('deletes nothing without a rule', () => {
    expect(kept(null, null)).toBe(30);
  });

  it('keeps so many of the newest, or what is not older than so many days', () => {
    expect(toExpired(names, NOW_MS, { keep: 7, keepDays: null })).toEqual(names.slice(7));
    expect(kept(null, 10)).toBe(11);
  });

  it('deletes with both rules only what neither keeps', () => {
    expect([kept(7, 10), kept(20, 10)]).toEqual([11, 20]);
  });

  it('never deletes the newest one, however old it is', () => {
    expect(toExpired(names.slice(20), NOW_MS, { keep: null, keepDays: 1 })).toEqual(names.slice(21));
  });

  it('leaves alone what is no backup', () => {
    const others = ['notes.txt', 'weir-2020-01-01T000000Z.backup.new', 'weir-last.backup', 'weir-2020-99-01T000000Z.backup'];
    expect(toExpired([...others, ...names], NOW_MS, { keep: 30, keepDays: null })).toEqual([]);
    expect(toExpired([...others, ...names], NOW_MS, { keep: 1, keepDays: null })).toEqual(names.slice(1));
  });
});
