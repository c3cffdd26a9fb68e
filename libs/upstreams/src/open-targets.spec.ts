import { type Candidate } from './pool-contract';
import { openedKeys, PoolFixture, snapshot, target, upstream } from '../test/pool-fixture';

const ROUTE = 'gemini/*';
const HOUR_MS = 3_600_000;

function openPool(keyCount: number, { concurrency = null, upstreamModel = '*', name = ROUTE }: { concurrency?: number | null; upstreamModel?: string; name?: string } = {}) {
  const only = upstream({ concurrency });
  return new PoolFixture(snapshot([only], openedKeys(only, keyCount), [target(only, { upstreamModel })], { name }), () => 0);
}

function pick(fixture: PoolFixture, model: string, route = ROUTE): Candidate {
  const picked = fixture.pool.pick(fixture.route(route), [], fixture.nowMs, false, null, model);
  if ('refused' in picked) throw new Error(`refused: ${picked.reason}`);
  return picked;
}

const refusal = (fixture: PoolFixture, model: string, route = ROUTE) => fixture.pool.pick(fixture.route(route), [], fixture.nowMs, false, null, model);

function throttle(fixture: PoolFixture, model: string, upstreamModel: string, retryAfterMs = HOUR_MS, route = ROUTE): void {
  const candidate = pick(fixture, model, route);
  fixture.pool.started(candidate);
  fixture.pool.report(candidate, { kind: 'failure', failureClass: 'throttled', retryAfterMs, upstreamModel }, fixture.nowMs);
  fixture.pool.finished(candidate);
}

describe('a key behind a target that ends in *', () => {
  it('cools for the model that is throttled, and goes on for all others', () => {
    const fixture = openPool(1);
    throttle(fixture, 'gemini/used-up', 'used-up');
    expect(refusal(fixture, 'gemini/used-up')).toEqual({ refused: true, reason: 'throttled', retryAfterMs: HOUR_MS });
    expect(pick(fixture, 'gemini/other').target.upstreamModel).toBe('*');
    expect(fixture.pool.describe()[0].keys[0]).toMatchObject({ status: 'cooling', reason: 'throttled for used-up' });
  });

  it('cools by the name that the upstream knows, whatever the route calls it', () => {
    const fixture = openPool(1, { upstreamModel: 'models/*' });
    throttle(fixture, 'gemini/pro', 'models/pro');
    expect(refusal(fixture, 'gemini/pro')).toMatchObject({ reason: 'throttled' });
    expect(pick(fixture, 'gemini/flash')).toBeDefined();
  });

  it('sends the next call for the model to another key', () => {
    const fixture = openPool(2);
    const first = pick(fixture, 'gemini/pro').key;
    throttle(fixture, 'gemini/pro', 'pro');
    throttle(fixture, 'gemini/pro', 'pro', 60_000);
    expect(refusal(fixture, 'gemini/pro')).toEqual({ refused: true, reason: 'throttled', retryAfterMs: 60_000 });
    expect(fixture.pool.describe()[0].keys.map(({ id }) => id)).toContain(first.id);
  });

  it('remembers a bounded number of the names that callers invent, and those that cool longest', () => {
    const fixture = openPool(1);
    throttle(fixture, 'gemini/real', 'real');
    for (let index = 0; index < 500; index++) throttle(fixture, `gemini/invented-${index}`, `invented-${index}`, 1_000 + index);
    expect(refusal(fixture, 'gemini/real')).toMatchObject({ reason: 'throttled', retryAfterMs: HOUR_MS });
    const cooling = Array.from({ length: 500 }, (_, index) => refusal(fixture, `gemini/invented-${index}`)).filter((picked) => 'refused' in picked);
    expect(cooling).toHaveLength(63);
  });

  it.each(['a\u0000b', 'x'.repeat(129), 'say hello', ''])('does not remember what is no name of a model, and tells nobody of it: %j', (model) => {
    const fixture = openPool(1);
    throttle(fixture, `gemini/${model}`, model);
    expect(refusal(fixture, 'gemini/another odd one')).toMatchObject({ reason: 'throttled' });
    expect(pick(fixture, 'gemini/pro')).toBeDefined();
    expect(fixture.pool.describe()[0].keys[0].reason).toBe('throttled for *');
  });

  it('lets a call that waits for a place go to its model while another model cools', async () => {
    const fixture = openPool(1, { concurrency: 1 });
    const running = pick(fixture, 'gemini/busy');
    fixture.pool.started(running);
    const wait = (model: string, organizationId: string) => {
      const ticket = fixture.pool.waitForPlace(fixture.route(ROUTE), [], fixture.nowMs, { organizationId, model });
      if ('refused' in ticket) throw new Error(`refused: ${ticket.reason}`);
      return ticket;
    };
    const [cooling, free] = [wait('gemini/busy', 'one'), wait('gemini/free', 'two')];
    fixture.pool.report(running, { kind: 'failure', failureClass: 'throttled', retryAfterMs: HOUR_MS, upstreamModel: 'busy' }, fixture.nowMs);
    fixture.pool.finished(running);
    expect(await free.promise).toMatchObject({ target: { upstreamModel: '*' } });
    expect(await cooling.promise).toMatchObject({ reason: 'throttled' });
    fixture.pool.close();
  });
});

describe('a key behind a target with a name of its own', () => {
  it('cools for that, whatever callers ask for', () => {
    const fixture = openPool(1, { upstreamModel: 'fixed' });
    throttle(fixture, 'gemini/any', 'fixed');
    expect(refusal(fixture, 'gemini/another')).toMatchObject({ reason: 'throttled' });
  });

  it('is shared with routes that ask the same upstream for the same model', () => {
    const only = upstream();
    const contents = snapshot([only], openedKeys(only, 1), [target(only, { upstreamModel: '*' })], { name: ROUTE });
    const [open] = contents.models;
    const fixture = new PoolFixture({ ...contents, models: [open, { ...open, name: 'mine', targets: [target(only, { upstreamModel: 'pro' })] }] }, () => 0);
    throttle(fixture, 'mine', 'pro', HOUR_MS, 'mine');
    expect(refusal(fixture, 'gemini/pro')).toMatchObject({ reason: 'throttled' });
    expect(pick(fixture, 'gemini/flash')).toBeDefined();
  });
});
