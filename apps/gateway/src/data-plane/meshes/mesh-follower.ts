import { getProvider } from '@weir/providers';
import { checkGlb } from '@weir/wire';
import { type Attempt, type AttemptResult } from '../attempt';
import { type AttemptFailure, toFailure } from '../attempt-failure';
import { type DetachedCall } from '../detached-call';
import { type PreparedCall } from '../prepared-call';
import { readMeshState, type UpstreamMesh } from './read-mesh-state';
import { type FetchedAnswer, UpstreamFetch } from './upstream-fetch';

export interface FollowTimes {
  readonly firstPollMs: number;
  readonly mostPollMs: number;
}

const TIMES: FollowTimes = { firstPollMs: 2_000, mostPollMs: 10_000 };
/** Up to so much of a pause is taken off, so that not all ask at once. */
const JITTER = 0.2;
const ASK_TIMEOUT_MS = 10_000;
const MAX_STATE_BYTES = 64 * 1024;
const MAX_MESH_BYTES = 64 * 1024 * 1024;
/** So many looks in a row may fail before the mesh is given up. */
const MOST_MISSES = 3;
const GLB_TYPE = 'model/gltf-binary';

/**
 * Follows a mesh that an upstream makes in the background, from the answer that says it has begun to
 * its bytes. All of it is one attempt: it has the attempt's place in the pool, its time limit, and its row.
 */
export class MeshFollower {
  private fetching: UpstreamFetch | null = null;
  private wakeUp: () => void = () => undefined;
  private ending: AttemptFailure | null = null;

  constructor(
    private readonly call: DetachedCall,
    private readonly attempt: Attempt,
    private readonly prepared: PreparedCall,
    private readonly onProgress: (progress: number) => void,
    private readonly times: FollowTimes = TIMES,
    private readonly random: () => number = Math.random,
  ) {}

  /** @param begun the answer of the upstream to the request; never rejects */
  async follow(begun: Buffer): Promise<AttemptResult> {
    const mesh = readMeshState(begun);
    if (mesh === null) return this.failed('not_understood');
    this.call.onInterrupt = (reason) => this.interrupt(reason);
    try {
      return await this.watch(mesh);
    } finally {
      this.call.onInterrupt = () => undefined;
      this.forget(mesh);
    }
  }

  private async watch(begun: UpstreamMesh): Promise<AttemptResult> {
    let mesh = begun;
    let pauseMs = this.times.firstPollMs;
    let misses = 0;
    for (;;) {
      if (this.call.isClosed) this.interrupt('called_off');
      if (this.ending !== null) return { kind: 'failed', failure: this.ending };
      if (mesh.status === 'completed') return this.download(mesh);
      if (mesh.status === 'failed') return this.failed('mesh_failed');
      this.onProgress(mesh.progress);
      await this.pause(pauseMs * (1 - JITTER * this.random()));
      pauseMs = Math.min(pauseMs * 2, this.times.mostPollMs);
      const answer = await this.ask(`/${mesh.id}`, MAX_STATE_BYTES);
      const next = answer?.status === 200 ? readMeshState(answer.body) : null;
      misses = next === null ? misses + 1 : 0;
      if (misses >= MOST_MISSES && this.ending === null) return this.lost(answer);
      // Whatever it calls itself now: what was begun is asked for by the name it had.
      if (next !== null) mesh = { ...next, id: mesh.id };
    }
  }

  private async download({ id }: UpstreamMesh): Promise<AttemptResult> {
    const answer = await this.ask(`/${id}/content`, MAX_MESH_BYTES);
    if (this.ending !== null) return { kind: 'failed', failure: this.ending };
    if (answer === null || answer.status !== 200) return this.lost(answer);
    const { status: httpStatus, headers, body } = answer;
    try {
      checkGlb(body);
    } catch {
      return this.failed('not_a_mesh');
    }
    return { kind: 'answered', answer: { httpStatus, headers, contentType: GLB_TYPE, body } };
  }

  private async ask(path: string, maxBytes: number): Promise<FetchedAnswer | null> {
    if (this.ending !== null) return null;
    this.fetching = new UpstreamFetch(this.call.road.transport, { timeoutMs: ASK_TIMEOUT_MS, maxBytes });
    const answer = await this.fetching.send('GET', this.toPlace(path));
    this.fetching = null;
    return answer;
  }

  /** The upstream may forget it, or stop. Nobody waits for that. */
  private forget({ id }: UpstreamMesh): void {
    void new UpstreamFetch(this.call.road.transport, { timeoutMs: ASK_TIMEOUT_MS, maxBytes: MAX_STATE_BYTES }).send('DELETE', this.toPlace(`/${id}`));
  }

  private toPlace(path: string): { origin: string; path: string; headers: string[] } {
    const { target, key } = this.attempt.candidate;
    const provider = getProvider(target.upstream.provider);
    const headers = ['accept', '*/*', 'accept-encoding', 'identity', 'user-agent', 'weir', ...provider.toHeaders(target.upstream.address)];
    if (key.id !== null) headers.push(...provider.toAuthorization(key.secret));
    return { origin: target.upstream.address.origin, path: this.prepared.path + path, headers };
  }

  private interrupt(reason: 'deadline' | 'called_off'): void {
    this.ending ??=
      reason === 'deadline'
        ? { ...toFailure('fault', this.attempt.httpStatus, 'deadline'), isTimeout: true }
        : toFailure('aborted', this.attempt.httpStatus, 'caller_left');
    this.fetching?.abort();
    this.wakeUp();
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** An error of the upstream's own says more than that there is no answer. */
  private lost(answer: FetchedAnswer | null): AttemptResult {
    if (answer === null || answer.status < 300 || answer.status === 404) return this.failed('mesh_lost');
    const provider = this.attempt.provider.readFailure(answer.status, answer.headers, answer.body, this.call.nowMs());
    // The request itself was taken: what is refused now is no fault of it.
    const failureClass = provider.failureClass === 'caller' ? 'fault' : provider.failureClass;
    return { kind: 'failed', failure: { failureClass, httpStatus: answer.status, retryAfterMs: provider.retryAfterMs, isTimeout: false, provider, reason: 'error_answer' } };
  }

  private failed(reason: string): AttemptResult {
    return { kind: 'failed', failure: toFailure('fault', this.attempt.httpStatus, reason) };
  }
}
