import { CircuitBreaker, type FaultKind } from './circuit-breaker';
import { LET_THROUGH, NO_TICKET } from './probe-place';

const NO_JITTER = () => 0;

/** Plays calls on a breaker as the pool does, at a time that is moved by hand. */
class Play {
  nowMs = 1_000_000;
  readonly breaker: CircuitBreaker;

  constructor(random: () => number = NO_JITTER) {
    this.breaker = new CircuitBreaker(random);
  }

  get state() {
    return this.breaker.stateAt(this.nowMs);
  }

  ok(ticket = this.breaker.enter(this.nowMs)) {
    this.breaker.succeed(ticket, this.nowMs);
    return this;
  }

  bad(kind: FaultKind = 'answer', ticket = this.breaker.enter(this.nowMs)) {
    if (this.breaker.fail(kind, ticket, this.nowMs)) this.breaker.open(this.nowMs);
    return this;
  }

  times(count: number, act: () => void) {
    for (let index = 0; index < count; index += 1) act();
    return this;
  }

  wait(ms: number) {
    this.nowMs += ms;
    return this;
  }

  opened(kind: FaultKind = 'answer') {
    return this.times(5, () => this.bad(kind));
  }

  halfOpen(kind: FaultKind = 'answer') {
    return this.opened(kind).wait(30_000);
  }

  closedAgain() {
    return this.halfOpen().times(3, () => this.ok());
  }
}

describe('CircuitBreaker, closed', () => {
  it.each<[string, (play: Play) => void, 'closed' | 'open']>([
    ['4 faults in a row', (play) => play.times(4, () => play.bad()), 'closed'],
    ['5 faults in a row', (play) => play.times(5, () => play.bad()), 'open'],
    ['5 faults in a row, far apart', (play) => play.times(5, () => play.wait(3_600_000).bad()), 'open'],
    ['4 faults, a success, 4 faults', (play) => play.times(4, () => play.bad()).ok().times(4, () => play.bad()), 'closed'],
    ['4 faults, a sign of life, 1 fault', (play) => {
      play.times(4, () => play.bad());
      play.breaker.showLife(NO_TICKET, play.nowMs);
      play.bad();
    }, 'open'],
    ['half of 18 outcomes', (play) => play.times(9, () => play.ok().bad()), 'closed'],
    ['half of 20 outcomes in 30 s', (play) => play.times(10, () => play.ok().bad().wait(2_900)), 'open'],
    ['half of 20 outcomes over 40 s', (play) => play.times(10, () => play.ok().bad().wait(4_000)), 'closed'],
    ['less than half of 60 outcomes', (play) => play.times(20, () => play.ok().ok().bad()), 'closed'],
  ])('after %s', (_name, act, expected) => {
    const play = new Play();
    act(play);
    expect(play.state).toBe(expected);
  });

  it('stays closed when its owner does not open it, and asks again at the next failure', () => {
    const { breaker, nowMs } = new Play();
    const due = Array.from({ length: 7 }, () => breaker.fail('answer', NO_TICKET, nowMs));
    expect(due).toEqual([false, false, false, false, true, true, true]);
    expect(breaker.stateAt(nowMs)).toBe('closed');
  });
});

