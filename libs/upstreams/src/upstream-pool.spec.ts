import { openedKeys, PoolFixture, seededRandom, snapshot, target, upstream } from '../test/pool-fixture';

function oneUpstream(keyCount: number, changes: Parameters<typeof upstream>[0] = {}) {
  const only = upstream(changes);
  return new PoolFixture(snapshot([only], openedKeys(only, keyCount)), () => 0);
}

function twoUpstreams() {
  const first = upstream({ name: 'first' });
  const second = upstream({ name: 'second' });
  const keys = [...openedKeys(first, 1), ...openedKeys(second, 1)];
  return new PoolFixture(snapshot([first, second], keys, [target(first), target(second, { priority: 1 })]), () => 0);
}

const breakerOf = (fixture: PoolFixture, index = 0) => fixture.pool.describe()[index].breaker;

describe('UpstreamPool, endpoints', () => {
  it('fails at once when nobody can be connected to, even at the last endpoint', () => {
    const fixture = oneUpstream(4);
    fixture.calls(5, 'endpoint');
    expect(fixture.refusal()).toEqual({ refused: true, reason: 'breaker_open', retryAfterMs: 30_000 });
    expect(breakerOf(fixture)).toEqual({ state: 'open', cause: 'connection', retryAfterMs: 30_000 });
    expect(fixture.statuses()).toEqual(['active', 'active', 'active', 'active']);
    expect(fixture.told).toEqual([]);
  });

  it('never cuts off the last endpoint for bad answers', () => {
    const fixture = oneUpstream(1);
    fixture.calls(50, 'fault');
    expect(breakerOf(fixture)).toMatchObject({ state: 'open', cause: 'answer' });
    expect(fixture.pick()).toHaveProperty('key');
    fixture.calls(3, 'success');
    expect(breakerOf(fixture).state).toBe('closed');
  });

  it('passes over an endpoint that opened on bad answers while there is another', () => {
    const fixture = twoUpstreams();
    fixture.calls(5, 'fault');
    expect(fixture.candidate().target.upstream.name).toBe('second');
    fixture.calls(5, 'fault');
    const names = new Set(Array.from({ length: 20 }, () => fixture.candidate().target.upstream.name));
    expect(names).toEqual(new Set(['first']));
  });

  it('comes back by one probe at a time and a ramp', () => {
    const fixture = twoUpstreams();
    fixture.calls(5, 'fault');
    fixture.clock.move(30_000);
    for (let probe = 0; probe < 3; probe += 1) {
      const candidate = fixture.begin();
      expect(candidate.target.upstream.name).toBe('first');
      expect(fixture.candidate().target.upstream.name).toBe('second');
      fixture.end(candidate, 'success');
    }
    expect(breakerOf(fixture)).toEqual({ state: 'closed', cause: null, retryAfterMs: 0 });
  });

  it('gives a share that grows to an endpoint that came back', () => {
    const first = upstream({ name: 'first' });
    const second = upstream({ name: 'second' });
    const keys = [...openedKeys(first, 1), ...openedKeys(second, 1)];
    const shareAfter = (rampMs: number) => {
      const fixture = new PoolFixture(snapshot([first, second], keys), seededRandom(3));
      const failing = fixture.begin();
      const name = failing.target.upstream.name;
      fixture.end(failing, 'endpoint');
      while (fixture.pool.describe().every(({ breaker }) => breaker.state === 'closed')) {
        const candidate = fixture.begin();
        fixture.end(candidate, candidate.target.upstream.name === name ? 'endpoint' : 'success');
      }
      fixture.clock.move(30_000);
      while (fixture.pool.describe().some(({ breaker }) => breaker.state !== 'closed')) fixture.call('success');
      fixture.clock.move(rampMs);
      const picks = Array.from({ length: 4_000 }, () => fixture.candidate().target.upstream.name);
      return picks.filter((picked) => picked === name).length / picks.length;
    };
    expect(shareAfter(0)).toBeCloseTo(0.1 / 1.1, 1);
    expect(shareAfter(15_000)).toBeCloseTo(0.55 / 1.55, 1);
    expect(shareAfter(30_000)).toBeCloseTo(0.5, 1);
  });

  it('counts a caller’s mistake and an abort for nobody', () => {
    const fixture = oneUpstream(2);
    fixture.calls(4, 'fault');
    fixture.calls(50, 'caller');
    fixture.calls(50, 'aborted');
    expect(breakerOf(fixture).state).toBe('closed');
    fixture.call('fault');
    expect(breakerOf(fixture).state).toBe('open');
    expect(fixture.statuses()).toEqual(['active', 'active']);
  });

  it.each(['aborted', 'caller', 'throttled'] as const)('frees the probe’s place when the probe ends as %s', (outcome) => {
    const fixture = twoUpstreams();
    fixture.calls(5, 'fault');
    fixture.clock.move(30_000);
    const probe = fixture.begin();
    fixture.clock.move(600_000);
    expect(fixture.candidate().target.upstream.name).toBe('second');
    fixture.end(probe, outcome, 1);
    fixture.clock.move(1_000);
    expect(fixture.candidate().target.upstream.name).toBe('first');
  });

  it('frees the probe’s place when the probe finishes without a report', () => {
    const fixture = twoUpstreams();
    fixture.calls(5, 'fault');
    fixture.clock.move(30_000);
    const probe = fixture.begin();
    fixture.pool.finished(probe);
    expect(fixture.candidate().target.upstream.name).toBe('first');
  });
});

