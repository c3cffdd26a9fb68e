import { systemClock } from '@weir/kernel';
import { TurnGather } from '@weir/platform';
import { createHash } from 'node:crypto';
import { AnswerDeadlines, type Asked } from './answer-deadlines';
import { METER_LUA } from './meter.lua';
import { type RedisClient } from './redis-client';
import { ReplyReader } from './reply-reader';
import { type ScriptCall } from './script-call';

export const METER_SHA = createHash('sha1').update(METER_LUA).digest('hex');

/** Longer batches would hold up Redis for everybody else. */
const LARGEST_BATCH = 64;
/** What nobody waits for goes along with what somebody does; alone, after so long. Until then what it gives back is not there for other processes. */
const LONGEST_WAIT_FOR_COMPANY_MS = 4;
/** In place of a text: the same again, of the same keys (see meter.lua.ts). */
const AS_BEFORE = '=';

/** Where the keys stand in the arguments of the command: behind the script and their number. */
const KEYS_AT = 2;

/** How a batch looks to whom it does not matter what its calls answer. */
type AnyCall = Pick<ScriptCall<unknown>, 'organizationId' | 'keys' | 'keysWithin' | 'text' | 'isAdmission' | 'canWait'> & {
  answer(reply: ReplyReader): void;
  resolve(answer: null): void;
};

export interface ScriptGatherOptions {
  readonly redis: RedisClient;
  readonly timeoutMs: number;
  /** Tests only: the time that the script is told instead of taking Redis's. */
  readonly scriptNowMs?: () => number;
  /** Called once for a batch that was not answered in time, or failed. */
  readonly onTrouble: (reason: string) => void;
  /** Called before admissions are sent; false: they are not, and are answered with null. */
  readonly beforeSend?: () => boolean;
}

/**
 * Gathers what is asked in one turn of the event loop into one call of the script: on the hot road a
 * command of its own for each would be the dearest part. Things happen in the order in which they
 * were asked. Every call is answered within `timeoutMs`; null means that Redis did not.
 */
export class ScriptGather {
  readonly #options: ScriptGatherOptions;
  #waiting: AnyCall[] = [];
  #companyTimer: NodeJS.Timeout | null = null;
  readonly #deadlines: AnswerDeadlines;
  readonly #turn = new TurnGather(() => this.#flush());
  readonly #flushSoon = (): void => this.#flush();

  constructor(options: ScriptGatherOptions) {
    this.#options = options;
    this.#deadlines = new AnswerDeadlines(options.timeoutMs);
  }

  ask<Value>(call: ScriptCall<Value>): Promise<Value | null> {
    return new Promise((resolve) => {
      call.resolve = resolve;
      this.#waiting.push(call);
      this.#schedule(call.canWait);
    });
  }

