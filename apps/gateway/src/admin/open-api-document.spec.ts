import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADMIN_CONTROLLERS } from './admin.module';
import { createOpenApiDocument } from './create-open-api-document';
import { getAdminRoutes } from './access/get-admin-routes';

describe('the OpenAPI document', () => {
  it('in docs/openapi.json is what the controllers declare; `npm run openapi` writes it anew', async () => {
    const document: unknown = JSON.parse(JSON.stringify(await createOpenApiDocument()));
    const written: unknown = JSON.parse(readFileSync(join(__dirname, '../../../../docs/openapi.json'), 'utf8'));
    expect(written).toEqual(document);
  });

  it('holds every route, in the words of the wire', async () => {
    const document = await createOpenApiDocument();
    const described = Object.entries(document.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
    const routes = getAdminRoutes(ADMIN_CONTROLLERS).map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    expect(described.toSorted()).toEqual(routes.toSorted());
    expect(JSON.stringify(document)).not.toContain('"#/components/schemas/"');
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
      if (!('properties' in schema)) throw new Error(`${name} has no fields`);
      for (const field of Object.keys(schema.properties ?? {})) expect(field).toMatch(/^[a-z]+(_[a-z]+)*$/);
    }
  });
});
