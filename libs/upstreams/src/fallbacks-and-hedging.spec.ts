import { newId, type ModelId, type Operation } from '@weir/kernel';
import { openedKeys, PoolFixture, seededRandom, snapshot, target, upstream } from '../test/pool-fixture';
import { HEDGE_SAMPLES, HEDGE_WINDOW_MS, toHedgeDelayMs } from './hedging';
import { TargetLatency } from './target-latency';

describe('UpstreamPool.findFallbacks', () => {
  function models(named: Record<string, string[]>, operations: Record<string, Operation> = {}) {
    const only = upstream();
    const base = snapshot([only], openedKeys(only, 1));
    const made = Object.entries(named).map(([name, fallbacks]) => ({ ...base.models[0], id: newId<ModelId>(), name, fallbacks, operation: operations[name] ?? ('chat' as const) }));
    return new PoolFixture({ ...base, models: made });
  }

  const namesOf = (fixture: PoolFixture, name: string) => fixture.pool.findFallbacks(fixture.route(name)).map(({ model }) => model);

  it.each<[string, Record<string, string[]>, Record<string, Operation>, string[]]>([
    ['none', { a: [] }, {}, []],
    ['its own in their order', { a: ['c', 'b'], b: [], c: [] }, {}, ['c', 'b']],
    ['its own before theirs', { a: ['b', 'c'], b: ['d'], c: ['e'], d: [], e: [] }, {}, ['b', 'c', 'd', 'e']],
    ['each once, and never itself', { a: ['b', 'a', 'b'], b: ['a', 'c'], c: ['b', 'a'] }, {}, ['b', 'c']],
    ['at most three deep', { a: ['b'], b: ['c'], c: ['d'], d: ['e'], e: [] }, {}, ['b', 'c', 'd']],
    ['at most eight', { a: ['1', '2', '3', '4', '5', '6', '7', '8', '9'], ...Object.fromEntries([...'123456789'].map((name) => [name, []])) }, {}, [...'12345678']],
    ['only what is there and does the same work', { a: ['gone', 'b', 'c'], b: [], c: [] }, { b: 'embeddings' }, ['c']],
    ['what a wildcard serves, once', { a: ['vendor/x', 'vendor/y'], 'vendor/*': [] }, {}, ['vendor/x']],
  ])('gives %s', (_name, named, operations, expected) => {
    expect(namesOf(models(named, operations), 'a')).toEqual(expected);
  });

  it('gives the route that the name leads to, and makes no list for a route without', () => {
    const fixture = models({ a: ['b'], b: [], c: [] });
    expect(fixture.pool.findFallbacks(fixture.route('a'))[0].route).toBe(fixture.route('b'));
    expect(fixture.pool.findFallbacks(fixture.route('b'))).toBe(fixture.pool.findFallbacks(fixture.route('c')));
  });
});

describe('TargetLatency', () => {
  it('follows a change within seconds, and a single late call only a little', () => {
    const latency = new TargetLatency();
    for (let index = 0; index < 100; index += 1) latency.note(100, index * 100);
    latency.note(5_000, 10_000);
    expect(latency.averageMs).toBeLessThan(400);
    for (let index = 0; index < 100; index += 1) latency.note(1_000, 10_000 + index * 500);
    expect(latency.averageMs).toBeCloseTo(1_000, -2);
  });

  it.each([Number.NaN, -1])('takes no notice of %p', (latencyMs) => {
    const latency = new TargetLatency();
    latency.note(latencyMs, 0);
    expect([latency.averageMs, latency.percentile95Ms()]).toEqual([null, null]);
  });

  it('knows the 95th percentile of the latest', () => {
    const latency = new TargetLatency();
    for (let index = 1; index <= 100; index += 1) latency.note(index, index);
    expect(latency.percentile95Ms()).toBe(96);
    for (let index = 0; index < 200; index += 1) latency.note(7, 1_000 + index);
    expect([latency.percentile95Ms(), latency.samples]).toEqual([7, 128]);
  });
});

describe('hedging', () => {
  it.each<[Operation, number | null, number, number | null]>([
    ['embeddings', 200, 20, 200],
    ['rerank', 200, 128, 200],
    ['embeddings', 3, 20, 50],
    ['embeddings', 200, HEDGE_SAMPLES - 1, null],
    ['embeddings', null, 0, null],
    ['chat', 200, 128, null],
    ['images', 200, 128, null],
    ['speech', 200, 128, null],
  ])('of %s, with a 95th percentile of %p over %i calls: after %p', (operation, percentileMs, samples, expected) => {
    expect(toHedgeDelayMs(operation, percentileMs, samples)).toBe(expected);
  });

  function embedding(secondChanges: Parameters<typeof upstream>[0] = {}, operation: Operation = 'embeddings') {
    const [first, second] = [upstream({ name: 'first' }), upstream({ name: 'second', ...secondChanges })];
    const keys = [...openedKeys(first, 2), ...openedKeys(second, 1)];
    const fixture = new PoolFixture(snapshot([first, second], keys, [target(first), target(second, { priority: 1 })], { operation }), seededRandom(1));
    for (let index = 0; index < 40; index += 1) fixture.pool.noteFirstByte(fixture.call('success'), 200, fixture.nowMs);
    return fixture;
  }

  it('is offered after the percentile, at another upstream', () => {
    const fixture = embedding();
    const first = fixture.begin();
    for (let index = 0; index < 20; index += 1) expect(fixture.pool.hedge(fixture.route(), first, fixture.nowMs)).toEqual({ delayMs: 200 });
    expect(fixture.pool.pickHedge(fixture.route(), first, fixture.nowMs)?.target.upstream.name).toBe('second');
    expect(fixture.pool.hedgeCounts()).toEqual({ requests: 20, hedges: 1 });
  });

  it('is at most a twentieth of the calls of a minute', () => {
    const fixture = embedding();
    const first = fixture.begin();
    let hedges = 0;
    for (let index = 0; index < 1_000; index += 1) {
      fixture.pool.hedge(fixture.route(), first, fixture.nowMs);
      if (fixture.pool.pickHedge(fixture.route(), first, fixture.nowMs) !== null) hedges += 1;
    }
    expect(hedges).toBe(50);
    fixture.clock.move(HEDGE_WINDOW_MS);
    expect(fixture.pool.pickHedge(fixture.route(), first, fixture.nowMs)).toBeNull();
  });

  it.each<[string, (fixture: PoolFixture) => void, Parameters<typeof upstream>[0], Operation]>([
    ['chat', () => undefined, {}, 'chat'],
    ['an upstream that is switched off', () => undefined, { enabled: false }, 'embeddings'],
    ['an upstream that is drained', () => undefined, { weight: 0 }, 'embeddings'],
    ['an upstream that is full', (fixture) => void fixture.begin([fixture.candidate()]), { concurrency: 1 }, 'embeddings'],
  ])('is not offered for %s', (_name, act, changes, operation) => {
    const fixture = embedding(changes, operation);
    const first = fixture.begin();
    if (operation === 'embeddings' && changes?.concurrency === 1) {
      const other = fixture.pool.pickHedge(fixture.route(), first, fixture.nowMs);
      expect(other).toBeNull();
      for (let index = 0; index < 20; index += 1) fixture.pool.hedge(fixture.route(), first, fixture.nowMs);
      const hedge = fixture.pool.pickHedge(fixture.route(), first, fixture.nowMs);
      if (hedge === null) throw new Error('no hedge while there is room');
      fixture.pool.started(hedge);
    } else act(fixture);
    expect(fixture.pool.hedge(fixture.route(), first, fixture.nowMs)).toBeNull();
  });
});
