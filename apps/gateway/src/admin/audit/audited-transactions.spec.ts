import { ControlPlane } from '../../../../../test/support/control-plane';
import { getAdminRoutes } from '../access/get-admin-routes';
import { ADMIN_CONTROLLERS } from '../admin.module';

let plane: ControlPlane;

beforeAll(async () => {
  plane = await ControlPlane.start();
});

afterAll(() => plane.stop());

async function countAudit(): Promise<number> {
  const [{ count }] = await plane.dataSource.query<{ count: string }[]>('SELECT count(*) FROM audit_records');
  return Number(count);
}

/** Every write of the API, in an order in which each finds what it needs; a session is no change of anything. */
const WRITES: readonly [route: string, body: (ids: Record<string, string>) => object | undefined, remember?: string][] = [
  ['POST /admin/organizations', () => ({ name: 'o' }), 'organization'],
  ['PATCH /admin/organizations/{organization}', () => ({ budgets: [{ amount_usd: 1, period: 'day' }] })],
  ['POST /admin/organizations/{organization}/budgets/reset', () => ({ period: 'day' })],
  ['POST /admin/organizations/{organization}/alert-webhook', () => ({ url: 'https://alerts.example' })],
  ['DELETE /admin/organizations/{organization}/alert-webhook', () => undefined],
  ['POST /admin/projects', ({ organization }) => ({ organization_id: organization, name: 'p' }), 'project'],
  ['PATCH /admin/projects/{project}', () => ({ budgets: [{ amount_usd: 1, period: 'day' }] })],
  ['POST /admin/projects/{project}/budgets/reset', () => ({ period: 'day' })],
  ['POST /admin/users', ({ organization }) => ({ organization_id: organization, username: 'u', role: 'viewer' }), 'user'],
  ['PATCH /admin/users/{user}', () => ({ username: 'u2' })],
  ['POST /admin/users/{user}/keys', () => ({}), 'adminKey'],
  ['DELETE /admin/users/{user}/keys/{adminKey}', () => undefined],
  ['POST /admin/keys', ({ organization, project }) => ({ organization_id: organization, project_id: project, name: 'k' }), 'key'],
  ['PATCH /admin/keys/{key}', () => ({ budgets: [{ amount_usd: 1, period: 'day' }] })],
  ['POST /admin/keys/{key}/budgets/reset', () => ({ period: 'day' })],
  ['POST /admin/keys/{key}/rotate', () => ({ overlap_seconds: 5 })],
  ['DELETE /admin/keys/{key}', () => undefined],
  ['POST /admin/upstreams', () => ({ name: 'up', provider: 'openai', base_url: 'https://api.example' }), 'upstream'],
  ['PATCH /admin/upstreams/{upstream}', () => ({ weight: 5 })],
  ['POST /admin/upstreams/{upstream}/keys', () => ({ secret: 'sk-one' }), 'upstreamKey'],
  ['PATCH /admin/upstreams/{upstream}/keys/{upstreamKey}', () => ({ enabled: false })],
  ['DELETE /admin/upstreams/{upstream}/keys/{upstreamKey}', () => undefined],
  ['POST /admin/models', ({ upstream }) => ({ name: 'm', operation: 'chat', targets: [{ upstream_id: upstream, upstream_model: 'm' }] }), 'model'],
  ['PATCH /admin/models/{model}', () => ({ price: { per_request_usd: 1 } })],
  ['DELETE /admin/models/{model}', () => undefined],
  ['DELETE /admin/upstreams/{upstream}', () => undefined],
  ['DELETE /admin/users/{user}', () => undefined],
  ['DELETE /admin/projects/{project}', () => undefined],
  ['DELETE /admin/organizations/{organization}', () => undefined],
];

describe('the audit log', () => {
  it('is tried with every route that writes', () => {
    const shape = (route: string) => route.replace(/\{\w+\}|:\w+/g, '*');
    const routes = getAdminRoutes(ADMIN_CONTROLLERS)
      .filter(({ method, path }) => method !== 'GET' && !path.startsWith('/admin/session'))
      .map(({ method, path }) => shape(`${method} ${path}`));
    expect(WRITES.map(([route]) => shape(route)).toSorted()).toEqual(routes.toSorted());
  });

  it('gets a row from every write', async () => {
    const ids: Record<string, string> = {};
    for (const [route, toBody, remember] of WRITES) {
      const [method, path] = route.split(' ');
      const before = await countAudit();
      const answer = await plane.owner(method, path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name]), toBody(ids));
      expect([route, answer.status]).toEqual([route, method === 'POST' && !path.endsWith('/reset') ? 201 : 200]);
      expect([route, (await countAudit()) > before]).toEqual([route, true]);
      if (remember !== undefined) ids[remember] = answer.body.id;
    }
  });

  it('undoes a change that it cannot write down', async () => {
    const { body } = await plane.owner('POST', '/admin/organizations', { name: 'steady' });
    await plane.dataSource.query('ALTER TABLE audit_records RENAME TO audit_elsewhere');
    try {
      expect((await plane.owner('PATCH', `/admin/organizations/${body.id}`, { name: 'changed' })).status).toBe(500);
    } finally {
      await plane.dataSource.query('ALTER TABLE audit_elsewhere RENAME TO audit_records');
    }
    expect((await plane.owner('GET', `/admin/organizations/${body.id}`)).body.name).toBe('steady');
  });
});
