import { openedKeys, PoolFixture, seededRandom, snapshot, target, upstream } from '../test/pool-fixture';
import { type Candidate } from './pool-contract';
import { type ModelInput, type TargetInput, type UpstreamInput } from './pool-snapshot';
import { type Strategy } from './strategy';
import { EXPLORE_MS } from './target-latency';

interface Place {
  name: string;
  weight?: number;
  upstreamWeight?: number;
  priority?: number;
  concurrency?: number;
}

function routed(strategy: Strategy, places: Place[], changes: Partial<ModelInput> = {}, joints: ConstructorParameters<typeof PoolFixture>[2] = {}) {
  const upstreams: UpstreamInput[] = places.map(({ name, concurrency = null, upstreamWeight = 100 }) => upstream({ name, concurrency, weight: upstreamWeight }));
  const targets: TargetInput[] = upstreams.map((to, index) => target(to, { weight: places[index].weight ?? 100, priority: places[index].priority ?? 0 }));
  const keys = upstreams.flatMap((to) => openedKeys(to, 1));
  return new PoolFixture(snapshot(upstreams, keys, targets, { strategy, ...changes }), seededRandom(11), joints);
}

const nameOf = ({ target: { upstream: record } }: Candidate) => record.name;

/** Begins a call at a place, whatever the strategy would rather call. */
function beginAt(fixture: PoolFixture, name: string): Candidate {
  const others: Candidate[] = [];
  for (;;) {
    const candidate = fixture.candidate(others);
    if (nameOf(candidate) === name) {
      fixture.pool.started(candidate);
      return candidate;
    }
    others.push(candidate);
  }
}

