import { EventWindow } from './event-window';

describe('EventWindow', () => {
  it('forgets what is older than the window, bucket by bucket', () => {
    const window = new EventWindow(10_000, 10);
    for (let second = 0; second < 10; second += 1) window.add(second % 2 === 0, second * 1_000);
    expect([window.total(9_999), window.bad(9_999)]).toEqual([10, 5]);
    expect([window.total(10_000), window.bad(10_000)]).toEqual([9, 4]);
    expect([window.total(14_500), window.bad(14_500)]).toEqual([5, 2]);
    expect([window.total(60_000), window.bad(60_000)]).toEqual([0, 0]);
  });

  it('agrees with a list of events, whatever their times', () => {
    const window = new EventWindow(10_000, 10);
    const times: number[] = [];
    let nowMs = 5_000_000;
    for (let index = 1; index < 5_000; index += 1) {
      nowMs += (index * 7_919) % 1_700;
      window.add(false, nowMs);
      times.push(nowMs);
      const oldest = (Math.floor(nowMs / 1_000) - 9) * 1_000;
      expect(window.total(nowMs)).toBe(times.filter((time) => time >= oldest).length);
    }
  });

  it('survives a clock that is set back', () => {
    const window = new EventWindow(10_000, 10);
    window.add(true, 1_000_000);
    window.add(true, 999_000);
    expect(window.total(999_000)).toBe(2);
    window.add(true, 5_000);
    expect(window.total(5_000)).toBe(1);
  });
});
