import { type BudgetState, type Grant, type LimitPlan } from '../src/meter-store';
import { toSpentQuestion } from '../src/budget-source';
import { drawScenario, type Fault, type Scenario } from './scenario';
import { SimulatedLedger } from './simulated-ledger';
import { ORGANIZATION_ID } from './simulated-plans';
import { SimulatedProcess } from './simulated-process';
import { SimulatedRedis } from './simulated-redis';
import { BrokenInvariant, Truth } from './truth';
import { type Universe } from './universe';
import { World } from './world';

const HOUR_MS = 3_600_000;
/** For the questions that are asked at the very end. */
const ANSWERS_WITHIN_MS = 2_000;

/** One seed's run, from its first call until everything has come to rest. Step it until it is over. */
export class Simulation {
  readonly world: World;
  readonly scenario: Scenario;
  readonly #universe: Universe;
  readonly #processes: SimulatedProcess[] = [];
  readonly #uses = new Map<LimitPlan, readonly (BudgetState | null)[]>();
  readonly #takenMs = new Map<string, number[]>();
  #incarnations = 0;
  #isAsked = false;
  #failure: Error | null = null;
  steps = 0;

  constructor(seed: number, isTraced = false) {
    this.world = new World(seed, isTraced);
    const { world } = this;
    this.scenario = drawScenario(world);
    const { scenario } = this;
    this.#universe = {
      world,
      scenario,
      redis: new SimulatedRedis(world, scenario.startedAtMs),
      ledger: new SimulatedLedger(world, () => scenario.isLedgerSlow && this.#isTroubled(), () => (this.#isTroubled() ? scenario.commitLostRate : 0)),
      truth: new Truth(isBudgetHeld(scenario), isConcurrencyHeld(scenario)),
      onAdmittedByRedis: (grant) => this.#noteAdmitted(grant),
      spools: new Set(),
      admittedByRedis: new Set(),
      lastAttempts: new Set(),
      troubleRate: () => (this.#isTroubled() ? scenario.troubleRate : 0),
    };
    for (let index = 0; index < scenario.processCount; index++) this.#start(index);
    for (const fault of scenario.faults) world.after(fault.atMs, () => this.#inflict(fault));
  }

  /** @returns whether there is more to come. @throws BrokenInvariant, among others. */
  step(): boolean {
    this.steps++;
    if (this.#failure !== null) throw this.#failure;
    if (this.world.step(this.#isAsked ? this.scenario.endMs + ANSWERS_WITHIN_MS : this.scenario.endMs)) return true;
    if (!this.#isAsked) {
      this.#isAsked = true;
      this.#askUses();
      return true;
    }
    this.#checkRest();
    return false;
  }

  /** What Redis has let through, checked against a log of all of it. */
  #noteAdmitted({ requestId, plan }: Grant): void {
    const { redis, admittedByRedis } = this.#universe;
    admittedByRedis.add(requestId);
    if (!isConcurrencyHeld(this.scenario)) return;
    plan.limits.forEach((limit, index) => {
      if (limit.kind !== 'window' || limit.unit !== 'requests') return;
      const taken = this.#takenMs.get(plan.keys[index]) ?? [];
      taken.push(this.world.nowMs);
      this.#takenMs.set(plan.keys[index], taken);
      const count = taken.filter((atMs) => atMs > this.world.nowMs - limit.windowMs).length;
      if (count > limit.limit) this.#fail(new BrokenInvariant(`${count} requests within a minute, of ${limit.limit}`));
    });
    const states = redis.store.readBudgets(plan);
    plan.limits.filter(({ kind }) => kind === 'budget').forEach((limit, position) => {
      const state = states[position];
      if (state !== null && state.spentNanos + state.heldNanos > limit.limit) this.#fail(new BrokenInvariant(`${limit.name} of ${limit.subject} counts more than ${limit.limit}`));
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error('thrown', { cause: error });
  }

  #isTroubled(): boolean {
    return this.world.nowMs < this.scenario.faultsUntilMs;
  }

  #start(index: number): void {
    const process = new SimulatedProcess(this.#universe, `${'abc'[index]}${++this.#incarnations}`);
    this.#processes[index] = process;
    const { callsPerProcess, faultsUntilMs } = this.scenario;
    const fromMs = this.world.nowMs;
    if (fromMs > faultsUntilMs) return;
    for (let count = 0; count < callsPerProcess; count++) {
      this.world.after(this.world.between(0, faultsUntilMs - fromMs), () => {
        if (!process.isDead) process.call().catch((error: unknown) => this.#fail(error));
      });
    }
  }

  #inflict(fault: Fault): void {
    const { world } = this;
    const { redis, ledger } = this.#universe;
    const index = world.between(0, this.#processes.length - 1);
    const process = this.#processes[index];
    world.note(() => `FAULT ${fault.kind} for ${fault.durationMs} ms (${process.name})`);
    switch (fault.kind) {
      case 'flush':
        return void redis.execute(() => redis.loseEverything());
      case 'restart':
        return redis.stop(fault.durationMs, this.scenario.kind === 'outage' && world.chance(0.5));
      case 'pause':
        return redis.pause(fault.durationMs);
      case 'redis_clock':
        return redis.setClock(world.pick([HOUR_MS, -HOUR_MS, 5_000, -5_000]));
      case 'cut_off':
        process.cutOffUntilMs = world.nowMs + fault.durationMs;
        return;
      case 'crash':
        if (process.isDead) return;
        process.die();
        world.after(fault.durationMs, () => this.#start(index));
        return;
      case 'ledger_down':
        return ledger.stop(fault.durationMs);
      case 'process_clock':
        return process.jumpClock(world.pick([HOUR_MS, -HOUR_MS, 300, -300]));
    }
  }

  #askUses(): void {
    for (const plan of this.#universe.truth.plans) {
      this.#processes[0].meter.use(plan).then(
        ({ budgets, admission }) => {
          this.#uses.set(plan, budgets);
          const lease = admission.states.find(({ limit }) => limit.kind === 'lease');
          // When the clock of Redis was set back, a lease ends 30 s after the next admission.
          const isHonest = this.scenario.faults.every(({ kind }) => kind !== 'redis_clock');
          if (isHonest && lease !== undefined && lease.used > 0) this.#failure ??= new BrokenInvariant(`${lease.used} leases are left`);
        },
        (error: unknown) => this.#fail(error),
      );
    }
  }

  #checkRest(): void {
    const { truth, spools, ledger } = this.#universe;
    for (const { meter, name } of this.#processes) {
      if (meter.openCount > 0) throw new BrokenInvariant(`${name} has ${meter.openCount} calls that are not settled`);
    }
    for (const spool of spools) {
      const left = `${spool.holds.size} holds, ${spool.intents.size} intents, ${spool.finals.length - spool.uploadedCount} rows`;
      if (spool.owner === null || left !== '0 holds, 0 intents, 0 rows') throw new BrokenInvariant(`the spool of ${spool.name} is left with ${left}`);
    }
    for (const key of truth.sent) if (!ledger.rows.has(key)) throw new BrokenInvariant(`${key} was sent, and has no row`);
    for (const key of ledger.rows.keys()) if (!truth.announced.has(key)) throw new BrokenInvariant(`${key} has a row, and was never sent`);
    for (const [requestId, call] of truth.calls) if (call.isOpen) throw new BrokenInvariant(`${requestId} has never ended`);
    for (const plan of truth.plans) this.#checkBudgets(plan);
  }

  #checkBudgets(plan: LimitPlan): void {
    const { ledger, truth } = this.#universe;
    const states = this.#uses.get(plan);
    if (states === undefined) throw new BrokenInvariant('the limits were not told');
    let position = 0;
    plan.limits.forEach((limit, index) => {
      if (limit.kind !== 'budget') return;
      const state = states[position++];
      const counter = plan.keys[index];
      if (state === null) throw new BrokenInvariant(`${counter} was never counted`);
      if (state.heldNanos !== 0) throw new BrokenInvariant(`${counter}: ${state.heldNanos} are still held`);
      const rowsNanos = ledger.sum(toSpentQuestion(ORGANIZATION_ID, limit, [], null));
      if (rowsNanos !== truth.exposureOf(counter)) throw new BrokenInvariant(`${counter}: the rows sum up to ${rowsNanos}, but ${truth.exposureOf(counter)} were spent`);
      const isWrong = isCountExact(this.scenario) ? state.spentNanos !== rowsNanos : isBudgetHeld(this.scenario) && state.spentNanos < rowsNanos;
      if (isWrong) throw new BrokenInvariant(`${counter} counts ${state.spentNanos}, but the rows sum up to ${rowsNanos}`);
    });
  }
}

function isBudgetHeld({ kind }: Scenario): boolean {
  return kind !== 'chaos';
}

function isConcurrencyHeld({ kind, faults }: Scenario): boolean {
  return kind === 'kept' && faults.every((fault) => fault.kind !== 'redis_clock');
}

/** Where Redis has lost its data, what is put back late may count twice: too much, never too little. */
function isCountExact({ kind, troubleRate }: Scenario): boolean {
  return kind !== 'chaos' && (kind !== 'lost' || troubleRate === 0);
}
