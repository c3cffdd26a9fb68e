import { TurnGather } from './turn-gather';

describe('TurnGather', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  let runs = 0;
  let gather: TurnGather;
  beforeEach(() => {
    runs = 0;
    gather = new TurnGather(() => (runs += 1));
  });

  it('runs once for all that came in one turn, when the next one brings nothing', async () => {
    gather.note();
    gather.note();
    expect(runs).toBe(0);
    await turn();
    expect(runs).toBe(0);
    await turn();
    expect(runs).toBe(1);
    for (let more = 0; more < 5; more++) await turn();
    expect(runs).toBe(1);
  });

  it('waits for a turn that brings more, but not for a fifth', async () => {
    let turns = 0;
    while (runs === 0) {
      gather.note();
      turns += 1;
      await turn();
    }
    expect(turns).toBe(4);
  });

  it('begins anew with what comes while it runs', async () => {
    const seen: number[] = [];
    let left = 3;
    gather = new TurnGather(() => {
      seen.push(left);
      if (--left > 0) gather.note();
    });
    gather.note();
    for (let more = 0; more < 10; more++) await turn();
    expect(seen).toEqual([3, 2, 1]);
  });
});
