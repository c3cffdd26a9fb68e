import { AgeGauge } from './age-gauge';

describe('AgeGauge', () => {
  it('says to the second how long the oldest row waits, and 0 when none does', () => {
    let nowMs = 0;
    const gauge = new AgeGauge({ monotonicMs: () => nowMs });
    expect(gauge.ageMs).toBe(0);
    for (let row = 1; row <= 100; row++, nowMs += 100) gauge.noteAppended(row);
    expect(gauge.ageMs).toBe(10_000);
    gauge.noteSettled(55);
    expect(gauge.ageMs).toBe(5_000);
    gauge.noteSettled(99);
    expect(gauge.ageMs).toBeLessThanOrEqual(1_100);
    gauge.noteSettled(100);
    nowMs += 60_000;
    expect(gauge.ageMs).toBe(0);
    gauge.noteAppended(101);
    nowMs += 50;
    expect(gauge.ageMs).toBe(50);
  });
});
