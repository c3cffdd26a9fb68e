import { ControlPlane } from '../../../../test/support/control-plane';
import { waitFor } from '../../../../test/support/wait-for';
import { startPrivatePostgres, type TestPostgres } from '../../../../test/support/postgres';
import { runMigrations, createDataSource } from '@weir/platform';
import { MIGRATIONS } from '../../../../migrations';

describe('the control plane', () => {
  let plane: ControlPlane;

  beforeAll(async () => {
    plane = await ControlPlane.start({ environment: { CORS_ORIGINS: 'https://console.example' } });
  });

  afterAll(() => plane.stop());

  it('tells nothing of what it is made of, is kept by no cache and shown in no frame', async () => {
    const { headers } = await plane.owner('GET', '/admin/organizations');
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('etag');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['content-security-policy']).toBe("default-src 'none';frame-ancestors 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('lets pages of the listed origins in, and nobody else’s', async () => {
    const ask = (origin: string) => plane.call('OPTIONS', '/admin/keys', { headers: { origin, 'access-control-request-method': 'POST' } });
    const listed = await ask('https://console.example');
    expect(listed.headers).toMatchObject({ 'access-control-allow-origin': 'https://console.example', 'access-control-allow-credentials': 'true' });
    for (const origin of ['https://evil.example', 'https://console.example.evil.example', 'http://console.example', 'null']) {
      expect((await ask(origin)).headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  it('does not believe a forwarded address', async () => {
    await plane.call('POST', '/admin/organizations', { key: plane.ownerKey, body: { name: 'forwarded' }, headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect((await plane.owner('GET', '/admin/audit?limit=1')).body.data[0].remote_address).toBe('127.0.0.1');
  });

  it('shows its documents from its own files, under a policy that lets them run', async () => {
    const page = await plane.call('GET', '/admin/docs');
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("script-src 'self'");
    const sources = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source);
    expect(sources.length).toBeGreaterThan(3);
    for (const source of sources) {
      expect(source).not.toMatch(/^(https?:)?\/\//);
      const file = await plane.call('GET', new URL(source, 'http://weir/admin/docs').pathname);
      expect([source, file.status]).toEqual([source, 200]);
    }
    // Nothing inline runs under the policy, so nothing inline may be needed.
    expect(page.text).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/);
    const document = await plane.call('GET', '/admin/docs-json');
    expect(document.body).toMatchObject({ openapi: '3.1.0', paths: { '/admin/keys': { post: {} } } });
  });

  it('answers an unexpected error with a request id and nothing else, and logs the rest', async () => {
    await plane.dataSource.query('ALTER TABLE projects RENAME COLUMN name TO canary_column');
    try {
      const answer = await plane.owner('GET', '/admin/projects');
      expect(answer.status).toBe(500);
      expect(answer.body.error).toEqual({
        message: `Something went wrong in the gateway. Request id: ${String(answer.headers['x-request-id'])}`,
        type: 'server_error',
        param: null,
        code: 'internal_error',
      });
      const lines = await waitFor(() => plane.logLines.find((line) => line.includes(String(answer.headers['x-request-id']))), { what: 'the log line' });
      expect(lines).toContain('"code":"42703"');
    } finally {
      await plane.dataSource.query('ALTER TABLE projects RENAME COLUMN canary_column TO name');
    }
  });
});

describe('without a CORS list', () => {
  it('sends no CORS headers at all', async () => {
    const plane = await ControlPlane.start();
    try {
      const answer = await plane.call('GET', '/admin/keys', { key: plane.ownerKey, headers: { origin: 'https://console.example' } });
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    } finally {
      await plane.stop();
    }
  });
});

describe('while the database is away', () => {
  let postgres: TestPostgres;
  let plane: ControlPlane;

  beforeAll(async () => {
    postgres = await startPrivatePostgres();
    await runMigrations(createDataSource(postgres.url, 2, [], MIGRATIONS));
    plane = await ControlPlane.start({ database: postgres });
  });

  afterAll(async () => {
    await plane.stop();
    await postgres.destroy();
  });

  it('answers 503 with retry-after, and works again when it is back', async () => {
    const { adminKey } = await plane.addOrganization('acme');
    expect((await plane.call('GET', '/admin/projects', { key: adminKey })).status).toBe(200);
    await postgres.stop();
    try {
      for (const answer of [
        await plane.call('GET', '/admin/projects', { key: adminKey }),
        await plane.call('POST', '/admin/projects', { key: adminKey, body: { name: 'x' } }),
        await plane.call('POST', '/admin/session', { body: { key: plane.ownerKey } }),
      ]) {
        expect([answer.status, answer.body.error.code]).toEqual([503, 'database_unavailable']);
        expect(answer.headers['retry-after']).toBe('2');
        expect(answer.text).not.toMatch(/ECONNREFUSED|SELECT|127\.0\.0\.1/);
      }
      const health = await plane.call('GET', '/health');
      expect([health.status, health.body.status, health.body.services]).toEqual([503, 'unhealthy', { database: 'unhealthy', redis: 'not_configured' }]);
      expect((await plane.call('GET', '/livez')).status).toBe(200);
      expect((await plane.call('GET', '/health/all', { key: plane.ownerKey })).status).toBe(200);
    } finally {
      await postgres.start();
    }
    expect((await plane.call('GET', '/admin/projects', { key: adminKey })).status).toBe(200);
    expect((await plane.call('GET', '/health')).status).toBe(200);
  });
});
