import { type Nanos, systemClock, toBudgetSpan } from '@weir/kernel';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type SpentQuestion } from '../src/budget-source';
import { makeLimitPlan, MINUTE_MS } from '../src/limit-plan';
import { type LimitsModuleOptions, openMeter } from '../src/limits.module';
import { type Meter } from '../src/meter';
import { type Admission, type Demand, type Grant, type Limit, type LimitPlan } from '../src/meter-store';

export const ORGANIZATION = '0193-organization';

/** What tests of the meter open, closed in this order: a client whose server goes first keeps a timer of two seconds. */
export class MeterBench {
  readonly #closing: Record<'meters' | 'clients' | 'servers', (() => unknown)[]> = { meters: [], clients: [], servers: [] };

  async connect(url: string): Promise<Redis> {
    const redis = new Redis(url, { enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, retryStrategy: () => 20 });
    redis.on('error', () => undefined);
    this.#closing.clients.push(() => redis.disconnect());
    if (redis.status !== 'ready') await once(redis, 'ready');
    return redis;
  }

  open(redis: Redis | null, options: Partial<LimitsModuleOptions> = {}): Meter {
    // Not the product's bound: a busy machine may take longer for one question than a call may wait.
    const meter = openMeter({ redis, clock: systemClock, longestAdmissionMs: 15_000, ...options });
    this.#closing.meters.push(() => meter.close());
    return meter;
  }

  closeLater(close: () => unknown): void {
    this.#closing.servers.push(close);
  }

  async close(): Promise<void> {
    for (const close of [...this.#closing.meters, ...this.#closing.clients, ...this.#closing.servers]) await close();
  }
}

/** As if Redis had been there for long: nobody has anything to put back. */
export async function ageEpoch(redis: Redis): Promise<void> {
  await redis.set('weir:epoch', Date.now() - 60_000);
}

export function toWindow(subject: string, limit: number): Limit {
  return { kind: 'window', scope: 'key', name: 'requests_per_minute', unit: 'requests', subject, windowMs: MINUTE_MS, limit };
}

export function toLease(subject: string, limit: number): Limit {
  return { kind: 'lease', scope: 'key', name: 'concurrency', subject, limit };
}

export function toBudget(subject: string, limit: Nanos): Limit {
  return { kind: 'budget', scope: 'key', name: 'budget', subject, model: null, period: 'total', span: toBudgetSpan('total', 0), resetAtMs: null, limit, alerts: [] };
}

export function toPlan(...limits: Limit[]): LimitPlan {
  return makeLimitPlan(ORGANIZATION, limits);
}

export function toDemand(nanos: Nanos = 0): Demand {
  return { requestId: randomUUID(), requests: 1, tokens: 0, leastNanos: nanos, mostNanos: nanos };
}

export function getGrant(admission: Admission): Grant {
  if (!admission.admitted || admission.grant === null) throw new Error('nothing was granted');
  return admission.grant;
}

/** A ledger with one sum, which counts how often it is asked. */
export class SumSource {
  readonly questions: SpentQuestion[] = [];
  answer: () => Promise<Nanos>;

  constructor(nanos: Nanos) {
    this.answer = () => Promise.resolve(nanos);
  }

  sumSpentNanos(question: SpentQuestion): Promise<Nanos> {
    this.questions.push(question);
    return this.answer();
  }
}
