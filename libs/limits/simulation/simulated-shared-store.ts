import { type Grant, type MeterStore } from '../src/meter-store';
import { type EpochBeat, type SharedStore } from '../src/shared-store';
import { type SimulatedRedis } from './simulated-redis';
import { type World } from './world';

const TIMEOUT_MS = 200;
const FIRST_PROBE_AFTER_MS = 100;
const LARGEST_PROBE_DELAY_MS = 1_000;

export interface SimulatedSharedStoreOptions {
  readonly world: World;
  readonly redis: SimulatedRedis;
  readonly processName: string;
  readonly isDead: () => boolean;
  readonly isCutOff: () => boolean;
  /** Of a message going wrong at this time. */
  readonly troubleRate: () => number;
  /** An admission was decided in Redis. */
  readonly onAdmitted: (grant: Grant) => void;
}

/** One process's way to Redis: messages are late, lost, done twice, or done while their answers are lost. */
export class SimulatedSharedStore implements SharedStore {
  readonly store: MeterStore;
  processCount = 1;
  readonly #options: SimulatedSharedStoreOptions;
  /** What was sent and is not there yet. */
  readonly #onTheirWay = new Set<() => void>();
  #isTripped = false;
  #isDropped = false;
  #listener: (available: boolean) => void = () => undefined;

  constructor(options: SimulatedSharedStoreOptions) {
    this.#options = options;
    this.store = this.#makeStore();
  }

  check(): boolean {
    return !this.#isTripped;
  }

  async beat(): Promise<EpochBeat | null> {
    if (!this.check()) return null;
    return this.#ask('beat', () => this.#beatRedis());
  }

  onAvailability(listener: (available: boolean) => void): void {
    this.#listener = listener;
  }

  /** The process is no more: what it has sent arrives before its successor's does, or not at all. */
  die(): void {
    for (const arrive of this.#onTheirWay) {
      if (this.#options.world.chance(0.5)) arrive();
    }
    this.#isDropped = true;
    this.#options.world.note(() => `${this.#options.processName} had ${this.#onTheirWay.size} messages under way`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #beatRedis(): EpochBeat {
    const { redis, processName } = this.#options;
    const beat = redis.beat(processName);
    this.processCount = redis.countProcesses();
    return beat;
  }

  #makeStore(): MeterStore {
    const { redis, onAdmitted } = this.#options;
    return {
      admit: (plan, demand) =>
        this.#ask(`admit ${demand.requestId}`, () => {
          const answer = redis.store.admit(plan, demand);
          if ('admitted' in answer && answer.admitted && answer.grant !== null) onAdmitted(answer.grant);
          return answer;
        }),
      peek: (plan, demand) => this.#ask('peek', () => redis.store.peek(plan, demand)),
      settle: (grant, settlement) => {
        const sent = { ...grant };
        return this.#ask(`settle ${grant.requestId} ${settlement.nanos}`, () => redis.store.settle(sent, settlement));
      },
      extend: async (grant, nanos) => {
        const extended = await this.#ask(`extend ${grant.requestId}`, () => redis.store.extend({ ...grant }, nanos));
        grant.heldNanos += extended ?? 0;
        return extended;
      },
      renew: (grants) => {
        const sent = grants.map((grant) => ({ ...grant }));
        return this.#ask('renew', () => redis.store.renew(sent));
      },
      restore: (grants) => {
        const sent = grants.map((grant) => ({ ...grant }));
        return this.#ask(`restore ${sent.map(({ requestId }) => requestId).join(' ')}`, () => redis.store.restore(sent));
      },
      seed: (...parameters) => this.#ask(`seed ${parameters[1]} ${parameters[3]}`, () => redis.store.seed(...parameters)),
      listHolds: (...parameters) => this.#ask('listHolds', () => redis.store.listHolds(...parameters)),
      readBudgets: (plan) => this.#ask('readBudgets', () => redis.store.readBudgets(plan)),
      seedWindow: (...parameters) => this.#ask('seedWindow', () => redis.store.seedWindow(...parameters)),
    };
  }

  #ask<Value>(what: string, run: () => Value): Promise<Value | null> {
    const { world, processName, isDead, isCutOff, redis } = this.#options;
    return new Promise((resolve) => {
      let isOver = false;
      const finish = (value: Value | null, trouble: string | null): void => {
        if (isOver) return;
        isOver = true;
        cancel();
        if (isDead()) return;
        if (what !== 'beat' || trouble !== null) world.note(() => `${processName} ${what} → ${trouble ?? JSON.stringify(value, (key: string, part: unknown) => (key === 'plan' || key === 'states' || key === 'limit' ? undefined : part))}`);
        if (trouble !== null) this.#trip();
        resolve(value);
      };
      const cancel = world.after(TIMEOUT_MS, () => finish(null, 'timeout'));
      const deliver = (delayMs: number, isAnswerLost: boolean): void => {
        const arrive = (): void => {
          cancelArrival();
          this.#onTheirWay.delete(arrive);
          if (isCutOff() || this.#isDropped) return;
          const isThere = redis.execute(() => {
            const value = run();
            if (!isAnswerLost && !isCutOff()) world.after(this.#drawDelayMs(), () => finish(value, null));
          });
          if (!isThere) finish(null, 'connection');
        };
        const cancelArrival = world.after(delayMs, arrive);
        this.#onTheirWay.add(arrive);
      };
      this.#send(deliver);
    });
  }

  #send(deliver: (delayMs: number, isAnswerLost: boolean) => void): void {
    const { world, troubleRate } = this.#options;
    const delayMs = this.#drawDelayMs();
    if (!world.chance(troubleRate())) return deliver(delayMs, false);
    switch (world.pick(['lost', 'answer lost', 'done twice', 'done late'])) {
      case 'lost':
        return;
      case 'answer lost':
        return deliver(delayMs, true);
      case 'done twice':
        deliver(delayMs, true);
        return deliver(delayMs + world.between(1, 400), false);
      case 'done late':
        return deliver(delayMs + world.between(100, 3_000), false);
    }
  }

  #drawDelayMs(): number {
    const { world } = this.#options;
    return 0.2 + world.random() * (world.chance(0.05) ? 40 : 2);
  }

  #trip(): void {
    if (this.#isTripped) return;
    this.#isTripped = true;
    this.#listener(false);
    this.#probeAfter(FIRST_PROBE_AFTER_MS);
  }

  #probeAfter(delayMs: number): void {
    const { world, isDead } = this.#options;
    world.after(delayMs, () => {
      if (isDead()) return;
      void this.#ask('probe', () => this.#options.redis.countProcesses()).then((count) => {
        if (count === null) return this.#probeAfter(Math.min(2 * delayMs, LARGEST_PROBE_DELAY_MS));
        this.#isTripped = false;
        this.#listener(true);
      });
    });
  }
}
