import { createHash } from 'node:crypto';
import { type Admission, toWindowState, type WindowState } from './admission';
import { ADMIT_LUA } from './admit.lua';
import { type LimitPlan, toPlanText } from './limit-plan';
import { type RedisClient } from './redis-client';

export const ADMIT_SHA = createHash('sha1').update(ADMIT_LUA).digest('hex');

/** One admission on its way to the script. */
export interface AdmissionQuestion {
  readonly plan: LimitPlan;
  readonly amount: number;
  readonly take: boolean;
}

/**
 * Asks the script about a batch, in one command. A Redis that has lost its scripts (restarted,
 * flushed, failed over) is given the text again.
 */
export async function askAdmissionScript(
  redis: RedisClient,
  batch: readonly AdmissionQuestion[],
  nowText: string,
): Promise<readonly (Admission | null)[]> {
  const keys: string[] = [];
  const texts: string[] = [nowText];
  for (const question of batch) {
    for (const key of question.plan.keys) keys.push(key);
    texts.push(toText(question));
  }
  let reply: unknown;
  try {
    reply = await redis.evalsha(ADMIT_SHA, keys.length, ...keys, ...texts);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    reply = await redis.eval(ADMIT_LUA, keys.length, ...keys, ...texts);
  }
  return readReply(reply, batch);
}

function toText(question: AdmissionQuestion): string {
  if (question.take && question.amount === 1) return question.plan.takeOneText;
  return toPlanText(question.plan.windows, question.take, question.amount);
}

/** Null for an admission that failed by itself. @throws when it is no answer of this script. */
function readReply(reply: unknown, batch: readonly AdmissionQuestion[]): (Admission | null)[] {
  if (!Array.isArray(reply)) throw new Error('the admission script answered something else');
  let position = 0;
  const next = (): number => {
    const value: unknown = reply[position++];
    if (typeof value !== 'number') throw new Error('the admission script answered too little');
    return value;
  };
  return batch.map(({ plan }) => {
    const refusedBy = next();
    const windows: WindowState[] = [];
    for (const window of plan.windows) {
      const used = next();
      const resetMs = next();
      windows.push(toWindowState(window, used, resetMs < 0 ? Infinity : resetMs));
    }
    if (refusedBy === 0) return { admitted: true, windows };
    return refusedBy < 0 ? null : { admitted: false, refused: windows[refusedBy - 1], windows };
  });
}
