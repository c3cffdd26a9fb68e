import { toEarlyDeaths, toRestartDelayMs } from './to-restart-delay-ms';

/** How long it is waited after each of these lives. */
function toDelays(livesMs: readonly number[]): number[] {
  let earlyDeaths = 0;
  return livesMs.map((livedMs) => {
    earlyDeaths = toEarlyDeaths(livedMs, earlyDeaths);
    return toRestartDelayMs(livedMs, earlyDeaths);
  });
}

describe('the wait before a worker is replaced', () => {
  it('is none after the first death, however early', () => {
    expect(toDelays([10])).toEqual([0]);
  });

  it('doubles while workers go on dying young, up to half a minute', () => {
    expect(toDelays(Array<number>(9).fill(10))).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('begins anew once one has lived for a minute', () => {
    expect(toDelays([10, 10, 10, 60_000, 10, 10])).toEqual([0, 1_000, 2_000, 0, 0, 1_000]);
  });
});