function countNames(fixture: PoolFixture, times: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < times; index += 1) {
    const name = nameOf(fixture.call('success'));
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe.each<Strategy>(['weighted', 'least-busy', 'lowest-latency', 'lowest-cost', 'priority'])('under %s', (strategy) => {
  it('the lowest priority number comes first', () => {
    const fixture = routed(strategy, [{ name: 'second', priority: 2, weight: 1_000 }, { name: 'first', priority: 1 }]);
    expect(countNames(fixture, 20)).toEqual({ first: 20 });
    fixture.call('bad_key');
    expect(countNames(fixture, 20)).toEqual({ second: 20 });
  });

  it('weight 0 is never called, what is full or refused is passed over, and nothing is tried twice', () => {
    const fixture = routed(strategy, [{ name: 'drained', weight: 0 }, { name: 'full', concurrency: 1 }, { name: 'one' }, { name: 'two' }]);
    beginAt(fixture, strategy === 'priority' || strategy === 'least-busy' ? nameOf(fixture.candidate()) : 'full');
    const tried: Candidate[] = [];
    for (;;) {
      const picked = fixture.pick(tried);
      if ('refused' in picked) break;
      tried.push(picked);
    }
    expect(tried.map(nameOf)).not.toContain('drained');
    expect(new Set(tried.map(nameOf)).size).toBe(tried.length);
    expect(tried.length).toBeGreaterThanOrEqual(2);
  });

  it('makes nothing new while all is well', () => {
    const fixture = routed(strategy, [{ name: 'one' }, { name: 'two' }]);
    const seen = new Set(Array.from({ length: 50 }, () => fixture.candidate()));
    expect(seen.size).toBeLessThanOrEqual(2);
  });
});

describe('least-busy', () => {
  it.each<[string, Place[], Record<string, number>]>([
    ['alike without weights', [{ name: 'a' }, { name: 'b' }], { a: 6, b: 6 }],
    ['by weight', [{ name: 'a', weight: 100 }, { name: 'b', weight: 200 }], { a: 4, b: 8 }],
    ['by upstream weight', [{ name: 'a', upstreamWeight: 300 }, { name: 'b', upstreamWeight: 100 }], { a: 9, b: 3 }],
    ['by places', [{ name: 'a', concurrency: 30 }, { name: 'b', concurrency: 10 }], { a: 9, b: 3 }],
    ['by weight where one has no limit', [{ name: 'a', concurrency: 30 }, { name: 'b' }], { a: 6, b: 6 }],
  ])('spreads open calls %s', (_name, places, expected) => {
    const fixture = routed('least-busy', places);
    const counts: Record<string, number> = {};
    for (let index = 0; index < 12; index += 1) {
      const name = nameOf(fixture.begin());
      counts[name] = (counts[name] ?? 0) + 1;
    }
    expect(counts).toEqual(expected);
  });

  it('takes each of equal ones in its turn of luck', () => {
    const counts = countNames(routed('least-busy', [{ name: 'a' }, { name: 'b' }, { name: 'c' }]), 3_000);
    for (const name of ['a', 'b', 'c']) expect(counts[name] / 3_000).toBeCloseTo(1 / 3, 1);
  });
});

describe('lowest-latency', () => {
  function teach(fixture: PoolFixture, latencies: Record<string, number>): void {
    for (const [name, latencyMs] of Object.entries(latencies)) {
      const candidate = beginAt(fixture, name);
      fixture.pool.noteFirstByte(candidate, latencyMs, fixture.nowMs);
      fixture.end(candidate, 'success');
    }
  }

  it('calls the faster of two', () => {
    const fixture = routed('lowest-latency', [{ name: 'slow' }, { name: 'fast' }]);
    teach(fixture, { slow: 900, fast: 100 });
    expect(countNames(fixture, 50)).toEqual({ fast: 50 });
  });

  it('calls the slowest of three never, and the others both', () => {
    const fixture = routed('lowest-latency', [{ name: 'slow' }, { name: 'fast' }, { name: 'middle' }]);
    teach(fixture, { slow: 900, fast: 100, middle: 300 });
    const counts = countNames(fixture, 3_000);
    expect([counts.slow, counts.fast / 3_000]).toEqual([undefined, expect.closeTo(2 / 3, 1)]);
  });

  it('explores what it does not know, one call at a time', () => {
    const fixture = routed('lowest-latency', [{ name: 'known' }, { name: 'new' }]);
    fixture.clock.move(EXPLORE_MS);
    const known = beginAt(fixture, 'known');
    fixture.pool.noteFirstByte(known, 50, fixture.nowMs);
    fixture.clock.move(EXPLORE_MS);
    expect(nameOf(fixture.candidate())).toBe('new');
    expect(new Set(Array.from({ length: 20 }, () => nameOf(fixture.candidate())))).toEqual(new Set(['known']));
    fixture.clock.move(EXPLORE_MS);
    expect(nameOf(fixture.candidate())).toBe('new');
  });

  it('tries a slow one again when it has not been called for a while, with one call', () => {
    const fixture = routed('lowest-latency', [{ name: 'slow' }, { name: 'fast' }]);
    teach(fixture, { slow: 400, fast: 100 });
    let picks = 0;
    while (picks < 10_000) {
      fixture.clock.move(1_000);
      picks += 1;
      const candidate = fixture.begin();
      if (nameOf(candidate) === 'slow') break;
      fixture.pool.noteFirstByte(candidate, 100, fixture.nowMs);
      fixture.end(candidate, 'success');
    }
    // 400 ms are worth 100 after two half-lives of a minute.
    expect(picks).toBeCloseTo(121, -1);
    expect(countNames(fixture, 20)).toEqual({ fast: 20 });
  });

  it('takes no failure for a fast answer', () => {
    const fixture = routed('lowest-latency', [{ name: 'failing' }, { name: 'working' }]);
    teach(fixture, { failing: 10, working: 200 });
    fixture.end(beginAt(fixture, 'failing'), 'fault');
    expect(countNames(fixture, 20)).toEqual({ working: 20 });
  });

  it('lets an endpoint come back whose breaker asks for a trial, though it was slow', () => {
    const fixture = routed('lowest-latency', [{ name: 'back' }, { name: 'fast' }]);
    teach(fixture, { back: 100, fast: 100 });
    for (let index = 0; index < 5; index += 1) fixture.end(beginAt(fixture, 'back'), 'fault');
    expect(countNames(fixture, 20)).toEqual({ fast: 20 });
    fixture.clock.move(30_000);
    expect(countNames(fixture, 3)).toEqual({ back: 3 });
  });

  it('keeps what it knows over a snapshot', () => {
    const places = [upstream({ name: 'slow' }), upstream({ name: 'fast' })];
    const contents = snapshot(places, places.flatMap((to) => openedKeys(to, 1)), undefined, { strategy: 'lowest-latency' });
    const fixture = new PoolFixture(contents, seededRandom(5));
    teach(fixture, { slow: 900, fast: 100 });
    fixture.pool.apply(contents);
    expect(countNames(fixture, 50)).toEqual({ fast: 50 });
  });
});

describe('lowest-cost', () => {
  const priced = (prices: Record<string, number | null>, places: Place[] = Object.keys(prices).map((name) => ({ name }))) =>
    routed('lowest-cost', places, {}, { priceOf: (_route, { upstream: { name } }) => prices[name] });

  it('calls the cheapest, the next when that fails, and what has no price last', () => {
    const fixture = priced({ unpriced: null, dear: 9, cheap: 2, free: 0 });
    const order: string[] = [];
    for (let index = 0; index < 4; index += 1) order.push(nameOf(fixture.call('bad_key')));
    expect(order).toEqual(['free', 'cheap', 'dear', 'unpriced']);
  });

  it('spreads over equals by weight', () => {
    const counts = countNames(priced({ a: 2, b: 2, c: 7 }, [{ name: 'a', weight: 300 }, { name: 'b', weight: 100 }, { name: 'c', weight: 900 }]), 4_000);
    expect([counts.a / 4_000, counts.c]).toEqual([expect.closeTo(0.75, 1), undefined]);
  });

  it('sees within a minute that a price has changed, and at once what is joined with a snapshot', () => {
    const prices: Record<string, number> = { a: 1, b: 2 };
    const fixture = priced(prices);
    expect(nameOf(fixture.candidate())).toBe('a');
    prices.a = 3;
    expect(nameOf(fixture.candidate())).toBe('a');
    fixture.clock.move(60_000);
    expect(nameOf(fixture.candidate())).toBe('b');
  });
});

describe('priority', () => {
  it('calls the first that can, in the order that is written', () => {
    const fixture = routed('priority', [{ name: 'a', weight: 1 }, { name: 'b', weight: 1_000 }, { name: 'c', priority: -1, concurrency: 1 }]);
    expect(nameOf(fixture.begin())).toBe('c');
    expect(countNames(fixture, 20)).toEqual({ a: 20 });
    fixture.call('bad_key');
    expect(countNames(fixture, 20)).toEqual({ b: 20 });
  });

  it('gives an endpoint that came back its share step by step', () => {
    const fixture = routed('priority', [{ name: 'a' }, { name: 'b' }]);
    for (let index = 0; index < 5; index += 1) fixture.call('endpoint');
    fixture.clock.move(30_000);
    fixture.calls(3, 'success');
    const counts = countNames(fixture, 1_000);
    expect(counts.a / 1_000).toBeCloseTo(0.1, 1);
    fixture.clock.move(30_000);
    expect(countNames(fixture, 100)).toEqual({ a: 100 });
  });
});

describe('affinity', () => {
  function sessions(fixture: PoolFixture, count: number): Map<number, string> {
    const places = new Map<number, string>();
    for (let index = 0; index < count; index += 1) {
      const session = Math.imul(index + 1, 0x9e3779b1) >>> 0;
      const candidate = fixture.pool.pick(fixture.route(), [], fixture.nowMs, false, session);
      if ('refused' in candidate) throw new Error('refused');
      places.set(session, `${nameOf(candidate)} ${candidate.key.label}`);
    }
    return places;
  }

  function withKeys(keysEach: number, names: string[], changes: Partial<ModelInput> = { affinity: 'session' }) {
    const upstreams = names.map((name) => upstream({ name, id: `018f0000-0000-7000-8000-0000000000${name}` as UpstreamInput['id'] }));
    const keys = upstreams.flatMap((to) => openedKeys(to, keysEach));
    return { contents: snapshot(upstreams, keys, undefined, changes), keys };
  }

  it('brings a session to the same target and key, whatever came between', () => {
    const { contents } = withKeys(3, ['aa', 'bb']);
    const fixture = new PoolFixture(contents, seededRandom(1));
    expect(sessions(fixture, 300)).toEqual(sessions(fixture, 300));
    expect(new Set(sessions(fixture, 300).values()).size).toBe(6);
  });

  it('does nothing where the route does not want it', () => {
    const { contents } = withKeys(3, ['aa', 'bb'], { affinity: 'none' });
    const fixture = new PoolFixture(contents, seededRandom(1));
    expect(sessions(fixture, 300)).not.toEqual(sessions(fixture, 300));
  });

  it('gives sessions in proportion to weight', () => {
    const fixture = routed('weighted', [{ name: 'a', weight: 300 }, { name: 'b', weight: 100 }], { affinity: 'session' });
    const all = [...sessions(fixture, 4_000).values()];
    expect(all.filter((name) => name.startsWith('a')).length / all.length).toBeCloseTo(0.75, 1);
  });

  it('moves only the sessions of what went away, and takes them back', () => {
    const { contents } = withKeys(1, ['aa', 'bb', 'cc']);
    const fixture = new PoolFixture(contents, seededRandom(1));
    const before = sessions(fixture, 600);
    fixture.pool.apply({ ...contents, upstreams: contents.upstreams.map((row) => (row.name === 'cc' ? { ...row, enabled: false } : row)) });
    const without = sessions(fixture, 600);
    for (const [session, place] of before) {
      if (!place.startsWith('cc')) expect(without.get(session)).toBe(place);
      else expect(without.get(session)).not.toMatch(/^cc/);
    }
    fixture.pool.apply(contents);
    expect(sessions(fixture, 600)).toEqual(before);
  });

  it('leaves a target while it has more than 1.25 times its share of the open calls', () => {
    const { contents } = withKeys(1, ['aa', 'bb']);
    const fixture = new PoolFixture(contents, seededRandom(1));
    const session = 12_345;
    const names: Record<string, number> = {};
    for (let index = 0; index < 40; index += 1) {
      const candidate = fixture.pool.pick(fixture.route(), [], fixture.nowMs, false, session);
      if ('refused' in candidate) throw new Error('refused');
      fixture.pool.started(candidate);
      names[nameOf(candidate)] = (names[nameOf(candidate)] ?? 0) + 1;
    }
    expect(Object.values(names).sort()).toEqual([15, 25]);
  });

  it('leaves a key while it is overloaded among its upstream’s keys', () => {
    const { contents } = withKeys(4, ['aa']);
    const fixture = new PoolFixture(contents, seededRandom(1));
    const labels: Record<string, number> = {};
    for (let index = 0; index < 40; index += 1) {
      const candidate = fixture.pool.pick(fixture.route(), [], fixture.nowMs, false, 99);
      if ('refused' in candidate) throw new Error('refused');
      fixture.pool.started(candidate);
      labels[candidate.key.label] = (labels[candidate.key.label] ?? 0) + 1;
    }
    expect(Math.max(...Object.values(labels))).toBeLessThanOrEqual(13);
    expect(Object.keys(labels)).toHaveLength(4);
  });

  it('goes on to the session’s next key when the first was tried, throttled or refused', () => {
    const { contents } = withKeys(3, ['aa']);
    const fixture = new PoolFixture(contents, seededRandom(1));
    const pick = (tried: Candidate[]) => fixture.pool.pick(fixture.route(), tried, fixture.nowMs, false, 7);
    const first = pick([]);
    if ('refused' in first) throw new Error('refused');
    const second = pick([first]);
    fixture.pool.started(first);
    fixture.end(first, 'throttled', 5_000);
    expect(pick([])).toBe(second);
    fixture.clock.move(5_000);
    expect(pick([])).toBe(first);
  });

  it('chooses only the key where the order of targets is strict', () => {
    const fixture = routed('priority', [{ name: 'a' }, { name: 'b' }], { affinity: 'session' });
    expect(new Set(sessions(fixture, 100).values())).toEqual(new Set(['a key 0']));
  });

  it('lets an ejected key come back by its own sessions', () => {
    const { contents } = withKeys(3, ['aa']);
    const fixture = new PoolFixture(contents, seededRandom(1));
    const play = (rounds: number, outcomeOf: (label: string) => 'fault' | 'success') => {
      for (let index = 0; index < rounds; index += 1) {
        const candidate = fixture.pool.pick(fixture.route(), [], fixture.nowMs, false, Math.imul(index, 0x9e3779b1) >>> 0);
        if ('refused' in candidate) continue;
        fixture.pool.started(candidate);
        fixture.end(candidate, outcomeOf(candidate.key.label));
      }
    };
    play(100, (label) => (label === 'key 1' ? 'fault' : 'success'));
    expect(fixture.statuses()).toEqual(['active', 'ejected', 'active']);
    fixture.clock.move(30_000);
    play(100, () => 'success');
    expect(fixture.statuses()).toEqual(['active', 'active', 'active']);
  });
});
