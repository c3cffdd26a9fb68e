import { Gate, respond, type SimulatorCall, stall } from '@weir/testing';
import { MeterScene, USD } from './support/meter-scene';
import { S3Simulator } from './support/s3-simulator';
import { waitFor } from './support/wait-for';
import { addKey, addModel, addUpstream, waitForModel, type Weir } from './support/weir';

const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
const URI = `data:image/png;base64,${PNG.toString('base64')}`;
const SECRET = 'sk-simulated-0123456789';
const CENT = USD / 100;
const TRELLIS = 'mesh-at-once';
const BACKGROUND = 'mesh-in-background';

interface MeshObject {
  readonly id: string;
  readonly object: string;
  readonly status: string;
  readonly progress: number;
  readonly model: string;
  readonly created_at: number;
  readonly error: { code: string; message: string } | null;
}

/** A whole binary glTF. */
function glb(bytes = 5_000): Buffer {
  const file = Buffer.alloc(bytes, 7);
  file.write('glTF', 'latin1');
  file.writeUInt32LE(2, 4);
  file.writeUInt32LE(bytes, 8);
  return file;
}

const mesh = (bytes = glb()) => respond.pieces('model/gltf-binary', bytes);

async function ask<Answer = MeshObject>(weir: Weir, key: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; body: Answer; headers: Headers }> {
  const isForm = body instanceof FormData;
  const response = await fetch(weir.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : isForm ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer, headers: response.headers };
}

async function make(weir: Weir, key: string, body: object, path = '/v1/meshes'): Promise<MeshObject> {
  const made = await ask(weir, key, 'POST', path, body);
  expect([made.status, made.body]).toEqual([200, expect.objectContaining({ object: 'mesh', status: 'queued', progress: 0, error: null })]);
  return made.body;
}

const until = (weir: Weir, key: string, { id }: MeshObject, status: string): Promise<MeshObject> =>
  waitFor(
    async () => {
      const { body } = await ask(weir, key, 'GET', `/v1/meshes/${id}`);
      if (body.status !== status && ['completed', 'failed'].includes(body.status)) throw new Error(JSON.stringify(body));
      return body.status === status ? body : null;
    },
    { what: `the mesh to be ${status}` },
  );

async function content(weir: Weir, key: string, { id }: MeshObject): Promise<{ status: number; type: string | null; bytes: Buffer }> {
  const response = await fetch(`${weir.url}/v1/meshes/${id}/content`, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, type: response.headers.get('content-type'), bytes: Buffer.from(await response.arrayBuffer()) };
}

/** What the simulator was asked, apart from whether it is well. */
const workOf = (scene: MeterScene): SimulatorCall[] => scene.simulator.calls.filter(({ path }) => path !== '/health');

const waitForWork = (scene: MeterScene, count: number): Promise<SimulatorCall[]> =>
  waitFor(() => (workOf(scene).filter(({ isBodyWhole }) => isBodyWhole).length >= count ? workOf(scene) : null), { what: `${count} calls` });

async function addModels(scene: MeterScene): Promise<void> {
  const trellis = await addUpstream(scene.weir, { name: 'trellis', provider: 'trellis', baseUrl: scene.simulator.origin, secrets: [SECRET] });
  const sglang = await addUpstream(scene.weir, { name: 'sglang', provider: 'openai-compatible', baseUrl: scene.simulator.baseUrl, secrets: [SECRET] });
  await addModel(scene.weir, TRELLIS, [trellis.id], { operation: 'meshes', price: { per_request_usd: 0.01 } });
  await addModel(scene.weir, BACKGROUND, [sglang.id], { operation: 'meshes', price: { per_request_usd: 0.01 } });
}

async function makeKey(scene: MeterScene, fields: object = {}): Promise<{ id: string; key: string }> {
  const made = await addKey(scene.weir, { ...fields });
  for (const weir of scene.weirs) await waitForModel(weir, made.key, TRELLIS);
  return made;
}

