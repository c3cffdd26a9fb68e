import { type Candidate, type PoolRefusal, type QueueTicket } from '../src/pool-contract';
import { MODEL, type PoolFixture } from './pool-fixture';

export interface SimulatedTenant {
  readonly organizationId: string;
  /** How many of its callers always want something. */
  readonly callers: number;
  /** How long a call of it takes; of several, one after the other. */
  readonly callMs: () => number;
}

interface Tally {
  calls: number;
  /** Time of places that its calls held. */
  heldMs: number;
  longestWaitMs: number;
}

/**
 * Tenants whose callers call again as soon as they are answered, on a manual clock. Waits are
 * settled in microtasks, so between two moves of the clock they are let run.
 */
export class QueueSimulation {
  readonly tallies = new Map<string, Tally>();
  readonly #fixture: PoolFixture;
  #running = true;

  constructor(fixture: PoolFixture) {
    this.#fixture = fixture;
  }

  start({ organizationId, callers, callMs }: SimulatedTenant): void {
    for (let index = 0; index < callers; index += 1) void this.#call(organizationId, callMs);
  }

  async run(forMs: number, stepMs = 1): Promise<void> {
    const endMs = this.#fixture.nowMs + forMs;
    while (this.#fixture.nowMs < endMs) {
      this.#fixture.clock.move(stepMs);
      await settleMicrotasks();
    }
  }

  stop(): void {
    this.#running = false;
  }

  of(organizationId: string): Tally {
    let tally = this.tallies.get(organizationId);
    if (tally === undefined) this.tallies.set(organizationId, (tally = { calls: 0, heldMs: 0, longestWaitMs: 0 }));
    return tally;
  }

  async #call(organizationId: string, callMs: () => number): Promise<void> {
    const { pool, clock } = this.#fixture;
    const tally = this.of(organizationId);
    while (this.#running) {
      const askedMs = clock.nowMs();
      const found = this.#findPlace(organizationId);
      // A pick and its start belong into one tick.
      const candidate = found instanceof Promise ? await found : found;
      if ('refused' in candidate) {
        await this.#sleep(1_000);
        continue;
      }
      tally.longestWaitMs = Math.max(tally.longestWaitMs, clock.nowMs() - askedMs);
      pool.started(candidate);
      const heldMs = callMs();
      await this.#sleep(heldMs);
      pool.report(candidate, { kind: 'success' }, clock.nowMs());
      pool.finished(candidate);
      tally.calls += 1;
      tally.heldMs += heldMs;
    }
  }

  #findPlace(organizationId: string): Candidate | PoolRefusal | Promise<Candidate | PoolRefusal> {
    const { pool } = this.#fixture;
    const route = this.#fixture.route(MODEL);
    const picked = pool.pick(route, [], this.#fixture.nowMs);
    if (!('refused' in picked)) return picked;
    const ticket = pool.waitForPlace(route, [], this.#fixture.nowMs, { organizationId });
    return 'refused' in ticket ? ticket : ticket.promise;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#fixture.clock.schedule(ms, resolve);
    });
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settleMicrotasks(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
}

/** What a ticket came to so far; null while it waits. */
export async function peek(ticket: QueueTicket): Promise<Candidate | PoolRefusal | null> {
  const waiting = Symbol('waiting');
  const result = await Promise.race([ticket.promise, settleMicrotasks().then(() => waiting)]);
  return typeof result === 'symbol' ? null : result;
}
