import { Watchdog, type Watched } from './watchdog';

class Call implements Watched {
  watchIndex = -1;
  ended = 0;
  constructor(
    public deadlineMs: number,
    private readonly then: () => void = () => undefined,
  ) {}
  onDeadline(): void {
    this.ended += 1;
    this.then();
  }
}

describe('Watchdog', () => {
  let nowMs = 0;
  let watchdog: Watchdog;
  beforeEach(() => {
    nowMs = 0;
    watchdog = new Watchdog(() => nowMs);
  });
  afterEach(() => watchdog.close());

  it('ends once what is due, and leaves the rest alone', () => {
    const [early, late, never] = [new Call(10), new Call(20), new Call(Infinity)];
    for (const call of [early, late, never]) watchdog.add(call);
    nowMs = 10;
    watchdog.look();
    watchdog.look();
    expect([early.ended, late.ended, never.ended]).toEqual([1, 0, 0]);
    nowMs = 1e9;
    watchdog.look();
    expect([early.ended, late.ended, never.ended]).toEqual([1, 1, 0]);
  });

  it('forgets what was removed, in whatever order, and bears removing and adding twice', () => {
    const calls = Array.from({ length: 50 }, () => new Call(1));
    for (const call of calls) watchdog.add(call);
    watchdog.add(calls[3]);
    for (const index of [0, 49, 7, 7, 25, 3]) watchdog.remove(calls[index]);
    expect(watchdog.size).toBe(45);
    nowMs = 1;
    watchdog.look();
    expect(calls.map(({ ended }, index) => (ended === 0 ? index : -1)).filter((index) => index !== -1)).toEqual([0, 3, 7, 25, 49]);
  });

  it('bears a deadline that removes others', () => {
    const other = new Call(1);
    const first = new Call(1, () => watchdog.remove(other));
    watchdog.add(first);
    watchdog.add(other);
    nowMs = 1;
    watchdog.look();
    expect(first.ended).toBe(1);
    expect(watchdog.size).toBe(1);
  });
});
