import { MODEL, openedKey, openedKeys, PoolFixture, seededRandom, snapshot, target, upstream } from '../test/pool-fixture';
import { peek, QueueSimulation, settleMicrotasks } from '../test/queue-simulation';
import { type Candidate, type PoolRefusal, type QueueTicket } from './pool-contract';
import { UNTAKEN_PLACE_MS } from './place-queue';

function fullFixture(concurrency: number, options: Record<string, unknown> = {}, joints: ConstructorParameters<typeof PoolFixture>[2] = {}) {
  const only = upstream({ concurrency });
  const configured = { ...only, address: { ...only.address, options } };
  return new PoolFixture(snapshot([configured], openedKeys(configured, 1)), seededRandom(1), joints);
}

function join(fixture: PoolFixture, organizationId: string, tried: readonly Candidate[] = []): QueueTicket | PoolRefusal {
  return fixture.pool.waitForPlace(fixture.route(), tried, fixture.nowMs, { organizationId });
}

function wait(fixture: PoolFixture, organizationId: string): QueueTicket {
  const ticket = join(fixture, organizationId);
  if ('refused' in ticket) throw new Error(`refused: ${ticket.reason}`);
  return ticket;
}

async function won(ticket: QueueTicket): Promise<Candidate> {
  const result = await peek(ticket);
  if (result === null || 'refused' in result) throw new Error('nothing was won');
  return result;
}

const held = (fixture: PoolFixture, index = 0) => {
  const { openCalls, queue } = fixture.pool.describe()[index];
  return { openCalls, ...queue };
};

