import { type Candidate } from '@weir/upstreams';
import { type AttemptResult } from './attempt';
import { type RelayCall } from './relay-call';
import { type AttemptPlace, settleAttempt } from './settle';
import { endAttempt, type PlannedAttempt, startAttempt } from './start-attempt';

interface RunningAttempt {
  readonly place: AttemptPlace;
  readonly result: Promise<AttemptResult>;
}

/** An attempt that is over, and not yet settled. */
interface EndedAttempt {
  readonly place: AttemptPlace;
  readonly result: AttemptResult;
}

interface HedgedCall {
  readonly delayMs: number;
  readonly model: string;
}

/** Work that is the same twice, and short: of a chat, a second answer would cost as much as the first. */
export function mayHedge({ facts }: RelayCall): boolean {
  return facts.operation === 'embeddings' || facts.operation === 'rerank';
}

/**
 * Makes a second attempt beside one whose answer is late, within the pool's budget for that. The first
 * answer wins; of two failures, the first attempt's counts. The loser is ended and settled here.
 * @param hedge `delayMs`: after which the answer is late; `model`: the name that it was asked for by
 * @param plan what an attempt at another candidate would be; null where it cannot take the request
 */
export async function raceWithHedge(call: RelayCall, first: RunningAttempt, { delayMs, model }: HedgedCall, plan: (candidate: Candidate) => PlannedAttempt | null): Promise<EndedAttempt> {
  const firstEnd = endOf(call, first);
  const hedge = new Promise<EndedAttempt | null>((resolve) => {
    const timer = setTimeout(() => {
      try {
        const running = startHedge(call, first.place, model, plan);
        resolve(running === null ? null : endOf(call, running));
      } catch (error) {
        // Nobody else would catch it here, and the first attempt goes on.
        call.road.requestLog.failed(call, error);
        resolve(null);
      }
    }, delayMs);
    void firstEnd.then(() => {
      clearTimeout(timer);
      resolve(null);
    });
  });
  const hedgeAnswer = hedge.then((end) => (end !== null && end.result.kind === 'answered' ? end : firstEnd));
  const winner = await Promise.race([firstEnd.then((end) => (end.result.kind === 'answered' ? end : hedgeAnswer)), hedgeAnswer]);
  const isFirst = winner.place === first.place;
  if (isFirst) call.hedge?.abort();
  else first.place.attempt.abort();
  const loser = isFirst ? await hedge : await firstEnd;
  // So long without an answer, though none came: slow targets would never be seen to be slow.
  if (loser !== null) call.road.pool.noteFirstByte(loser.place.attempt.candidate, call.monotonicMs() - loser.place.attempt.startedMs, call.nowMs());
  if (loser !== null) await settleAttempt(call, loser.place, loser.result.kind === 'answered' ? null : loser.result.failure);
  return winner;
}

async function endOf(call: RelayCall, { place, result }: RunningAttempt): Promise<EndedAttempt> {
  const ended = { place, result: await result };
  endAttempt(call, place.attempt);
  return ended;
}

/** Null where there is nobody to ask, or the first answer has begun to come. */
function startHedge(call: RelayCall, { attempt, route }: AttemptPlace, model: string, plan: (candidate: Candidate) => PlannedAttempt | null): RunningAttempt | null {
  if (attempt.headMs !== null || attempt.isOver || call.isClosed) return null;
  const candidate = call.road.pool.pickHedge(route, attempt.candidate, call.nowMs(), model);
  const planned = candidate === null ? null : plan(candidate);
  return planned === null ? null : { place: planned.place, result: startAttempt(call, planned) };
}
