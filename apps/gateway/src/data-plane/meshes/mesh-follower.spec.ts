import { Secret } from '@weir/kernel';
import { getProvider } from '@weir/providers';
import { respond, UpstreamSimulator } from '@weir/testing';
import { UpstreamTransport } from '@weir/upstreams';
import { waitFor } from '../../../../../test/support/wait-for';
import { type Attempt, type AttemptResult } from '../attempt';
import { type DetachedCall } from '../detached-call';
import { type PreparedCall } from '../prepared-call';
import { MeshFollower } from './mesh-follower';

const BEGUN = state('queued');
const TIMES = { firstPollMs: 1, mostPollMs: 4 };

let simulator: UpstreamSimulator;
let transport: UpstreamTransport;
let call: DetachedCall;

beforeAll(async () => {
  simulator = await new UpstreamSimulator().start();
  transport = new UpstreamTransport();
});
afterAll(async () => {
  await transport.destroy();
  await simulator.stop();
});
beforeEach(() => {
  simulator.reset();
  simulator.default(respond.json({}));
  call = { isClosed: false, road: { transport }, nowMs: () => 0, onInterrupt: () => undefined } as unknown as DetachedCall;
});

function state(status: string, progress = 0): Buffer {
  return Buffer.from(JSON.stringify({ id: 'm1', status, progress, error: null }));
}

function glb(bytes = 64): Buffer {
  const file = Buffer.alloc(bytes);
  file.write('glTF', 'latin1');
  file.writeUInt32LE(2, 4);
  file.writeUInt32LE(bytes, 8);
  return file;
}

const told = (status: string, progress = 0) => respond.json(JSON.parse(state(status, progress).toString()));

function follow(begun = BEGUN, noted: number[] = []): Promise<AttemptResult> {
  const upstream = { provider: 'openai-compatible', address: { origin: simulator.origin, basePath: '/v1', options: {} } };
  const attempt = { httpStatus: 200, provider: getProvider('openai-compatible'), candidate: { target: { upstream }, key: { id: 'k', secret: new Secret('sk-own') } } } as unknown as Attempt;
  const prepared = { path: '/v1/meshes' } as PreparedCall;
  return new MeshFollower(call, attempt, prepared, (progress) => noted.push(progress), TIMES).follow(begun);
}

const reasonOf = (result: AttemptResult): string => (result.kind === 'failed' ? result.failure.reason : result.kind);
const asked = (): string[] => simulator.calls.map(({ method, path }) => `${method} ${path}`);
const waitForForgotten = (): Promise<unknown> => waitFor(() => asked().includes('DELETE /v1/meshes/m1'), { what: 'the upstream to be told to forget' });

describe('a mesh that is made in the background', () => {
  it('is fetched when it is done, whatever hiccups on the way, and forgotten there', async () => {
    simulator.forPath('/v1/meshes/m1', told('in_progress', 30), respond.status(503), respond.resetBeforeHead(), told('in_progress', 60), respond.html(), told('completed', 100));
    simulator.forPath('/v1/meshes/m1/content', respond.pieces('model/gltf-binary', glb()));
    const noted: number[] = [];
    expect(await follow(BEGUN, noted)).toMatchObject({ kind: 'answered', answer: { contentType: 'model/gltf-binary', body: glb() } });
    expect(new Set(noted)).toEqual(new Set([0, 30, 60]));
    await waitForForgotten();
    expect(simulator.calls.every(({ key }) => key === 'sk-own')).toBe(true);
  });

  it.each([
    ['that fails', [told('failed')], 'mesh_failed'],
    ['that nobody knows any more', [respond.status(404)], 'mesh_lost'],
    ['whose server is away', [respond.resetBeforeHead()], 'mesh_lost'],
    ['whose server fails', [respond.status(500)], 'error_answer'],
  ])('%s is a fault of the upstream, so that another may be tried', async (_what, replies, reason) => {
    simulator.forPath('/v1/meshes/m1', ...replies);
    const result = await follow();
    expect([reasonOf(result), result.kind === 'failed' && result.failure.failureClass]).toEqual([reason, 'fault']);
    await waitForForgotten();
  });

  it.each([
    ['HTML', respond.html(), 'not_a_mesh'],
    ['half of it', respond.pieces('model/gltf-binary', glb().subarray(0, 40)), 'not_a_mesh'],
    ['nothing', respond.empty(), 'not_a_mesh'],
    ['an address of somewhere else', respond.status(400, { detail: 'Please use the cloud URL' }), 'error_answer'],
  ])('is none when its content is %s', async (_what, reply, reason) => {
    simulator.forPath('/v1/meshes/m1/content', reply);
    expect(reasonOf(await follow(state('completed')))).toBe(reason);
    await waitForForgotten();
  });

  it('is none when the upstream names none, and nobody is asked', async () => {
    expect(reasonOf(await follow(Buffer.from('{"id":"../../x","status":"queued"}')))).toBe('not_understood');
    expect(simulator.calls).toEqual([]);
  });

  it.each([
    ['deadline', 'deadline', 'fault'],
    ['called_off', 'caller_left', 'aborted'],
  ] as const)('ends at once in the middle of a look at it (%s), and the upstream is told', async (why, reason, failureClass) => {
    simulator.forPath('/v1/meshes/m1', respond.never());
    const following = follow();
    // What the test before has begun to forget may still come.
    const look = await waitFor(() => simulator.calls.find(({ method }) => method === 'GET'));
    simulator.forPath('/v1/meshes/m1', respond.json({}));
    call.onInterrupt(why);
    expect(await following).toMatchObject({ kind: 'failed', failure: { failureClass, reason, isTimeout: why === 'deadline' } });
    await simulator.waitForAbort(look);
    await waitFor(() => simulator.calls.some(({ method }) => method === 'DELETE'));
  });
});