describe('the queue of a full upstream', () => {
  it('gives a freed place at once to who waits, and to nobody who comes in between', async () => {
    const fixture = fullFixture(1);
    const open = fixture.begin();
    const ticket = wait(fixture, 'a');
    expect([ticket.position, await peek(ticket)]).toEqual([1, null]);
    fixture.end(open, 'success');
    expect(fixture.refusal().reason).toBe('concurrency');
    const candidate = await won(ticket);
    fixture.pool.started(candidate);
    expect(held(fixture)).toEqual({ openCalls: 1, waiting: 0, reserved: 0 });
    fixture.end(candidate, 'success');
    expect(held(fixture)).toEqual({ openCalls: 0, waiting: 0, reserved: 0 });
  });

  it('serves one organization first come, first served', async () => {
    const fixture = fullFixture(1);
    let open = fixture.begin();
    const tickets = Array.from({ length: 5 }, () => wait(fixture, 'a'));
    expect(tickets.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5]);
    for (const [index, ticket] of tickets.entries()) {
      fixture.end(open, 'success');
      open = await won(ticket);
      fixture.pool.started(open);
      expect(await Promise.all(tickets.slice(index + 1).map(peek))).toEqual(tickets.slice(index + 1).map(() => null));
    }
  });

  it('puts a newcomer behind one call of who has many waiting, and says so', () => {
    const fixture = fullFixture(1);
    fixture.begin();
    for (let index = 0; index < 50; index += 1) wait(fixture, 'flood');
    expect(wait(fixture, 'quiet').position).toBeLessThanOrEqual(2);
    expect(wait(fixture, 'quiet').position).toBeLessThanOrEqual(4);
  });

  it('refuses after the longest wait, with the time until it is worth asking again', async () => {
    const fixture = fullFixture(1, { queue_timeout_ms: 5_000 });
    fixture.begin();
    const ticket = wait(fixture, 'a');
    fixture.clock.move(4_999);
    expect(await peek(ticket)).toBeNull();
    fixture.clock.move(1);
    expect(await peek(ticket)).toMatchObject({ refused: true, reason: 'concurrency', retryAfterMs: 1_000 });
    expect(held(fixture)).toEqual({ openCalls: 1, waiting: 0, reserved: 0 });
  });

  it('waits thirty seconds where nothing else is said, and not at all where it is 0', async () => {
    const fixture = fullFixture(1);
    fixture.begin();
    const ticket = wait(fixture, 'a');
    fixture.clock.move(29_999);
    expect(await peek(ticket)).toBeNull();
    fixture.clock.move(1);
    expect(await peek(ticket)).toHaveProperty('refused');
    const without = fullFixture(1, { queue_timeout_ms: 0 });
    without.begin();
    expect(join(without, 'a')).toEqual({ refused: true, reason: 'concurrency', retryAfterMs: 1_000 });
  });

  it('refuses at once what is beyond an organization’s line, by the measured speed, and still takes another’s', async () => {
    const fixture = fullFixture(2, { queue_length: 3 });
    const simulation = new QueueSimulation(fixture);
    simulation.start({ organizationId: 'a', callers: 5, callMs: () => 4_000 });
    await simulation.run(60_000, 500);
    const refused = join(fixture, 'a');
    // Three wait, the fourth would be served after four calls of four seconds each at two places.
    expect(refused).toMatchObject({ refused: true, reason: 'concurrency' });
    expect('refused' in refused ? refused.retryAfterMs : 0).toBeCloseTo(8_000, -3);
    expect(join(fixture, 'b')).toHaveProperty('position');
    simulation.stop();
  });

  it('has nothing to wait for where waiting does not help', () => {
    const fixture = fullFixture(1);
    fixture.call('throttled', 20_000);
    expect(join(fixture, 'a')).toEqual({ refused: true, reason: 'throttled', retryAfterMs: 20_000 });
    fixture.clock.move(20_000);
    fixture.call('bad_key');
    expect(join(fixture, 'a')).toMatchObject({ refused: true, reason: 'disabled' });
  });

  it('waits for a sound upstream rather than calling one that fails', () => {
    const sound = upstream({ name: 'sound', concurrency: 1 });
    const failing = upstream({ name: 'failing' });
    const keys = [openedKey(sound), openedKey(failing)];
    const fixture = new PoolFixture(snapshot([sound, failing], keys, [target(failing), target(sound, { priority: 1 })]));
    fixture.calls(5, 'fault');
    expect(fixture.begin().target.upstream.name).toBe('sound');
    expect(fixture.refusal().reason).toBe('concurrency');
    expect(wait(fixture, 'a').position).toBe(1);
  });

  it('waits for several upstreams at once and takes what is free first', async () => {
    const [first, second] = [upstream({ name: 'first', concurrency: 1 }), upstream({ name: 'second', concurrency: 1 })];
    const fixture = new PoolFixture(snapshot([first, second], [openedKey(first), openedKey(second)]));
    const open = [fixture.begin(), fixture.begin()];
    const ticket = wait(fixture, 'a');
    expect([held(fixture, 0).waiting, held(fixture, 1).waiting]).toEqual([1, 1]);
    fixture.end(open[1], 'success');
    expect((await won(ticket)).target).toBe(open[1].target);
    expect([held(fixture, 0), held(fixture, 1)].map(({ waiting, reserved }) => waiting + reserved).sort()).toEqual([0, 1]);
  });

  it('lets a waiter go on where a key has cooled, though no call ended', async () => {
    const [full, other] = [upstream({ name: 'full', concurrency: 1 }), upstream({ name: 'other' })];
    const fixture = new PoolFixture(snapshot([full, other], [openedKey(full), openedKey(other)], [target(other), target(full, { priority: 1 })]));
    fixture.call('throttled', 3_000);
    fixture.begin();
    const ticket = wait(fixture, 'a');
    fixture.clock.move(2_900);
    expect(await peek(ticket)).toBeNull();
    fixture.clock.move(1_100);
    expect((await won(ticket)).target.upstream.name).toBe('other');
  });

  it('does not keep a place for a waiter that cannot use it', async () => {
    const [full, other] = [upstream({ name: 'full', concurrency: 1 }), upstream({ name: 'other', concurrency: 1 })];
    const contents = snapshot([full, other], [openedKey(full), openedKey(other)]);
    const both = contents.models[0];
    const models = [both, { ...both, name: 'only-full', targets: [target(full, { upstreamModel: 'another' })] }];
    const fixture = new PoolFixture({ ...contents, models });
    const open = [fixture.begin(), fixture.begin()];
    const onFull = open[0].target.upstream.name === 'full' ? open[0] : open[1];
    const first = wait(fixture, 'a');
    const second = fixture.pool.waitForPlace(fixture.route('only-full'), [], fixture.nowMs, { organizationId: 'a' });
    if ('refused' in second) throw new Error('refused');
    // Throttled for the first one's model: it waits on for the other upstream.
    fixture.pool.report(onFull, { kind: 'failure', failureClass: 'throttled', retryAfterMs: 60_000 }, fixture.nowMs);
    fixture.pool.finished(onFull);
    expect([await peek(first), (await won(second)).target.upstream.name]).toEqual([null, 'full']);
  });

  it('ends the wait when the upstream is switched off, and shares what a snapshot adds', async () => {
    const only = upstream({ concurrency: 1 });
    const keys = openedKeys(only, 1);
    const contents = snapshot([only], keys);
    const fixture = new PoolFixture(contents);
    fixture.begin();
    const [first, second] = [wait(fixture, 'a'), wait(fixture, 'a')];
    fixture.pool.apply({ ...contents, upstreams: [{ ...only, concurrency: 2 }] });
    await won(first);
    fixture.pool.apply({ ...contents, upstreams: [{ ...only, enabled: false }] });
    expect(await peek(second)).toEqual({ refused: true, reason: 'disabled', retryAfterMs: null });
    expect(held(fixture).waiting).toBe(0);
  });

  it('refuses who waits when the pool closes', async () => {
    const fixture = fullFixture(1);
    fixture.begin();
    const ticket = wait(fixture, 'a');
    fixture.pool.close();
    expect(await peek(ticket)).toHaveProperty('refused');
  });

  it.each([
    [4, 1, 4],
    [4, 2, 2],
    [5, 2, 2],
    [2, 8, 1],
    [3, 0, 3],
  ])('of %i places, each of %i processes has %i', (concurrency, processes, expected) => {
    const fixture = fullFixture(concurrency, {}, { processCount: () => processes });
    for (let index = 0; index < expected; index += 1) fixture.begin();
    expect(fixture.refusal().reason).toBe('concurrency');
    expect(fixture.pool.describe()[0].places).toBe(expected);
  });
});