describe('CircuitBreaker, open', () => {
  it('admits nothing for 30 s, then one probe at a time', () => {
    const play = new Play().opened();
    expect([play.breaker.admits(play.nowMs), play.breaker.retryAfterMs(play.nowMs)]).toEqual([false, 30_000]);
    play.wait(29_999);
    expect([play.state, play.breaker.admits(play.nowMs)]).toEqual(['open', false]);
    play.wait(1);
    expect([play.state, play.breaker.admits(play.nowMs)]).toEqual(['half_open', true]);
    const ticket = play.breaker.enter(play.nowMs);
    expect(play.breaker.admits(play.nowMs)).toBe(false);
    expect(play.breaker.retryAfterMs(play.nowMs)).toBe(1_000);
    expect(play.breaker.enter(play.nowMs)).toBe(LET_THROUGH);
    play.ok(ticket);
    expect(play.breaker.admits(play.nowMs)).toBe(true);
  });

  it('takes no word from calls that began before it opened', () => {
    const play = new Play().opened();
    play.times(10, () => play.ok(NO_TICKET));
    play.times(10, () => play.bad('connection', NO_TICKET));
    expect([play.state, play.breaker.cause, play.breaker.retryAfterMs(play.nowMs)]).toEqual(['open', 'answer', 30_000]);
    play.wait(30_000).times(3, () => play.ok(NO_TICKET));
    expect(play.state).toBe('half_open');
  });

  it('waits 30 s × 2ⁿ, at most 300 s, when probe after probe fails', () => {
    const play = new Play().opened();
    const waits: number[] = [];
    for (let index = 0; index < 6; index += 1) {
      const waitMs = play.breaker.retryAfterMs(play.nowMs);
      waits.push(waitMs);
      play.wait(waitMs).bad();
    }
    expect(waits).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  });

  it.each([
    [0, 30_000],
    [0.5, 27_000],
    [0.999999, 24_000],
  ])('is shortened by jitter %p to %p ms', (random, expected) => {
    const play = new Play(() => random).opened();
    expect(play.breaker.retryAfterMs(play.nowMs)).toBeCloseTo(expected, -1);
  });

  it.each<[string, (play: Play) => void, FaultKind]>([
    ['5 bad answers', (play) => play.opened('answer'), 'answer'],
    ['5 failed connections', (play) => play.opened('connection'), 'connection'],
    ['4 failed connections and 1 bad answer', (play) => play.times(4, () => play.bad('connection')).bad('answer'), 'answer'],
    ['4 failed connections, a sign of life, another one', (play) => {
      play.times(4, () => play.bad('connection'));
      play.breaker.showLife(NO_TICKET, play.nowMs);
      play.bad('connection');
    }, 'answer'],
    ['every second connection failing', (play) => play.times(10, () => play.ok().bad('connection')), 'answer'],
  ])('says what it opened on: %s', (_name, act, cause) => {
    const play = new Play();
    act(play);
    expect([play.state, play.breaker.cause]).toEqual(['open', cause]);
    expect(play.breaker.letsLastThrough()).toBe(cause === 'answer');
  });

  it('no longer lets the last one through when the calls let through find nobody there', () => {
    const play = new Play().opened('answer').wait(10_000);
    play.times(4, () => play.bad('connection', LET_THROUGH));
    expect(play.breaker.letsLastThrough()).toBe(true);
    play.bad('connection', LET_THROUGH);
    expect(play.breaker.letsLastThrough()).toBe(false);
  });

  it('closes on three successes in a row of calls let through', () => {
    const play = new Play().opened('answer').ok(LET_THROUGH).ok(LET_THROUGH).bad('answer', LET_THROUGH);
    play.ok(LET_THROUGH).ok(LET_THROUGH);
    expect(play.state).toBe('open');
    expect(play.ok(LET_THROUGH).state).toBe('closed');
  });

  it('does not stay open for ever when the clock is set back', () => {
    const play = new Play().opened().wait(-86_400_000);
    expect(play.breaker.retryAfterMs(play.nowMs)).toBeLessThanOrEqual(300_000);
  });
});

describe('CircuitBreaker, half-open', () => {
  it('closes on the third success in a row', () => {
    const play = new Play().halfOpen().ok().ok();
    expect(play.state).toBe('half_open');
    expect(play.ok().state).toBe('closed');
  });

  it('opens longer when a probe fails, and keeps what it opened on', () => {
    const play = new Play().halfOpen('connection').ok().bad('connection');
    expect([play.state, play.breaker.cause, play.breaker.retryAfterMs(play.nowMs)]).toEqual(['open', 'connection', 60_000]);
    play.wait(60_000).bad('answer');
    expect([play.state, play.breaker.cause]).toEqual(['open', 'answer']);
  });

  it('frees the place of a probe that ends without a verdict', () => {
    const play = new Play().halfOpen();
    const ticket = play.breaker.enter(play.nowMs);
    play.breaker.probe.start(ticket);
    play.wait(600_000);
    expect(play.breaker.admits(play.nowMs)).toBe(false);
    play.breaker.release(ticket);
    expect(play.breaker.admits(play.nowMs)).toBe(true);
  });

  it('frees the place of a probe that was picked and never begun, and takes no late word from it', () => {
    const play = new Play().halfOpen();
    const dropped = play.breaker.enter(play.nowMs);
    play.wait(9_999);
    expect(play.breaker.admits(play.nowMs)).toBe(false);
    play.wait(1);
    const next = play.breaker.enter(play.nowMs);
    expect(next).toBeGreaterThan(dropped);
    play.breaker.release(dropped);
    expect(play.breaker.admits(play.nowMs)).toBe(false);
  });

  it.each<[FaultKind, 'closed' | 'half_open']>([
    ['connection', 'closed'],
    ['answer', 'half_open'],
  ])('opened on %s, three signs of life leave it %s', (kind, expected) => {
    const play = new Play().halfOpen(kind);
    play.times(3, () => play.breaker.showLife(play.breaker.enter(play.nowMs), play.nowMs));
    expect(play.state).toBe(expected);
    expect(play.breaker.admits(play.nowMs)).toBe(true);
  });
});

describe('CircuitBreaker, closed again', () => {
  it('grows its share of the weight over 30 s', () => {
    const play = new Play().closedAgain();
    const shares = [0, 15_000, 15_000, 60_000].map((ms) => play.wait(ms).breaker.rampAt(play.nowMs));
    expect(shares).toEqual([0.1, 0.55, 1, 1]);
  });

  it.each([
    ['soon after', 10_000, 60_000],
    ['after a healthy while', 300_000, 30_000],
  ])('that opens %s waits accordingly', (_name, healthyMs, expected) => {
    const play = new Play().closedAgain().wait(healthyMs).opened();
    expect(play.breaker.retryAfterMs(play.nowMs)).toBe(expected);
  });

  it('starts its counts anew', () => {
    const play = new Play().closedAgain();
    play.times(4, () => play.bad());
    expect(play.state).toBe('closed');
  });
});