const toRows = (scene: MeterScene, keyId: string, count: number) =>
  waitFor(
    async () => {
      const rows = await scene.query<{ status: string; attempt: number; request_id: string; cost_nanos: string | null; operation: string; duration_ms: number; error_code: string | null }>(
        'SELECT * FROM usage_records WHERE key_id = $1 ORDER BY at, request_id, attempt',
        [keyId],
      );
      return rows.length >= count ? rows : null;
    },
    { what: `${count} usage rows` },
  );

describe('meshes over two processes', () => {
  let scene: MeterScene;
  let own: { id: string; key: string };

  beforeAll(async () => {
    scene = await MeterScene.start({ processes: 2 });
    await addModels(scene);
    own = await makeKey(scene);
  });
  afterAll(() => scene.stop());
  beforeEach(() => scene.simulator.reset());

  it('makes one at a service that answers with the mesh, tells of it on both processes, and charges it once', async () => {
    const { id, key } = await makeKey(scene);
    const [gate, bytes] = [new Gate(), glb(300_000)];
    scene.simulator.forPath('/generate', mesh(bytes).after(gate));
    const made = await make(scene.weir, key, { model: TRELLIS, image: URI, seed: 7, texture_size: 512 });
    expect(made).toMatchObject({ id: expect.stringMatching(/^mesh_[0-9a-f]{32}$/) as string, model: TRELLIS });
    const [call] = await waitForWork(scene, 1);
    expect(call.json).toEqual({ image: PNG.toString('base64'), seed: 7, texture_size: 512 });
    await until(scene.weirs[1], key, made, 'in_progress');
    expect((await content(scene.weirs[0], key, made)).status).toBe(409);
    gate.open();
    expect(await until(scene.weirs[1], key, made, 'completed')).toMatchObject({ progress: 100, error: null });
    for (const weir of scene.weirs) expect(await content(weir, key, made)).toEqual({ status: 200, type: 'model/gltf-binary', bytes });
    expect(await toRows(scene, id, 1)).toEqual([expect.objectContaining({ status: 'succeeded', attempt: 1, operation: 'meshes', cost_nanos: String(CENT) })]);
    expect(workOf(scene)).toHaveLength(1);
  });

  it('takes a form, and the short route', async () => {
    scene.simulator.forPath('/generate', mesh());
    const form = new FormData();
    for (const [name, value] of Object.entries({ model: TRELLIS, seed: '5', preprocess_image: 'true', mesh_simplify: '0.5' })) form.append(name, value);
    form.append('image', new File([PNG], 'chair.png', { type: 'image/png' }));
    const { status, body } = await ask(scene.weir, own.key, 'POST', '/v1/meshes', form);
    expect(status).toBe(200);
    await until(scene.weir, own.key, body, 'completed');
    expect(workOf(scene)[0].json).toEqual({ image: PNG.toString('base64'), seed: 5, preprocess_image: true, mesh_simplify: 0.5 });
    const short = await make(scene.weirs[1], own.key, { model: TRELLIS, image: PNG.toString('base64') }, '/generate/3d');
    await until(scene.weir, own.key, short, 'completed');
  });

  it('follows one that an upstream makes in the background: asked with the same key, fetched, and deleted there', async () => {
    const { id, key } = await makeKey(scene);
    const state = (status: string, progress: number) => respond.json({ id: 'up-1', object: 'mesh', status, progress, error: null });
    scene.simulator.forPath('/v1/meshes', state('queued', 0));
    scene.simulator.forPath('/v1/meshes/up-1', state('in_progress', 40), state('completed', 100));
    const bytes = glb();
    scene.simulator.forPath('/v1/meshes/up-1/content', mesh(bytes));
    const made = await make(scene.weir, key, { model: BACKGROUND, image: PNG.toString('base64'), seed: 3, guidance_scale: 2 });
    await waitFor(async () => (await ask(scene.weirs[1], key, 'GET', `/v1/meshes/${made.id}`)).body.progress === 40, { what: 'its progress' });
    await until(scene.weir, key, made, 'completed');
    expect((await content(scene.weir, key, made)).bytes).toEqual(bytes);
    await waitFor(() => workOf(scene).some(({ method }) => method === 'DELETE'));
    const calls = workOf(scene).map(({ method, path }) => `${method} ${path}`);
    expect(calls).toEqual(['POST /v1/meshes', 'GET /v1/meshes/up-1', 'GET /v1/meshes/up-1', 'GET /v1/meshes/up-1/content', 'DELETE /v1/meshes/up-1']);
    expect(new Set(workOf(scene).map((call: SimulatorCall) => call.key))).toEqual(new Set([SECRET]));
    expect(workOf(scene)[0].json).toEqual({ model: `upstream-${BACKGROUND}`, input_image: URI, seed: 3, guidance_scale: 2, output_format: 'glb' });
    const [row] = await toRows(scene, id, 1);
    expect(row).toMatchObject({ status: 'succeeded', cost_nanos: String(CENT) });
    // The attempt lasts until the mesh is there, which is what a price by the second goes by.
    expect(row.duration_ms).toBeGreaterThan(3_000);
  });

  it.each([
    ['a URL', { model: TRELLIS, image: 'https://a.b/c.png' }, 400, 'image'],
    ['a file', { model: TRELLIS, image: 'file:///etc/passwd' }, 400, 'image'],
    ['a picture that lies about its type', { model: TRELLIS, image: URI.replace('png', 'gif') }, 400, 'image'],
    ['no picture', { model: TRELLIS }, 400, 'image'],
    ['a URL among the options', { model: TRELLIS, image: URI, callback: 'http://10.0.0.1' }, 400, 'callback'],
    ['an option that the service does not have', { model: TRELLIS, image: URI, guidance_scale: 2 }, 400, 'guidance_scale'],
    ['no model', { image: URI }, 400, 'model'],
    ['an unknown model', { model: 'nobody', image: URI }, 404, 'model'],
  ])('refuses %s at once, and makes no job', async (_what, body, status, param) => {
    const before = await ask<{ data: MeshObject[] }>(scene.weir, own.key, 'GET', '/v1/meshes?limit=100');
    const refused = await ask<{ error: { param: string } }>(scene.weir, own.key, 'POST', '/v1/meshes', body);
    expect([refused.status, refused.body.error.param]).toEqual([status, param]);
    expect((await ask(scene.weir, own.key, 'GET', '/v1/meshes?limit=100')).body).toEqual(before.body);
    expect(workOf(scene)).toHaveLength(0);
  });

  it('refuses a form without a picture, with an empty one, and one that lies about its type', async () => {
    const send = async (file: File | null) => {
      const form = new FormData();
      form.append('model', TRELLIS);
      if (file !== null) form.append('image', file);
      const { status, body } = await ask<{ error: { param: string } }>(scene.weir, own.key, 'POST', '/v1/meshes', form);
      return [status, body.error.param];
    };
    expect(await send(null)).toEqual([400, 'image']);
    expect(await send(new File([], 'a.png', { type: 'image/png' }))).toEqual([400, 'image']);
    expect(await send(new File([PNG], 'a.webp', { type: 'image/webp' }))).toEqual([400, 'image']);
    expect(await send(new File(['<html>'], 'a.png'))).toEqual([400, 'image']);
  });

  it("hides one organization's meshes from another, and models that a key may not use", async () => {
    scene.simulator.forPath('/generate', mesh());
    const made = await make(scene.weir, own.key, { model: TRELLIS, image: URI });
    await until(scene.weir, own.key, made, 'completed');
    const other = await makeKey(scene);
    for (const [method, path] of [['GET', ''], ['GET', '/content'], ['DELETE', '']]) expect((await ask(scene.weir, other.key, method, `/v1/meshes/${made.id}${path}`)).status).toBe(404);
    expect((await ask<{ data: unknown[] }>(scene.weir, other.key, 'GET', '/v1/meshes')).body.data).toEqual([]);
    expect((await content(scene.weir, own.key, made)).status).toBe(200);
    const narrow = await addKey(scene.weir, { models: [BACKGROUND] });
    expect((await ask(scene.weir, narrow.key, 'POST', '/v1/meshes', { model: TRELLIS, image: URI })).status).toBe(403);
    expect((await ask(scene.weir, own.key, 'PUT', `/v1/meshes/${made.id}`)).status).toBe(405);
    expect((await ask(scene.weir, own.key, 'GET', '/generate/3d')).status).toBe(405);
    expect((await ask(scene.weir, own.key, 'GET', '/v1/meshes/..%2f..%2fetc')).status).toBe(404);
  });

  it('is explained before it is asked for', async () => {
    const explained = await ask<{ admitted: boolean; operation: string }>(scene.weir, own.key, 'POST', '/v1/explain', { path: '/v1/meshes', request: { model: TRELLIS, image: URI } });
    expect([explained.status, explained.body]).toEqual([200, expect.objectContaining({ operation: 'meshes', admitted: true })]);
  });

  it('lists pages, newest first', async () => {
    const { key } = await makeKey(scene);
    scene.simulator.forPath('/generate', mesh());
    const made: string[] = [];
    for (let index = 0; index < 5; index++) made.unshift((await make(scene.weirs[index % 2], key, { model: TRELLIS, image: URI, seed: index })).id);
    const first = (await ask<{ data: MeshObject[]; has_more: boolean; last_id: string }>(scene.weir, key, 'GET', '/v1/meshes?limit=3')).body;
    expect([first.data.map(({ id }) => id), first.has_more]).toEqual([made.slice(0, 3), true]);
    const rest = (await ask<{ data: MeshObject[]; has_more: boolean }>(scene.weir, key, 'GET', `/v1/meshes?limit=3&after=${first.last_id}`)).body;
    expect([rest.data.map(({ id }) => id), rest.has_more]).toEqual([made.slice(3), false]);
    expect((await ask(scene.weir, key, 'GET', '/v1/meshes?limit=0')).status).toBe(400);
  });

  it('aborts the upstream when it is deleted, whichever process is asked', async () => {
    const { id, key } = await makeKey(scene);
    for (const count of [1, 2, 3, 4]) {
      scene.simulator.forPath('/generate', respond.never());
      const made = await make(scene.weir, key, { model: TRELLIS, image: URI });
      const calls = await waitForWork(scene, 1);
      // One of the two is the one that works on it.
      expect((await ask(scene.weirs[count % 2], key, 'DELETE', `/v1/meshes/${made.id}`)).body).toEqual({ id: made.id, object: 'mesh.deleted', deleted: true });
      await scene.simulator.waitForAbort(calls[0]);
      expect((await ask(scene.weir, key, 'GET', `/v1/meshes/${made.id}`)).status).toBe(404);
      expect((await toRows(scene, id, count)).map(({ status }) => status)).toEqual(Array(count).fill('aborted'));
      scene.simulator.reset();
    }
  });

  it('never runs a job twice: of thirty asked for on both processes each is made once', async () => {
    const { id, key } = await makeKey(scene);
    scene.simulator.forPath('/generate', mesh());
    const made = await Promise.all(Array.from({ length: 30 }, (_, seed) => make(scene.weirs[seed % 2], key, { model: TRELLIS, image: URI, seed })));
    await Promise.all(made.map((one) => until(scene.weir, key, one, 'completed')));
    expect(workOf(scene).map(({ json }: SimulatorCall) => Number(json.seed)).sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, seed) => seed));
    expect(await toRows(scene, id, 30)).toHaveLength(30);
  });

  it('tries another time where the upstream fails, and fails with a clear error when it goes on failing', async () => {
    const { id, key } = await makeKey(scene);
    scene.simulator.forPath('/generate', respond.html(), mesh());
    await until(scene.weir, key, await make(scene.weir, key, { model: TRELLIS, image: URI }), 'completed');
    expect((await toRows(scene, id, 2)).map(({ status, error_code }) => [status, error_code])).toEqual([['failed', 'fault:not_a_mesh'], ['succeeded', null]]);
    scene.simulator.reset();
    scene.simulator.forPath('/generate', respond.status(500, { detail: 'CUDA out of memory' }));
    const doomed = await make(scene.weir, key, { model: TRELLIS, image: URI });
    await waitFor(async () => (await scene.query(`SELECT 1 FROM mesh_jobs WHERE id = $1 AND status = 'queued' AND attempts = 1`, [doomed.id])).length === 1, { what: 'the first run to have failed' });
    // As if the second had, too, and its wait were over.
    await scene.query('UPDATE mesh_jobs SET attempts = 2, due_at = now() WHERE id = $1', [doomed.id]);
    const { error } = await until(scene.weir, key, doomed, 'failed');
    expect(error).toEqual({ code: 'upstream_error', message: 'The upstream failed to answer properly.' });
    expect((await content(scene.weir, key, doomed)).status).toBe(409);
    const rows = await toRows(scene, id, 2 + workOf(scene).length);
    expect(rows.slice(2).every(({ status }) => status === 'failed')).toBe(true);
    expect(new Set(rows.slice(2).map((row) => row.request_id)).size).toBe(2);
  });

  it("fails with the provider's words where it finds the picture wrong, without another try", async () => {
    scene.simulator.forPath('/generate', respond.json({ detail: 'no object in the picture' }, 422));
    const { error } = await until(scene.weir, own.key, await make(scene.weir, own.key, { model: TRELLIS, image: URI }), 'failed');
    expect(error?.message).toBe('no object in the picture');
    expect(workOf(scene)).toHaveLength(1);
  });

  it('fails where the budget does not afford it, and calls nobody', async () => {
    const { key } = await makeKey(scene, { budgets: [{ amount_usd: 0.005, period: 'total' }] });
    const { error } = await until(scene.weir, key, await make(scene.weir, key, { model: TRELLIS, image: URI }), 'failed');
    expect(error?.code).toBe('budget_exceeded');
    expect(workOf(scene)).toHaveLength(0);
  });

  it('waits for a rate limit to free, and fails when its key is revoked meanwhile', async () => {
    const { id, key } = await makeKey(scene, { limits: { rpm: 1 } });
    scene.simulator.forPath('/generate', mesh());
    await until(scene.weir, key, await make(scene.weir, key, { model: TRELLIS, image: URI }), 'completed');
    const waiting = await make(scene.weir, key, { model: TRELLIS, image: URI });
    const [row] = await waitFor(async () => {
      const rows = await scene.query<{ attempts: number; wait_s: number }>(
        `SELECT attempts, extract(epoch FROM due_at - now())::float8 AS wait_s FROM mesh_jobs WHERE id = $1 AND status = 'queued' AND error_code = 'rate_limit_exceeded'`,
        [waiting.id],
      );
      return rows.length === 1 ? rows : null;
    });
    expect(row.attempts).toBe(0);
    expect(row.wait_s).toBeGreaterThan(20);
    // Why it waits is no failure.
    expect((await ask(scene.weir, key, 'GET', `/v1/meshes/${waiting.id}`)).body).toMatchObject({ status: 'queued', error: null });
    const other = await addKey(scene.weir);
    await scene.query('UPDATE proxy_keys SET organization_id = (SELECT organization_id FROM proxy_keys WHERE id = $1) WHERE id = $2', [id, other.id]);
    await scene.weir.admin('DELETE', `/keys/${id}`);
    await waitFor(async () => (await Promise.all(scene.weirs.map(async (weir) => (await ask(weir, key, 'GET', '/v1/meshes')).status))).every((status) => status === 401));
    await scene.query('UPDATE mesh_jobs SET due_at = now() WHERE id = $1', [waiting.id]);
    const [failed] = await waitFor(async () => {
      const rows = await scene.query<{ error_code: string; request: Buffer | null }>(`SELECT error_code, request FROM mesh_jobs WHERE id = $1 AND status = 'failed'`, [waiting.id]);
      return rows.length === 1 ? rows : null;
    });
    expect(failed).toEqual({ error_code: 'invalid_api_key', request: null });
    expect(workOf(scene)).toHaveLength(1);
  });

  it('answers a repeat under the same Idempotency-Key with the same job', async () => {
    scene.simulator.forPath('/generate', mesh());
    const headers = { 'idempotency-key': `mesh-${Date.now()}` };
    const body = { model: TRELLIS, image: URI };
    const first = await ask(scene.weir, own.key, 'POST', '/v1/meshes', body, headers);
    const again = await waitFor(async () => {
      const answer = await ask(scene.weirs[1], own.key, 'POST', '/v1/meshes', body, headers);
      return answer.status === 409 ? null : answer;
    });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await ask(scene.weir, own.key, 'POST', '/v1/meshes', { ...body, seed: 1 }, headers)).status).toBe(422);
  });

  it('keeps no picture in the clear, and none once it is done', async () => {
    scene.simulator.forPath('/generate', mesh().after(new Gate()));
    const made = await make(scene.weir, own.key, { model: TRELLIS, image: URI });
    await waitForWork(scene, 1);
    const [{ request }] = await scene.query<{ request: Buffer }>('SELECT request FROM mesh_jobs WHERE id = $1', [made.id]);
    expect(request.includes(PNG) || request.includes(PNG.toString('base64'))).toBe(false);
    await ask(scene.weir, own.key, 'DELETE', `/v1/meshes/${made.id}`);
  });
});

