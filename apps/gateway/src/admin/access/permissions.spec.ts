import { ControlPlane } from '../../../../../test/support/control-plane';
import { ADMIN_CONTROLLERS } from '../admin.module';
import { AdminController } from './admin-controller';
import { getAdminRoutes } from './get-admin-routes';
import { Controller, Get } from '@nestjs/common';

/** Written out once more, by hand: who may call which route. */
const EXPECTED: Readonly<Record<string, string>> = {
  'POST /admin/session': 'anyone',
  'GET /admin/session': 'owner admin viewer',
  'POST /admin/session/renew': 'owner admin viewer',
  'DELETE /admin/session': 'owner admin viewer',
  'POST /admin/organizations': 'owner',
  'GET /admin/organizations': 'owner admin viewer',
  'GET /admin/organizations/:id': 'owner admin viewer',
  'PATCH /admin/organizations/:id': 'owner',
  'DELETE /admin/organizations/:id': 'owner',
  'POST /admin/organizations/:id/budgets/reset': 'owner',
  'POST /admin/organizations/:id/alert-webhook': 'owner admin',
  'GET /admin/organizations/:id/alert-webhook': 'owner admin',
  'DELETE /admin/organizations/:id/alert-webhook': 'owner admin',
  'POST /admin/projects': 'owner admin',
  'GET /admin/projects': 'owner admin viewer',
  'GET /admin/projects/:id': 'owner admin viewer',
  'PATCH /admin/projects/:id': 'owner admin',
  'DELETE /admin/projects/:id': 'owner admin',
  'POST /admin/projects/:id/budgets/reset': 'owner admin',
  'POST /admin/users': 'owner admin',
  'GET /admin/users': 'owner admin viewer',
  'GET /admin/users/:id': 'owner admin viewer',
  'PATCH /admin/users/:id': 'owner admin',
  'DELETE /admin/users/:id': 'owner admin',
  'POST /admin/users/:id/keys': 'owner admin',
  'GET /admin/users/:id/keys': 'owner admin',
  'DELETE /admin/users/:id/keys/:key_id': 'owner admin',
  'POST /admin/keys': 'owner admin',
  'GET /admin/keys': 'owner admin viewer',
  'GET /admin/keys/:id': 'owner admin viewer',
  'PATCH /admin/keys/:id': 'owner admin',
  'DELETE /admin/keys/:id': 'owner admin',
  'POST /admin/keys/:id/rotate': 'owner admin',
  'POST /admin/keys/:id/budgets/reset': 'owner admin',
  'POST /admin/upstreams': 'owner',
  'GET /admin/upstreams': 'owner',
  'GET /admin/upstreams/:id': 'owner',
  'PATCH /admin/upstreams/:id': 'owner',
  'DELETE /admin/upstreams/:id': 'owner',
  'POST /admin/upstreams/:id/keys': 'owner',
  'GET /admin/upstreams/:id/keys': 'owner',
  'GET /admin/upstreams/:id/keys/:key_id': 'owner',
  'PATCH /admin/upstreams/:id/keys/:key_id': 'owner',
  'DELETE /admin/upstreams/:id/keys/:key_id': 'owner',
  'POST /admin/models': 'owner',
  'GET /admin/models': 'owner admin viewer',
  'GET /admin/models/:id': 'owner admin viewer',
  'PATCH /admin/models/:id': 'owner',
  'DELETE /admin/models/:id': 'owner',
  'GET /admin/limits': 'owner admin viewer',
  'GET /admin/alerts': 'owner admin viewer',
  'GET /admin/usage': 'owner admin viewer',
  'GET /admin/requests': 'owner admin viewer',
  'GET /admin/requests/export': 'owner admin viewer',
  'GET /v1/organization/usage/completions': 'owner admin viewer',
  'GET /v1/organization/usage/embeddings': 'owner admin viewer',
  'GET /v1/organization/usage/moderations': 'owner admin viewer',
  'GET /v1/organization/usage/images': 'owner admin viewer',
  'GET /v1/organization/usage/audio_speeches': 'owner admin viewer',
  'GET /v1/organization/usage/audio_transcriptions': 'owner admin viewer',
  'GET /v1/organization/costs': 'owner admin viewer',
  'GET /admin/audit': 'owner admin viewer',
};

const ROLES = ['owner', 'admin', 'viewer'] as const;
const routes = getAdminRoutes(ADMIN_CONTROLLERS);
const names = routes.map(({ method, path }) => `${method} ${path}`);

let plane: ControlPlane;
let keys: Record<(typeof ROLES)[number], string>;

beforeAll(async () => {
  plane = await ControlPlane.start();
  const { adminKey, viewerKey } = await plane.addOrganization('acme');
  keys = { owner: plane.ownerKey, admin: adminKey, viewer: viewerKey };
});

afterAll(() => plane.stop());

describe('permissions', () => {
  it('has a line for every route, and a route for every line', () => {
    expect(names.toSorted()).toEqual(Object.keys(EXPECTED).toSorted());
  });

  const cases = names.filter((name) => EXPECTED[name] !== 'anyone').flatMap((name) => ROLES.map((role) => [name, role] as const));
  it.each(cases)('%s lets in whom the table names: %s', async (name, role) => {
    const [method, path] = name.split(' ');
    const isAllowed = EXPECTED[name].split(' ').includes(role);
    // The ids name nothing, and the bodies are empty: past the door there is only a 4xx.
    const answer = await plane.call(method, path.replace(/:\w+/g, '018f0000-0000-7000-8000-000000000000'), { key: keys[role] });
    if (isAllowed) expect([200, 400, 404, 409]).toContain(answer.status);
    else expect([answer.status, answer.body.error.code]).toEqual([403, 'permission_denied']);
  });

  it.each(names.filter((name) => EXPECTED[name] !== 'anyone'))('%s is shut without a key', async (name) => {
    const [method, path] = name.split(' ');
    const answer = await plane.call(method, path.replace(/:\w+/g, '018f0000-0000-7000-8000-000000000000'));
    expect([answer.status, answer.body.error.code]).toEqual([401, 'invalid_api_key']);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  it('does not start with a route that asks for no permission', () => {
    @AdminController('forgotten')
    class ForgottenController {
      @Get()
      list(): void {}
    }
    expect(() => getAdminRoutes([ForgottenController])).toThrow('GET /admin/forgotten asks for no permission');
  });

  it('does not start with a controller that no guard watches', () => {
    @Controller('admin/open')
    class OpenController {
      @Get()
      list(): void {}
    }
    expect(() => getAdminRoutes([OpenController])).toThrow('OpenController has no guards');
  });
});
