import { newId, NO_LIMITS, Secret, type Clock, type UpstreamId, type UpstreamKeyId } from '@weir/kernel';
import { type FailureClass } from '@weir/providers';
import { type Candidate, type KeyChange, type ModelRoute, type PoolRefusal } from '../src/pool-contract';
import { type ModelInput, type OpenedKey, type PoolSnapshot, type TargetInput, type UpstreamInput } from '../src/pool-snapshot';
import { UpstreamPool, type UpstreamPoolOptions } from '../src/upstream-pool';

export const START_MS = 1_800_000_000_000;
export const MODEL = 'gpt-test';

/** A clock that stands until it is moved, with the timers that hang on it. */
export class ManualClock implements Clock {
  #nowMs = START_MS;
  readonly #timers = new Set<{ dueMs: number; run: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  readonly schedule = (delayMs: number, run: () => void): (() => void) => {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  move(byMs: number): void {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const next = [...this.#timers].filter(({ dueMs }) => dueMs <= endMs).sort((left, right) => left.dueMs - right.dueMs)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
    }
    this.#nowMs = endMs;
  }
}

/** Mulberry32: the same sequence for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function upstream(changes: Partial<UpstreamInput> = {}): UpstreamInput {
  const id = changes.id ?? newId<UpstreamId>();
  return {
    id,
    name: `upstream ${id}`,
    provider: 'openai-compatible',
    address: { origin: `https://${id}.example`, basePath: '/v1', options: {} },
    timeoutMs: null,
    streamTimeoutMs: null,
    concurrency: null,
    weight: 100,
    enabled: true,
    ...changes,
  };
}

export function openedKey(of: UpstreamInput, changes: Partial<OpenedKey> = {}): OpenedKey {
  const id = changes.id ?? newId<UpstreamKeyId>();
  return {
    id,
    upstreamId: of.id,
    label: '',
    secret: new Secret(`secret of ${id}`),
    enabled: true,
    status: 'active',
    statusReason: null,
    statusUntilMs: null,
    failureCount: 0,
    revision: '1',
    ...changes,
  };
}

export function openedKeys(of: UpstreamInput, count: number): OpenedKey[] {
  return Array.from({ length: count }, (_, index) => openedKey(of, { label: `key ${index}` }));
}

export function target(to: UpstreamInput, changes: Partial<TargetInput> = {}): TargetInput {
  return { upstreamId: to.id, upstreamModel: 'model', weight: 100, priority: 0, ...changes };
}

/** A snapshot with one model, by default routed to every upstream alike. */
export function snapshot(
  upstreams: UpstreamInput[],
  keys: OpenedKey[],
  targets: TargetInput[] = upstreams.map((to) => target(to)),
  changes: Partial<ModelInput> = {},
): PoolSnapshot {
  const model = { id: newId<PoolSnapshot['models'][number]['id']>(), name: MODEL, operation: 'chat', strategy: 'weighted', affinity: 'none', fallbacks: [], limits: NO_LIMITS, price: null, targets, ...changes } as const;
  return { upstreams, keys, models: [model] };
}

/** A pool on a manual clock that plays whole attempts. */
export class PoolFixture {
  readonly clock = new ManualClock();
  readonly told: { id: UpstreamKeyId; change: KeyChange }[] = [];
  readonly pool: UpstreamPool;

  constructor(contents: PoolSnapshot, random: () => number = seededRandom(1), joints: Partial<UpstreamPoolOptions> = {}) {
    const sink = { keyChanged: (id: UpstreamKeyId, change: KeyChange) => void this.told.push({ id, change }) };
    this.pool = new UpstreamPool({ sink, clock: this.clock, random, schedule: this.clock.schedule, ...joints });
    this.pool.apply(contents);
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  route(name = MODEL): ModelRoute {
    const route = this.pool.findRoute(name);
    if (route === null) throw new Error(`no route for ${name}`);
    return route;
  }

  pick(tried: readonly Candidate[] = []): Candidate | PoolRefusal {
    return this.pool.pick(this.route(), tried, this.nowMs);
  }

  candidate(tried: readonly Candidate[] = []): Candidate {
    const picked = this.pick(tried);
    if ('refused' in picked) throw new Error(`refused: ${picked.reason}`);
    return picked;
  }

  refusal(tried: readonly Candidate[] = []): PoolRefusal {
    const picked = this.pick(tried);
    if ('refused' in picked) return picked;
    throw new Error('nothing was refused');
  }

  begin(tried: readonly Candidate[] = []): Candidate {
    const candidate = this.candidate(tried);
    this.pool.started(candidate);
    return candidate;
  }

  end(candidate: Candidate, outcome: FailureClass | 'success', retryAfterMs: number | null = null): void {
    this.pool.report(
      candidate,
      outcome === 'success' ? { kind: 'success' } : { kind: 'failure', failureClass: outcome, retryAfterMs },
      this.nowMs,
    );
    this.pool.finished(candidate);
  }

  /** One whole attempt. */
  call(outcome: FailureClass | 'success', retryAfterMs: number | null = null): Candidate {
    const candidate = this.begin();
    this.end(candidate, outcome, retryAfterMs);
    return candidate;
  }

  calls(count: number, outcome: FailureClass | 'success'): void {
    for (let index = 0; index < count; index += 1) this.call(outcome);
  }

  statuses(): string[] {
    return this.pool.describe().flatMap(({ keys }) => keys.map(({ status }) => status));
  }
}