describe('a caller that leaves', () => {
  it('frees its place in line', async () => {
    const fixture = fullFixture(1);
    const open = fixture.begin();
    const [first, second] = [wait(fixture, 'a'), wait(fixture, 'a')];
    first.cancel();
    expect(await peek(first)).toHaveProperty('refused');
    fixture.end(open, 'success');
    await won(second);
  });

  it('gives a place on that it won and never began', async () => {
    const fixture = fullFixture(1);
    const open = fixture.begin();
    const [first, second] = [wait(fixture, 'a'), wait(fixture, 'b')];
    fixture.end(open, 'success');
    first.cancel();
    first.cancel();
    const candidate = await won(second);
    fixture.pool.release(candidate);
    fixture.pool.release(candidate);
    second.cancel();
    expect(held(fixture)).toEqual({ openCalls: 0, waiting: 0, reserved: 0 });
    expect(fixture.pick()).toHaveProperty('key');
  });

  it('does not take the place of a call that began', async () => {
    const fixture = fullFixture(1);
    const open = fixture.begin();
    const ticket = wait(fixture, 'a');
    fixture.end(open, 'success');
    const candidate = await won(ticket);
    fixture.pool.started(candidate);
    ticket.cancel();
    fixture.pool.release(candidate);
    expect(held(fixture)).toEqual({ openCalls: 1, waiting: 0, reserved: 0 });
  });

  it('counts nothing below zero when it begins after all', async () => {
    const fixture = fullFixture(1);
    const open = fixture.begin();
    const ticket = wait(fixture, 'a');
    fixture.end(open, 'success');
    const candidate = await won(ticket);
    ticket.cancel();
    fixture.pool.started(candidate);
    expect(held(fixture)).toEqual({ openCalls: 1, waiting: 0, reserved: 0 });
    fixture.end(candidate, 'aborted');
    expect(held(fixture)).toEqual({ openCalls: 0, waiting: 0, reserved: 0 });
  });

  it('cannot keep a place by saying nothing', async () => {
    const fixture = fullFixture(1);
    const open = fixture.begin();
    const [first, second] = [wait(fixture, 'a'), wait(fixture, 'b')];
    fixture.end(open, 'success');
    await won(first);
    fixture.clock.move(UNTAKEN_PLACE_MS);
    await won(second);
  });
});

