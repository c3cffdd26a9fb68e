import { type Admission } from './admission';
import { type AdmissionQuestion, askAdmissionScript } from './admission-script';
import { type RedisClient } from './redis-client';

/** Longer batches would hold up Redis for everybody else. */
const LARGEST_BATCH = 128;

export interface AdmissionGatherOptions {
  readonly redis: RedisClient;
  readonly timeoutMs: number;
  /** Tests only: the time that the script is told instead of taking Redis's. */
  readonly scriptNowMs?: () => number;
  /** Called once for a batch that was not answered in time, or failed. */
  readonly onTrouble: (reason: string) => void;
}

interface Waiting extends AdmissionQuestion {
  readonly resolve: (answer: Admission | null) => void;
}

/**
 * Gathers the admissions of one turn of the event loop into one call of the script: on the hot road
 * a command of its own for each would be the dearest part. Every question is answered within
 * `timeoutMs`; null means that Redis did not.
 */
export class AdmissionGather {
  readonly #options: AdmissionGatherOptions;
  #waiting: Waiting[] = [];

  constructor(options: AdmissionGatherOptions) {
    this.#options = options;
  }

  ask(question: AdmissionQuestion): Promise<Admission | null> {
    return new Promise((resolve) => {
      // After the poll phase: by then every socket that had a request ready has been read.
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({ plan: question.plan, amount: question.amount, take: question.take, resolve });
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const group of this.#options.redis.isCluster ? byOrganization(waiting) : [waiting]) {
      for (let start = 0; start < group.length; start += LARGEST_BATCH) {
        this.#send(group.length <= LARGEST_BATCH ? group : group.slice(start, start + LARGEST_BATCH));
      }
    }
  }

  #send(batch: readonly Waiting[]): void {
    let settled = false;
    const settle = (answers: readonly (Admission | null)[] | null, trouble: string | null): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      if (trouble !== null) this.#options.onTrouble(trouble);
      for (let index = 0; index < batch.length; index++) batch[index].resolve(answers === null ? null : answers[index]);
    };
    // Timers run before sockets are read: after a long pause of this process the answer may be
    // there, unread. So look once more behind the poll phase before Redis is blamed.
    const timer = setTimeout(() => setImmediate(() => settle(null, 'timeout')), this.#options.timeoutMs);
    const nowText = this.#options.scriptNowMs === undefined ? '' : String(this.#options.scriptNowMs());
    askAdmissionScript(this.#options.redis, batch, nowText).then(
      (answers) => settle(answers, null),
      (error: unknown) => settle(null, toReason(error)),
    );
  }
}

/** The code that Redis puts first (`READONLY`, `OOM`), or that the connection failed; never a whole message. */
function toReason(error: unknown): string {
  const code = error instanceof Error ? /^[A-Z]{2,}\b/.exec(error.message) : null;
  return code === null ? 'connection' : code[0];
}

/** In a cluster the keys of one call must be in one slot, and an organization's are. */
function byOrganization(waiting: readonly Waiting[]): Iterable<readonly Waiting[]> {
  return Map.groupBy(waiting, (question) => question.plan.organizationId).values();
}
