import { WeirError } from '@weir/kernel';
import { SealedBytesUnreadable } from '@weir/vault';
import { meshes as meshesDefinition } from '../../operations/meshes';
import { type LoopResult } from '../attempt-loop';
import { getCallRoutes } from '../call-routes';
import { toCallerError, toCallerStatus } from '../caller-error';
import { type DetachedCall } from '../detached-call';
import { type ClaimedMesh } from './mesh-job';
import { MeshFollower } from './mesh-follower';
import { type Meshes } from './meshes';
import { type RunEnd, toRunEnd } from './to-run-end';

/** A key that was made a moment ago may not be known to this process yet. */
const UNKNOWN_KEY_WAIT_MS = 2_000;
const PLACE = { model: null, isStream: null, defaults: { embedModel: '', rerankModel: '' } };

/**
 * One run of a job, down the road of any other call: the key that asked, its limits and budgets, the
 * pool with its retries, and a usage row for each attempt. Never rejects.
 * @param onProgress told per cent, as often as they are known
 */
export async function runMesh(meshes: Meshes, job: ClaimedMesh, call: DetachedCall, onProgress: (progress: number) => void): Promise<RunEnd> {
  const { metrics, requestLog } = call.road;
  metrics.requestStarted();
  let error: WeirError;
  try {
    const end = await run(meshes, job, call, onProgress);
    if (!(end instanceof WeirError)) {
      call.finish(end.kind === 'completed' ? 200 : end.status, end.kind === 'completed' ? null : end.error.code);
      return end;
    }
    error = end;
  } catch (thrown) {
    if (!(thrown instanceof WeirError)) requestLog.failed(call, thrown);
    error = thrown instanceof WeirError ? thrown : new WeirError('internal_error');
  }
  call.finish(error.status, error.code);
  if (call.isClosed) return { kind: 'waits', afterMs: 0, counts: false, reason: null };
  return toRunEnd(error, { attempts: call.attempts, runs: job.attempts, remainingMs: job.remainingMs });
}

type Ended = Extract<RunEnd, { kind: 'completed' }> | (Extract<RunEnd, { kind: 'failed' }> & { readonly status: number });

async function run(meshes: Meshes, job: ClaimedMesh, call: DetachedCall, onProgress: (progress: number) => void): Promise<Ended | WeirError> {
  const { road } = call;
  if (job.keyId === null) return new WeirError('invalid_api_key', { message: 'The API key has been deleted.' });
  const caller = road.findCaller(job.keyId, road.clock.nowMs());
  if (caller === null) return new WeirError('database_unavailable', { message: 'The key is not known here yet.', retryAfterMs: UNKNOWN_KEY_WAIT_MS });
  call.caller = caller;
  call.facts = meshesDefinition.readFacts(await openRequest(meshes, job), meshesDefinition, PLACE);
  const routes = getCallRoutes(road.pool, caller, 'meshes', call.facts.model);
  call.route = routes[0].route;
  call.follow = (attempt, prepared, result) => {
    if (result.kind !== 'answered' || prepared.format !== 'meshes') return Promise.resolve(result);
    return new MeshFollower(call, attempt, prepared, onProgress).follow(result.answer.body);
  };
  return toEnded(await call.run(caller, routes));
}

async function openRequest(meshes: Meshes, job: ClaimedMesh): Promise<Buffer> {
  try {
    return await meshes.openRequest(job);
  } catch (error) {
    if (!(error instanceof SealedBytesUnreadable)) throw error;
    throw new WeirError('conflict', { message: 'The request can no longer be read: it was sealed with a key that is not there any more.', detail: error.message });
  }
}

function toEnded(result: LoopResult): Ended | WeirError {
  switch (result.kind) {
    case 'answered':
      return { kind: 'completed', body: result.answer.body };
    case 'streamed':
      throw new Error('a mesh was streamed to nobody');
    case 'refused_by_provider': {
      const { failure, attempt } = result;
      const { message, code, type } = toCallerError(failure, attempt.candidate.key.secret);
      return { kind: 'failed', status: toCallerStatus(failure), error: { code: code ?? type, message } };
    }
    case 'failed':
      return result.error;
  }
}