describe('fair shares of a full upstream', () => {
  const constant = (ms: number) => () => ms;

  async function shares(fixture: PoolFixture, tenants: Parameters<QueueSimulation['start']>[0][], forMs = 200_000): Promise<Map<string, { calls: number; heldMs: number; longestWaitMs: number }>> {
    const simulation = new QueueSimulation(fixture);
    for (const tenant of tenants) simulation.start(tenant);
    await settleMicrotasks();
    await simulation.run(forMs, 50);
    simulation.stop();
    return simulation.tallies;
  }

  const shareOf = (tallies: Awaited<ReturnType<typeof shares>>, id: string, what: 'calls' | 'heldMs') => {
    const total = [...tallies.values()].reduce((sum, tally) => sum + tally[what], 0);
    return (tallies.get(id)?.[what] ?? 0) / total;
  };

  it('keeps the other’s share within a tenth of half while one organization floods two places', async () => {
    const tallies = await shares(fullFixture(2), [
      { organizationId: 'flood', callers: 90, callMs: constant(300) },
      { organizationId: 'other', callers: 4, callMs: constant(300) },
    ]);
    expect(Math.abs(shareOf(tallies, 'other', 'calls') - 0.5)).toBeLessThan(0.05);
    expect(tallies.get('other')?.longestWaitMs).toBeLessThan(2_000);
  });

  it('shares time, so that long calls take no more of it than short ones', async () => {
    const tallies = await shares(fullFixture(2), [
      { organizationId: 'long', callers: 20, callMs: constant(5_000) },
      { organizationId: 'short', callers: 20, callMs: constant(250) },
    ]);
    expect(Math.abs(shareOf(tallies, 'short', 'heldMs') - 0.5)).toBeLessThan(0.05);
  });

  it('shares by weight among three', async () => {
    const weights: Record<string, number> = { gold: 3, silver: 2, bronze: 1 };
    const fixture = fullFixture(3, {}, { organizationWeight: (id) => weights[id] });
    const tallies = await shares(fixture, Object.keys(weights).map((organizationId) => ({ organizationId, callers: 30, callMs: constant(400) })));
    for (const [id, weight] of Object.entries(weights)) expect(shareOf(tallies, id, 'calls')).toBeCloseTo(weight / 6, 1);
    expect(Math.abs(shareOf(tallies, 'bronze', 'calls') - 1 / 6)).toBeLessThan(0.02);
  });

  it.each([0, -1, Number.NaN, Infinity])('takes a weight of %p for 1', async (weight) => {
    const fixture = fullFixture(1, {}, { organizationWeight: (id) => (id === 'odd' ? weight : 1) });
    const tallies = await shares(fixture, ['odd', 'even'].map((organizationId) => ({ organizationId, callers: 5, callMs: constant(100) })), 20_000);
    expect(Math.abs(shareOf(tallies, 'odd', 'calls') - 0.5)).toBeLessThan(0.05);
  });

  it('gives no credit for time that an organization was away', async () => {
    const fixture = fullFixture(2);
    const simulation = new QueueSimulation(fixture);
    simulation.start({ organizationId: 'steady', callers: 20, callMs: constant(500) });
    simulation.start({ organizationId: 'back', callers: 0, callMs: constant(500) });
    await simulation.run(100_000, 50);
    const before = simulation.of('steady').calls;
    simulation.start({ organizationId: 'back', callers: 20, callMs: constant(500) });
    await simulation.run(20_000, 50);
    simulation.stop();
    const share = simulation.of('back').calls / (simulation.of('back').calls + simulation.of('steady').calls - before);
    expect(Math.abs(share - 0.5)).toBeLessThan(0.05);
  });

  it('gives nobody more for coming one call at a time', async () => {
    const tallies = await shares(fullFixture(1), [
      { organizationId: 'single', callers: 1, callMs: constant(500) },
      { organizationId: 'many', callers: 20, callMs: constant(500) },
    ]);
    expect(shareOf(tallies, 'single', 'calls')).toBeLessThanOrEqual(0.51);
  });

  it('starves nobody and leaks no place, whoever comes, leaves and fails, over 150 random lives', async () => {
    for (let seed = 1; seed <= 150; seed += 1) await liveOnce(seed);
  });
});

