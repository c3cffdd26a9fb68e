import { type Clock, WeirError } from '@weir/kernel';
import { type Admission, type Grant, type LimitPlan } from '../src/meter-store';
import { Meter } from '../src/meter';
import { type LedgerRow } from './simulated-ledger';
import { getPlan, KEY_IDS, MODELS, ORGANIZATION_ID } from './simulated-plans';
import { SimulatedSharedStore } from './simulated-shared-store';
import { SimulatedSpool } from './simulated-spool';
import { BrokenInvariant } from './truth';
import { type Universe } from './universe';

const ADOPT_EVERY_MS = 5_000;
const RETRY_AFTER_MS = 1_000;
/** 300 ms, and what a turn of the loop may take. */
const LONGEST_ADMISSION_MS = 301;

interface Call {
  readonly requestId: string;
  readonly keyId: string;
  readonly model: string;
  readonly plan: LimitPlan;
  readonly atMs: number;
}

/** One process of the gateway: the real meter, with a spool, an uploader and calls around it. */
export class SimulatedProcess {
  readonly meter: Meter;
  readonly spool: SimulatedSpool;
  isDead = false;
  cutOffUntilMs = 0;
  #clockJumpMs = 0;
  #isUploading = false;
  #isRecovered = false;
  readonly #shared: SimulatedSharedStore | null;
  readonly #running = new Set<string>();
  #calls = 0;