describe('meshes over two machines that share a bucket and no disk', () => {
  const KEYS = { accessKeyId: 'AKIAWEIR', secretAccessKey: 'canary-secret', region: 'us-east-1' };
  let scene: MeterScene;
  let bucket: S3Simulator;
  let own: { id: string; key: string };

  beforeAll(async () => {
    bucket = await S3Simulator.start('weir-files', KEYS);
    const environment = { VOICE_STORE: 's3', VOICE_S3_BUCKET: 'weir-files', VOICE_S3_ENDPOINT: bucket.endpoint, VOICE_S3_ACCESS_KEY_ID: KEYS.accessKeyId, VOICE_S3_SECRET_ACCESS_KEY: KEYS.secretAccessKey };
    scene = await MeterScene.start({ processes: 2, diskEach: true, environment });
    await addModels(scene);
    own = await makeKey(scene);
  });
  afterAll(async () => {
    await scene.stop();
    await bucket.stop();
  });

  it('are given out by both, and deleted by either', async () => {
    const bytes = glb(300_000);
    scene.simulator.forPath('/generate', mesh(bytes));
    const made = await make(scene.weir, own.key, { model: TRELLIS, image: URI });
    await until(scene.weir, own.key, made, 'completed');
    for (const weir of scene.weirs) expect(await content(weir, own.key, made)).toEqual({ status: 200, type: 'model/gltf-binary', bytes });
    expect([...bucket.objects.keys()]).toEqual([expect.stringMatching(new RegExp(`^voices/meshes/[0-9a-f-]{36}/${made.id}\\.[0-9a-f-]{36}\\.glb$`))]);
    expect((await ask(scene.weirs[1], own.key, 'DELETE', `/v1/meshes/${made.id}`)).status).toBe(200);
    expect([...bucket.objects.keys()]).toEqual([]);
    expect((await content(scene.weirs[0], own.key, made)).status).toBe(404);
  });

  it('are 503 with Retry-After while the bucket is away, and there again after', async () => {
    scene.simulator.forPath('/generate', mesh());
    const made = await make(scene.weir, own.key, { model: TRELLIS, image: URI });
    await until(scene.weir, own.key, made, 'completed');
    bucket.failWith = 503;
    expect(await ask<{ error: { code: string } }>(scene.weirs[1], own.key, 'GET', `/v1/meshes/${made.id}/content`)).toMatchObject({ status: 503, body: { error: { code: 'no_upstream_available' } } });
    bucket.failWith = null;
    expect((await content(scene.weirs[1], own.key, made)).bytes).toEqual(glb());
  });
});