/** Random arrivals, leavings, failures and snapshots; afterwards everything must be free and everybody answered. */
async function liveOnce(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const upstreams = Array.from({ length: 1 + below(2) }, () => upstream({ concurrency: 1 + below(3) }));
  const contents = snapshot(upstreams, upstreams.flatMap((to) => openedKeys(to, 2)));
  const fixture = new PoolFixture(contents, random);
  const waiting = new Map<QueueTicket, { organizationId: string; sinceMs: number; grantsSeen: number }>();
  const open: Candidate[] = [];
  let grants = 0;
  const take = (result: Candidate | PoolRefusal, ticket: QueueTicket) => {
    const about = waiting.get(ticket);
    waiting.delete(ticket);
    if ('refused' in result) return;
    grants += 1;
    // Everybody else of five organizations may come before it, by as many calls as it has itself before it.
    if (about !== undefined && grants - about.grantsSeen > 5 * (ticket.position + 10)) throw new Error(`seed ${seed}: starved`);
    if (random() < 0.1) fixture.pool.release(result);
    else if (random() < 0.05) return;
    else {
      fixture.pool.started(result);
      open.push(result);
    }
  };
  for (let event = 0; event < 200; event += 1) {
    const dice = below(100);
    if (dice < 45) {
      const organizationId = `organization ${Math.floor(random() * random() * 5)}`;
      const picked = fixture.pick();
      if (!('refused' in picked)) {
        fixture.pool.started(picked);
        open.push(picked);
      } else {
        const ticket = fixture.pool.waitForPlace(fixture.route(MODEL), [], fixture.nowMs, { organizationId });
        if (!('refused' in ticket)) {
          waiting.set(ticket, { organizationId, sinceMs: fixture.nowMs, grantsSeen: grants });
          void ticket.promise.then((result) => take(result, ticket));
        }
      }
    } else if (dice < 85 && open.length > 0) {
      const [ended] = open.splice(below(open.length), 1);
      fixture.end(ended, (['success', 'success', 'success', 'fault', 'throttled', 'aborted', 'caller'] as const)[below(7)], below(4_000));
    } else if (dice < 92) {
      const tickets = [...waiting.keys()];
      if (tickets.length > 0) tickets[below(tickets.length)].cancel();
    } else if (dice < 94) fixture.pool.apply(contents);
    else fixture.clock.move(below(3_000));
    await settleMicrotasks();
    for (const { openCalls, queue, concurrency } of fixture.pool.describe()) {
      if (openCalls + queue.reserved > (concurrency ?? 0)) throw new Error(`seed ${seed}: more calls than places`);
      if (queue.reserved < 0 || queue.waiting < 0) throw new Error(`seed ${seed}: counted below zero`);
    }
  }
  for (let round = 0; open.length > 0 || waiting.size > 0; round += 1) {
    if (round > 2_000) throw new Error(`seed ${seed}: somebody waits for ever`);
    while (open.length > 0) fixture.end(open.splice(0, 1)[0], 'success');
    fixture.clock.move(1_000);
    await settleMicrotasks();
  }
  fixture.clock.move(UNTAKEN_PLACE_MS);
  await settleMicrotasks();
  for (const { openCalls, queue } of fixture.pool.describe()) expect([openCalls, queue]).toEqual([0, { waiting: 0, reserved: 0 }]);
}
