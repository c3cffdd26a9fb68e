import { MODEL, openedKey, openedKeys, PoolFixture, seededRandom, snapshot, target, upstream } from '../test/pool-fixture';
import { type Candidate } from './pool-contract';

function countPicks(fixture: PoolFixture, times: number, nameOf: (candidate: Candidate) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < times; index += 1) {
    const name = nameOf(fixture.call('success'));
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

const upstreamName = ({ target: { upstream: record } }: Candidate) => record.name;

describe('UpstreamPool.findRoute', () => {
  it('prefers the exact name, then the longest wildcard', () => {
    const only = upstream();
    const base = snapshot([only], openedKeys(only, 1)).models[0];
    const names = ['openai/*', 'openai/gpt-*', 'openai/gpt-5', 'zeta', '*'];
    const models = names.map((name) => ({ ...base, name }));
    const { pool } = new PoolFixture({ upstreams: [only], keys: openedKeys(only, 1), models });
    const found = ['openai/gpt-5', 'openai/gpt-6', 'openai/o9', 'openai/gpt-', 'zeta', 'other', ''].map((name) => pool.findRoute(name)?.name);
    expect(found).toEqual(['openai/gpt-5', 'openai/gpt-*', 'openai/*', 'openai/*', 'zeta', '*', undefined]);
    expect(pool.modelNames()).toEqual([...names].sort());
  });

  it('finds nothing where nothing matches, whatever the name', () => {
    const only = upstream();
    const { pool } = new PoolFixture(snapshot([only], openedKeys(only, 1)));
    for (const name of ['', '*', '__proto__', 'constructor', `${MODEL} `]) expect(pool.findRoute(name)).toBeNull();
  });
});

describe('selection', () => {
  it('takes the lowest priority number while it can, and the next when it cannot', () => {
    const first = upstream({ name: 'first' });
    const second = upstream({ name: 'second' });
    const keys = [...openedKeys(first, 1), ...openedKeys(second, 1)];
    const fixture = new PoolFixture(snapshot([first, second], keys, [target(second, { priority: 5 }), target(first, { priority: -1 })]));
    expect(countPicks(fixture, 50, upstreamName)).toEqual({ first: 50 });
    fixture.call('bad_key');
    expect(countPicks(fixture, 50, upstreamName)).toEqual({ second: 50 });
  });

  it('spreads calls by target weight × upstream weight', () => {
    const light = upstream({ name: 'light', weight: 50 });
    const heavy = upstream({ name: 'heavy', weight: 100 });
    const keys = [...openedKeys(light, 1), ...openedKeys(heavy, 1)];
    const fixture = new PoolFixture(snapshot([light, heavy], keys, [target(light, { weight: 20 }), target(heavy, { weight: 30 })]), seededRandom(7));
    const counts = countPicks(fixture, 8_000, upstreamName);
    expect(counts.light / 8_000).toBeCloseTo(0.25, 1);
  });

  it('gives every usable key the same load, whatever was passed over between them', () => {
    const only = upstream();
    const keys = openedKeys(only, 5);
    const fixture = new PoolFixture(snapshot([only], [...keys.slice(0, 2), { ...keys[2], enabled: false }, ...keys.slice(3)]));
    const counts = countPicks(fixture, 400, ({ key }) => key.label);
    expect(counts).toEqual({ 'key 0': 100, 'key 1': 100, 'key 3': 100, 'key 4': 100 });
  });

  it.each([
    ['its target', 100, 0],
    ['its upstream', 0, 100],
  ])('never calls what is drained by weight 0 of %s, even when it is all there is', (_name, weight, targetWeight) => {
    const only = upstream({ weight });
    const fixture = new PoolFixture(snapshot([only], openedKeys(only, 1), [target(only, { weight: targetWeight })]));
    expect(fixture.refusal()).toEqual({ refused: true, reason: 'disabled', retryAfterMs: null });
  });

  it('hands out the same candidate again and makes nothing new while all is well', () => {
    const only = upstream();
    const fixture = new PoolFixture(snapshot([only], openedKeys(only, 1)));
    expect(fixture.candidate()).toBe(fixture.candidate());
  });

  it('never picks again what was tried in this request, and then says that none is left', () => {
    const only = upstream();
    const fixture = new PoolFixture(snapshot([only], openedKeys(only, 3), [target(only), target(only, { upstreamModel: 'other', priority: 1 })]));
    const tried: Candidate[] = [];
    for (let index = 0; index < 3; index += 1) tried.push(fixture.begin(tried));
    expect(new Set(tried.map(({ key }) => key.id)).size).toBe(3);
    expect(fixture.refusal(tried)).toEqual({ refused: true, reason: 'none_left', retryAfterMs: null });
  });

  it('turns to another endpoint after a failure, before trying the failing one with another key', () => {
    const first = upstream({ name: 'first' });
    const second = upstream({ name: 'second' });
    const keys = [...openedKeys(first, 4), ...openedKeys(second, 1)];
    const fixture = new PoolFixture(snapshot([first, second], keys, [target(first), target(second, { priority: 1 })]));
    const tried = [fixture.begin()];
    fixture.end(tried[0], 'endpoint');
    tried.push(fixture.begin(tried));
    fixture.end(tried[1], 'endpoint');
    expect(tried.map(upstreamName)).toEqual(['first', 'second']);
    expect(upstreamName(fixture.candidate(tried))).toBe('first');
  });

  it('stays with the endpoint when only its key was refused', () => {
    const first = upstream({ name: 'first' });
    const second = upstream({ name: 'second' });
    const keys = [...openedKeys(first, 2), ...openedKeys(second, 1)];
    const fixture = new PoolFixture(snapshot([first, second], keys, [target(first), target(second, { priority: 1 })]));
    const tried = [fixture.begin()];
    fixture.end(tried[0], 'bad_key');
    expect(upstreamName(fixture.candidate(tried))).toBe('first');
  });

  it('reaches a good key within eight attempts when six of ten are refused', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const only = upstream();
      const fixture = new PoolFixture(snapshot([only], openedKeys(only, 10)), seededRandom(seed));
      const tried: Candidate[] = [];
      for (let attempt = 1; ; attempt += 1) {
        const candidate = fixture.begin(tried);
        tried.push(candidate);
        const isRevoked = Number(candidate.key.label.slice(4)) < 6;
        fixture.end(candidate, isRevoked ? 'bad_key' : 'success');
        if (!isRevoked) break;
        expect(fixture.pool.retryDelayMs('bad_key', attempt, fixture.nowMs)).toBe(0);
      }
    }
  });

  it('calls an upstream without keys only where its options say so', () => {
    const keyless = upstream({ address: { origin: 'http://gpu.example', basePath: '', options: { no_key: true } } });
    expect(new PoolFixture(snapshot([keyless], [])).candidate().key.id).toBeNull();
    expect(new PoolFixture(snapshot([upstream()], [])).refusal().reason).toBe('disabled');
  });

  it.each<[string, (fixture: PoolFixture) => void, { reason: string; retryAfterMs: number | null }]>([
    ['a throttled key', (fixture) => fixture.call('throttled', 20_000), { reason: 'throttled', retryAfterMs: 20_000 }],
    ['an exhausted key', (fixture) => fixture.call('quota_exhausted', 90_000), { reason: 'exhausted', retryAfterMs: 90_000 }],
    ['a refused key', (fixture) => fixture.call('bad_key'), { reason: 'disabled', retryAfterMs: null }],
    ['an endpoint that cannot be reached', (fixture) => fixture.calls(5, 'endpoint'), { reason: 'breaker_open', retryAfterMs: 30_000 }],
    ['a full endpoint', (fixture) => fixture.begin(), { reason: 'concurrency', retryAfterMs: 1_000 }],
  ])('says of %s why, and when to come again', (_name, act, expected) => {
    const only = upstream({ concurrency: 1 });
    const fixture = new PoolFixture(snapshot([only], openedKeys(only, 1)), () => 0);
    act(fixture);
    expect(fixture.refusal()).toEqual({ refused: true, ...expected });
  });

  it('names the time of keys that were throttled in this very request', () => {
    const only = upstream();
    const fixture = new PoolFixture(snapshot([only], openedKeys(only, 2)), () => 0);
    const tried: Candidate[] = [];
    for (const retryAfterMs of [30_000, 700]) {
      const candidate = fixture.begin(tried);
      fixture.end(candidate, 'throttled', retryAfterMs);
      tried.push(candidate);
    }
    expect(fixture.refusal(tried)).toEqual({ refused: true, reason: 'throttled', retryAfterMs: 700 });
  });

  it('names the soonest of several times', () => {
    const first = upstream();
    const second = upstream();
    const fixture = new PoolFixture(snapshot([first, second], [...openedKeys(first, 2), ...openedKeys(second, 1)]));
    for (const waitMs of [70_000, 40_000, 90_000]) fixture.call('throttled', waitMs);
    expect(fixture.refusal()).toEqual({ refused: true, reason: 'throttled', retryAfterMs: 40_000 });
  });

  it('takes calls again when an open one has finished', () => {
    const only = upstream({ concurrency: 2 });
    const fixture = new PoolFixture(snapshot([only], openedKeys(only, 1)));
    const open = [fixture.begin(), fixture.begin()];
    expect(fixture.refusal().reason).toBe('concurrency');
    fixture.end(open[0], 'aborted');
    expect(fixture.candidate().key).toBe(open[0].key);
  });

  it('cools a key for the one model that was throttled', () => {
    const only = upstream();
    const base = snapshot([only], []).models[0];
    const models = ['a', 'b'].map((name) => ({ ...base, name, targets: [target(only, { upstreamModel: name })] }));
    const fixture = new PoolFixture({ upstreams: [only], keys: [openedKey(only)], models });
    const throttled = fixture.pool.pick(fixture.route('a'), [], fixture.nowMs);
    if ('refused' in throttled) throw new Error('refused');
    fixture.end(throttled, 'throttled', 60_000);
    expect(fixture.pool.pick(fixture.route('a'), [], fixture.nowMs)).toMatchObject({ reason: 'throttled' });
    expect(fixture.pool.pick(fixture.route('b'), [], fixture.nowMs)).toHaveProperty('key');
  });
});