  constructor(
    private readonly universe: Universe,
    readonly name: string,
  ) {
    const { world, scenario, ledger } = universe;
    this.spool = new SimulatedSpool(name);
    universe.spools.add(this.spool);
    const skewMs = world.between(-200, 200);
    const clock: Clock = { nowMs: () => Math.floor(scenario.startedAtMs + world.nowMs + skewMs + this.#clockJumpMs), monotonicMs: () => world.nowMs };
    this.clock = clock;
    this.#shared = scenario.kind === 'alone' ? null : this.#makeShared();
    this.meter = new Meter({
      shared: this.#shared,
      clock,
      timers: world.timersOf(() => this.isDead),
      withoutRedis: { budgets: scenario.budgetsWithoutRedis },
      tellsLanded: true,
      budgetSource: {
        // Without Redis the rows of the process before must be in the ledger first.
        sumSpentNanos: (question) => (scenario.kind === 'alone' && !this.#isRecovered ? Promise.reject(new Error('not recovered')) : ledger.sumSpentNanos(question)),
      },
      onSettled: (requestId) => this.#release(requestId),
    });
    void this.#adoptForEver();
  }

  readonly clock: Clock;

  jumpClock(byMs: number): void {
    this.#clockJumpMs += byMs;
  }

  /** kill -9. */
  die(): void {
    const { world, truth, spools } = this.universe;
    world.note(() => `${this.name} dies`);
    this.isDead = true;
    this.#shared?.die();
    for (const requestId of this.#running) truth.die(requestId);
    for (const spool of spools) if (spool.owner === this.name) spool.owner = null;
  }

  async call(): Promise<void> {
    const { world, truth } = this.universe;
    const atMs = this.clock.nowMs();
    const [keyId, model] = [world.pick(KEY_IDS), world.pick(MODELS)];
    const call: Call = { requestId: `${this.name}-${++this.#calls}`, keyId, model, plan: getPlan(keyId, model, atMs), atMs };
    const admission = await this.#admit(call);
    if (this.isDead) return;
    if (admission?.admitted !== true || admission.grant === null) {
      if (!this.meter.isSettling(call.requestId)) this.#release(call.requestId);
      return;
    }
    this.#running.add(call.requestId);
    truth.admit(call.requestId, call.plan, admission.grant.heldNanos, this.universe.admittedByRedis.has(call.requestId));
    await this.#work(call, admission.grant);
  }

  /** Null when the limits cannot be kept now. */
  async #admit(call: Call): Promise<Admission | null> {
    const { world } = this.universe;
    const { requestId, plan, atMs } = call;
    const counters = plan.keys.filter((_, index) => plan.limits[index].kind === 'budget');
    this.spool.hold({ requestId, organizationId: ORGANIZATION_ID, counters, heldAtMs: atMs });
    const leastNanos = world.between(1, 100);
    const demand = { requestId, requests: 1, tokens: world.between(0, 30), leastNanos, mostNanos: leastNanos + world.between(0, 300) };
    const askedMs = world.nowMs;
    try {
      const admission = await this.meter.admit(plan, demand);
      this.#noteAnswer(call, askedMs, admission.admitted ? `admitted with ${admission.grant?.heldNanos}` : `refused by ${admission.refused.limit.name}`);
      return admission;
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'limits_unavailable') throw error;
      this.#noteAnswer(call, askedMs, `unavailable: ${error.detail}`);
      return null;
    }
  }

  #noteAnswer(call: Call, askedMs: number, what: string): void {
    const { world } = this.universe;
    if (this.isDead) return;
    world.note(() => `${call.requestId} is ${what}`);
    if (world.nowMs - askedMs > LONGEST_ADMISSION_MS) throw new BrokenInvariant(`an admission took ${world.nowMs - askedMs} ms`);
  }

  async #work(call: Call, grant: Grant): Promise<void> {
    const { world, truth } = this.universe;
    const attempts = world.chance(0.15) ? 2 : 1;
    let chargedNanos = 0;
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const key = `${call.requestId}/${attempt}`;
      truth.announced.add(key);
      this.spool.intend(toRow(call, attempt, grant.heldNanos - chargedNanos, 'unknown'));
      if (!(await this.#live(world.between(0, 10)))) return;
      truth.sent.add(key);
      if (!(await this.#live(world.chance(0.1) ? world.between(5_000, 25_000) : world.between(5, 1_500)))) return;
      if (world.chance(0.2)) {
        const extendedNanos = await this.meter.extend(grant, world.between(1, 100));
        if (this.isDead) return;
        truth.extend(call.requestId, extendedNanos);
      }
      const leftNanos = grant.heldNanos - chargedNanos;
      const costNanos = attempt < attempts ? 0 : world.chance(0.3) ? leftNanos : world.between(0, leftNanos);
      chargedNanos += costNanos;
      this.spool.finish(toRow(call, attempt, costNanos, 'succeeded'));
      this.#uploadSoon();
      if (world.chance(0.1) && !(await this.#live(world.between(0, 5)))) return;
    }
    this.#running.delete(call.requestId);
    truth.end(call.requestId, chargedNanos);
    world.note(() => `${call.requestId} has cost ${chargedNanos}`);
    this.universe.lastAttempts.add(`${call.requestId}/${attempts}`);
    this.meter.settle(grant, { tokens: world.between(0, 40), nanos: chargedNanos });
  }

  #makeShared(): SimulatedSharedStore {
    const { world, redis, onAdmittedByRedis } = this.universe;
    return new SimulatedSharedStore({
      world,
      redis,
      processName: this.name,
      isDead: () => this.isDead,
      isCutOff: () => world.nowMs < this.cutOffUntilMs,
      troubleRate: () => this.universe.troubleRate(),
      onAdmitted: onAdmittedByRedis,
    });
  }

  /** The record of it is written a moment later, and may be lost with the process. */
  #release(requestId: string): void {
    const { world } = this.universe;
    world.after(world.between(0, 20), () => {
      if (!this.isDead) this.spool.release(requestId);
    });
  }

  /** @returns false when the process died meanwhile. */
  #live(delayMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.universe.world.after(delayMs, () => {
        if (!this.isDead) resolve(true);
      });
    });
  }

  #uploadSoon(): void {
    if (this.#isUploading) return;
    this.#isUploading = true;
    void this.#upload();
  }

  async #upload(): Promise<void> {
    const { world, ledger } = this.universe;
    const { spool } = this;
    while (spool.uploadedCount < spool.finals.length) {
      await this.#live(world.between(5, 200));
      const rows = spool.finals.slice(spool.uploadedCount);
      const isDone = await ledger.insert(rows).then(
        () => true,
        () => false,
      );
      if (this.isDead) return;
      if (!isDone) await this.#live(RETRY_AFTER_MS);
      else {
        spool.uploadedCount += rows.length;
        this.#tellLanded(rows);
      }
    }
    this.#isUploading = false;
  }

  #tellLanded(rows: readonly LedgerRow[]): void {
    for (const { requestId, attempt } of rows) if (this.universe.lastAttempts.has(`${requestId}/${attempt}`)) this.meter.landed(requestId);
  }

  async #adoptForEver(): Promise<void> {
    for (;;) {
      for (const spool of this.universe.spools) {
        if (this.isDead) return;
        if (spool.owner !== null) continue;
        spool.owner = this.name;
        await this.#recover(spool);
      }
      this.#isRecovered = true;
      await this.#live(ADOPT_EVERY_MS);
    }
  }

  /** Rows first, then what was held; the spool goes when both are done. */
  async #recover(spool: SimulatedSpool): Promise<void> {
    const { world, ledger, truth, spools } = this.universe;
    world.note(() => `${this.name} adopts the spool of ${spool.name}`);
    for (;;) {
      const isDone = await ledger.insert([...spool.finals, ...spool.intents.values()]).then(
        () => true,
        () => false,
      );
      if (isDone || this.isDead) break;
      await this.#live(RETRY_AFTER_MS);
    }
    if (this.isDead) return;
    const recovered = [...spool.holds.values()].map(async (held) => {
      const chargedNanos = spool.chargeOf(held.requestId);
      world.note(() => `${held.requestId} is to be charged ${chargedNanos}`);
      await this.meter.settleRecovered({ ...held, chargedNanos });
      truth.end(held.requestId, chargedNanos);
    });
    await Promise.all(recovered);
    if (!this.isDead) spools.delete(spool);
  }
}

function toRow({ requestId, atMs, keyId, model }: Call, attempt: number, costNanos: number, status: LedgerRow['status']): LedgerRow {
  return { requestId, attempt, atMs, keyId, model, organizationId: ORGANIZATION_ID, costNanos, status };
}