  #schedule(canWait: boolean): void {
    if (canWait) {
      this.#companyTimer ??= setTimeout(this.#flushSoon, LONGEST_WAIT_FOR_COMPANY_MS);
      return;
    }
    this.#turn.note();
  }

  #flush(): void {
    const waiting = this.#recorded(this.#waiting);
    this.#waiting = [];
    if (this.#companyTimer !== null) clearTimeout(this.#companyTimer);
    this.#companyTimer = null;
    for (const group of this.#options.redis.isCluster ? byOrganization(waiting) : [waiting]) {
      for (let start = 0; start < group.length; start += LARGEST_BATCH) {
        this.#send(group.length <= LARGEST_BATCH ? group : group.slice(start, start + LARGEST_BATCH));
      }
    }
  }

  /** What may be sent: no admission unless everything about it is on record. */
  #recorded(waiting: AnyCall[]): AnyCall[] {
    const { beforeSend } = this.#options;
    if (beforeSend === undefined || !waiting.some((call) => call.isAdmission) || beforeSend()) return waiting;
    for (const call of waiting) if (call.isAdmission) call.resolve(null);
    return waiting.filter((call) => !call.isAdmission);
  }

  #send(batch: readonly AnyCall[]): void {
    const asked: Asked = { askedMs: systemClock.monotonicMs(), onLate: () => this.#fail(batch, 'timeout') };
    this.#deadlines.expect(asked);
    this.#run(batch).then(
      (reply) => {
        if (!this.#deadlines.answered(asked)) return;
        const trouble = answerAll(batch, reply);
        if (trouble !== null) this.#fail(batch, trouble);
      },
      (error: unknown) => {
        if (this.#deadlines.answered(asked)) this.#fail(batch, toReason(error));
      },
    );
  }

  #fail(batch: readonly AnyCall[], trouble: string): void {
    this.#options.onTrouble(trouble);
    // Those that are answered already take no notice.
    for (const call of batch) call.resolve(null);
  }

  /** A Redis that has lost its scripts (restarted, flushed, failed over) is given the text again. */
  #run(batch: readonly AnyCall[]): Promise<unknown> {
    const { redis, scriptNowMs } = this.#options;
    const words = [METER_SHA, ''];
    const places = placeKeys(batch, words);
    words[KEYS_AT - 1] = String(words.length - KEYS_AT);
    words.push(scriptNowMs === undefined ? '' : String(scriptNowMs()));
    for (let index = 0; index < batch.length; index++) {
      const call = batch[index];
      words.push(isRepeated(batch, index) ? AS_BEFORE : `${toPlace(call, places)} ${call.text}`);
    }
    // Read as it comes: for the sake of the few texts in replies, every number would be copied.
    return redis.callBuffer('evalsha', words).catch((error: unknown) => {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      words[0] = METER_LUA;
      return redis.callBuffer('eval', words);
    });
  }
}

/** Where the first of some keys stands among all of a command, from 1. */
type KeyPlaces = Map<readonly string[], number>;

/** Adds the keys of all calls to the words of a command, no plan's twice: those of a settlement are among those of an admission. */
function placeKeys(batch: readonly AnyCall[], words: string[]): KeyPlaces {
  const places: KeyPlaces = new Map();
  for (const { isAdmission, keys } of batch) if (isAdmission) place(keys, places, words);
  for (const { isAdmission, keys, keysWithin } of batch) {
    if (!isAdmission && (keysWithin === null || !places.has(keysWithin.keys))) place(keys, places, words);
  }
  return places;
}

function place(keys: readonly string[], places: KeyPlaces, words: string[]): void {
  if (places.has(keys)) return;
  places.set(keys, words.length - KEYS_AT + 1);
  for (const key of keys) words.push(key);
}

function toPlace({ keys, keysWithin }: AnyCall, places: KeyPlaces): number | undefined {
  const whole = keysWithin === null ? undefined : places.get(keysWithin.keys);
  return keysWithin === null || whole === undefined ? places.get(keys) : whole + keysWithin.at;
}

/** Whether a call asks the same of the same counters as the one before it: that is said in one byte. */
function isRepeated(batch: readonly AnyCall[], index: number): boolean {
  if (index === 0) return false;
  const before = batch[index - 1];
  const call = batch[index];
  return call.keys === before.keys && call.text === before.text;
}

/** @returns what is wrong with the reply; null when every call could read its part. */
function answerAll(batch: readonly AnyCall[], reply: unknown): string | null {
  if (!Array.isArray(reply)) return 'reply';
  const reader = new ReplyReader(reply);
  try {
    for (const call of batch) call.answer(reader);
    return null;
  } catch {
    return 'reply';
  }
}

/** The code that Redis puts first (`READONLY`, `OOM`), or that the connection failed; never a whole message. */
function toReason(error: unknown): string {
  const code = error instanceof Error ? /^[A-Z]{2,}\b/.exec(error.message) : null;
  return code === null ? 'connection' : code[0];
}

/** In a cluster the keys of one call must be in one slot, and an organization's are. */
function byOrganization(waiting: readonly AnyCall[]): Iterable<readonly AnyCall[]> {
  return Map.groupBy(waiting, (call) => call.organizationId).values();
}
