import { connectRedis } from '@weir/platform';
import { ControlPlane } from '../../../../test/support/control-plane';
import { startPrivateRedis } from '../../../../test/support/redis';
import { waitFor } from '../../../../test/support/wait-for';
import { answersInTime } from './answers-in-time';
import { toUpstreamStatus } from './to-upstream-health';

describe('health', () => {
  let plane: ControlPlane;

  beforeEach(async () => {
    plane = await ControlPlane.start();
  });

  afterEach(() => plane.stop());

  it('has exactly the documented shape', async () => {
    const answer = await plane.call('GET', '/health');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      status: 'healthy',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      services: { database: 'healthy', redis: 'not_configured' },
    });
  });

  it('is ready between the last snapshot and the drain, and alive all the while', async () => {
    const ask = async () => {
      const answers = await Promise.all(['/readyz', '/health/readiness', '/livez', '/health/liveliness'].map((path) => plane.call('GET', path)));
      return answers.map(({ status }) => status);
    };
    expect(await ask()).toEqual([503, 503, 200, 200]);
    plane.readiness.snapshotLoaded('access');
    expect((await plane.call('GET', '/readyz')).body).toEqual({ status: 'starting' });
    plane.readiness.snapshotLoaded('upstreams');
    expect(await ask()).toEqual([200, 200, 200, 200]);
    plane.readiness.drain();
    expect(await ask()).toEqual([503, 503, 200, 200]);
    expect((await plane.call('GET', '/readyz')).body).toEqual({ status: 'draining' });
  });

  it('shows every upstream to everybody, and its name to an owner alone', async () => {
    const upstream = (await plane.owner('POST', '/admin/upstreams', { name: 'paris', provider: 'openai', base_url: 'https://paris.example/v1' })).body;
    await plane.owner('POST', `/admin/upstreams/${upstream.id}/keys`, { secret: 'sk-canary', label: 'main' });
    await plane.owner('POST', '/admin/upstreams', { name: 'keyless', provider: 'openai', base_url: 'https://keyless.example', enabled: false });
    await plane.refreshPool();
    plane.latencies.note(upstream.id, 41.6);
    const { adminKey } = await plane.addOrganization('acme');
    const short = { id: upstream.id, status: 'healthy', latency_ms: 42, breaker: 'closed', keys: expect.objectContaining({ active: 1, disabled: 0 }) };
    for (const key of [undefined, adminKey, 'sk-weir-wrong']) {
      const answer = await plane.call('GET', '/health/all', { key });
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ status: 'healthy', timestamp: expect.any(String) });
      expect(answer.body.upstreams).toHaveLength(2);
      expect(answer.body.upstreams).toContainEqual(short);
      expect(answer.text).not.toMatch(/paris|example|canary|main/);
    }
    const full = await plane.owner('GET', '/health/all');
    expect(full.body.upstreams).toContainEqual({ ...short, name: 'paris', provider: 'openai', open_calls: 0 });
    expect(full.body.upstreams).toContainEqual(expect.objectContaining({ name: 'keyless', status: 'disabled', latency_ms: null }));
    expect(full.text).not.toMatch(/canary|example/);
  });
});

describe('health with Redis', () => {
  it('is unhealthy while Redis is away, and healthy again after', async () => {
    const server = await startPrivateRedis();
    const redis = connectRedis({ url: server.url });
    const plane = await ControlPlane.start({ redis });
    const ask = async () => {
      const { status, body } = await plane.call('GET', '/health');
      return [status, body.services];
    };
    const until = async (wanted: unknown) =>
      waitFor(async () => JSON.stringify(await ask()) === JSON.stringify(wanted), { what: JSON.stringify(wanted) });
    try {
      await until([200, { database: 'healthy', redis: 'healthy' }]);
      await server.stop();
      await until([503, { database: 'healthy', redis: 'unhealthy' }]);
      await server.start();
      await until([200, { database: 'healthy', redis: 'healthy' }]);
    } finally {
      redis.disconnect();
      await plane.stop();
      await server.stop();
    }
  });
});

describe('answersInTime', () => {
  it('gives up on what never answers, and takes a failure for none', async () => {
    expect(await answersInTime(() => new Promise(() => undefined), 20)).toBe(false);
    expect(await answersInTime(() => Promise.reject(new Error('away')), 1_000)).toBe(false);
    expect(await answersInTime(() => Promise.resolve(), 1_000)).toBe(true);
  });
});

describe('toUpstreamStatus', () => {
  const upstream = (enabled: boolean, state: 'closed' | 'open' | 'half_open', active: number, cooling: number) =>
    toUpstreamStatus({
      id: '018f0000-0000-7000-8000-000000000000' as never,
      name: 'n',
      provider: 'openai',
      enabled,
      openCalls: 0,
      concurrency: null,
      places: null,
      queue: { waiting: 0, reserved: 0 },
      probe: null,
      breaker: { state, cause: null, retryAfterMs: 0 },
      keyCounts: { active, cooling, exhausted: 0, disabled: 0, ejected: 0 },
      keys: [],
    });

  it.each([
    ['disabled', upstream(false, 'closed', 1, 0)],
    ['healthy', upstream(true, 'closed', 2, 0)],
    ['degraded', upstream(true, 'closed', 1, 1)],
    ['degraded', upstream(true, 'half_open', 2, 0)],
    ['unhealthy', upstream(true, 'open', 2, 0)],
    ['unhealthy', upstream(true, 'closed', 0, 2)],
  ])('is %s', (expected, status) => {
    expect(status).toBe(expected);
  });
});