describe('UpstreamPool, keys', () => {
  it('charges nobody for two revoked keys of three: every request succeeds at its third attempt at most', () => {
    const fixture = oneUpstream(3);
    const tried = [fixture.begin()];
    fixture.end(tried[0], 'bad_key');
    tried.push(fixture.begin(tried));
    fixture.end(tried[1], 'bad_key');
    fixture.end(fixture.begin(tried), 'success');
    fixture.calls(20, 'success');
    expect(fixture.statuses()).toEqual(['disabled', 'disabled', 'active']);
    expect(breakerOf(fixture).state).toBe('closed');
  });

  /** A key that fails among others that work. */
  function failOneKey(fixture: PoolFixture, label: string, calls: number) {
    for (let index = 0; index < calls; index += 1) {
      const candidate = fixture.begin();
      fixture.end(candidate, candidate.key.label === label ? 'fault' : 'success');
    }
  }

  it('ejects a key that fails, not its endpoint, and takes it back after three successes', () => {
    const fixture = oneUpstream(4);
    failOneKey(fixture, 'key 1', 20);
    expect(fixture.statuses()).toEqual(['active', 'ejected', 'active', 'active']);
    expect(breakerOf(fixture).state).toBe('closed');
    fixture.clock.move(30_000);
    fixture.calls(12, 'success');
    expect(fixture.statuses()).toEqual(['active', 'active', 'active', 'active']);
  });

  it('never ejects the last key', () => {
    const fixture = oneUpstream(1);
    fixture.calls(100, 'fault');
    expect(fixture.statuses()).toEqual(['active']);
  });

  it.each([
    [2, 1],
    [3, 1],
    [5, 2],
    [10, 5],
  ])('of %p keys that all fail, ejects %p at most', (count, ejected) => {
    const fixture = oneUpstream(count);
    fixture.calls(count * 50, 'fault');
    expect(fixture.statuses().filter((status) => status === 'ejected')).toHaveLength(ejected);
  });

  it('ejects no key while the others are parked, cooling or refused', () => {
    const fixture = oneUpstream(3);
    const [first, second] = [fixture.begin(), fixture.begin()];
    fixture.end(first, 'quota_exhausted');
    fixture.end(second, 'throttled', 3_600_000);
    fixture.calls(20, 'fault');
    expect(fixture.statuses()).toEqual(['exhausted', 'cooling', 'active']);
  });

  it('takes ejected keys back when refusals make the pool smaller', () => {
    const fixture = oneUpstream(4);
    for (let index = 0; index < 40; index += 1) {
      const candidate = fixture.begin();
      fixture.end(candidate, ['key 0', 'key 1'].includes(candidate.key.label) ? 'fault' : 'success');
    }
    expect(fixture.statuses()).toEqual(['ejected', 'ejected', 'active', 'active']);
    fixture.call('bad_key');
    expect(fixture.statuses().filter((status) => status === 'ejected')).toHaveLength(1);
    fixture.end(fixture.pool.pick(fixture.route(), [], fixture.nowMs) as never, 'bad_key');
    expect(fixture.pick()).toHaveProperty('key');
  });

  it('lets an ejected key through when the others were parked since, rather than none', () => {
    const fixture = oneUpstream(2);
    failOneKey(fixture, 'key 0', 12);
    expect(fixture.statuses()).toEqual(['ejected', 'active']);
    fixture.call('quota_exhausted');
    expect(fixture.candidate().key.label).toBe('key 0');
    fixture.calls(3, 'success');
    expect(fixture.statuses()).toEqual(['active', 'exhausted']);
  });

  it('tries a parked key again with one call when its time has come', () => {
    const fixture = oneUpstream(1);
    fixture.call('quota_exhausted', 60_000);
    fixture.clock.move(60_000);
    const probe = fixture.begin();
    expect(fixture.refusal()).toMatchObject({ reason: 'exhausted' });
    fixture.end(probe, 'success');
    expect([fixture.statuses(), fixture.pick()]).toEqual([['active'], expect.objectContaining({ key: probe.key })]);
  });

  it('describes what people need to see, and no secret', () => {
    const fixture = oneUpstream(3, { concurrency: 9 });
    fixture.call('bad_key');
    fixture.begin();
    const [described] = fixture.pool.describe();
    expect(described).toMatchObject({
      openCalls: 1,
      concurrency: 9,
      keyCounts: { active: 2, disabled: 1, cooling: 0, exhausted: 0, ejected: 0 },
    });
    expect(described.keys[0]).toMatchObject({ status: 'disabled', failureCount: 1, lastFailureAtMs: fixture.nowMs });
    expect(JSON.stringify(fixture.pool.describe())).not.toContain('secret of');
  });
});