describe('meshes of a process that ends', () => {
  let scene: MeterScene;
  let own: { id: string; key: string };

  beforeAll(async () => {
    scene = await MeterScene.start({ withRedis: false });
    await addModels(scene);
    own = await makeKey(scene);
  });
  afterAll(() => scene.stop());

  async function restart(end: (weir: Weir) => Promise<void>): Promise<void> {
    await end(scene.weir);
    scene.weirs.shift();
    scene.simulator.reset();
    scene.simulator.forPath('/generate', mesh());
    await scene.startWeir();
  }

  it('are finished by the next one when it was killed, once its lease is over and not before; both runs have their rows', async () => {
    scene.simulator.forPath('/generate', respond.pieces('model/gltf-binary', glb().subarray(0, 100), stall));
    const made = await make(scene.weir, own.key, { model: TRELLIS, image: URI });
    await waitForWork(scene, 1);
    await restart((weir) => weir.kill());
    const probe = await make(scene.weir, own.key, { model: TRELLIS, image: URI, seed: 1 });
    await until(scene.weir, own.key, probe, 'completed');
    expect((await ask(scene.weir, own.key, 'GET', `/v1/meshes/${made.id}`)).body.status).toBe('in_progress');
    const [{ lease_s: leaseSeconds }] = await scene.query<{ lease_s: number }>('SELECT extract(epoch FROM lease_until - now())::float8 AS lease_s FROM mesh_jobs WHERE id = $1', [made.id]);
    expect(leaseSeconds).toBeLessThanOrEqual(30);
    await scene.query('UPDATE mesh_jobs SET lease_until = now() WHERE id = $1', [made.id]);
    await until(scene.weir, own.key, made, 'completed');
    expect((await content(scene.weir, own.key, made)).bytes).toEqual(glb());
    expect((await toRows(scene, own.id, 3)).map(({ status }) => status).sort()).toEqual(['succeeded', 'succeeded', 'unknown']);
  });

  it('fail when it is killed each time', async () => {
    scene.simulator.reset();
    scene.simulator.forPath('/generate', respond.never());
    const made = await make(scene.weir, own.key, { model: TRELLIS, image: URI });
    await waitForWork(scene, 1);
    await scene.query('UPDATE mesh_jobs SET attempts = 3 WHERE id = $1', [made.id]);
    await restart((weir) => weir.kill());
    await scene.query('UPDATE mesh_jobs SET lease_until = now() WHERE id = $1', [made.id]);
    const { error } = await until(scene.weir, own.key, made, 'failed');
    expect(error).toEqual({ code: 'internal_error', message: 'The process that made the mesh has ended each time that it was tried.' });
    expect(workOf(scene)).toHaveLength(0);
  });

  it('abort the upstream when they are deleted', async () => {
    scene.simulator.reset();
    scene.simulator.forPath('/generate', respond.never());
    const made = await make(scene.weir, own.key, { model: TRELLIS, image: URI });
    const [call] = await waitForWork(scene, 1);
    await ask(scene.weir, own.key, 'DELETE', `/v1/meshes/${made.id}`);
    await scene.simulator.waitForAbort(call);
  });

  it('are put back at once when it is told to stop, and finished by the next one', async () => {
    scene.simulator.reset();
    scene.simulator.forPath('/generate', respond.never());
    const made = await make(scene.weir, own.key, { model: TRELLIS, image: URI });
    const [call] = await waitForWork(scene, 1);
    const { weir } = scene;
    await weir.stop();
    expect([weir.exitCode, call.outcome]).toEqual([0, 'aborted']);
    expect(await scene.query('SELECT status, attempts, lease_until FROM mesh_jobs WHERE id = $1', [made.id])).toEqual([{ status: 'queued', attempts: 0, lease_until: null }]);
    await restart(() => Promise.resolve());
    await until(scene.weir, own.key, made, 'completed');
  });
});
