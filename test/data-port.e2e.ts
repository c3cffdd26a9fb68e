import { connect } from 'node:net';
import { createTestDatabase, type TestDatabase } from './support/postgres';
import { Weir } from './support/weir';

let database: TestDatabase;
let weir: Weir;
beforeAll(async () => {
  database = await createTestDatabase();
  weir = await Weir.start({ databaseUrl: database.url });
});
afterAll(async () => {
  await weir.stop();
  await database.drop();
});

/** As bytes, because a well-behaved client would tidy the target up. */
async function ask(target: string): Promise<string> {
  const socket = connect(Number(new URL(weir.url).port), '127.0.0.1');
  socket.write(`GET ${target} HTTP/1.1\r\nHost: weir\r\nAuthorization: Bearer ${weir.adminKey}\r\nConnection: close\r\n\r\n`);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text.split('\r\n')[0];
}

describe("on the data plane's port", () => {
  it.each([
    '/admin/keys',
    '/ADMIN/keys',
    '/admin/keys/',
    '/admin/keys?x=1',
    'http://weir/admin/keys',
    '//admin/keys',
    '/./admin/keys',
    '/health/../admin/keys',
    '/health/%2e%2e/admin/keys',
    '/%61dmin/keys',
    '/admin',
    '/admin/docs',
    '/admin/docs-json',
    '/metrics',
  ])('there is no %s, with an admin key either', async (target) => {
    expect(await ask(target)).toMatch(/^HTTP\/1.1 (404|400) /);
  });

  it.each(['/health', '/livez', '/readyz', '/health/liveliness', '/health/readiness', '/health/all'])('there is %s', async (target) => {
    expect(await ask(target)).toBe('HTTP/1.1 200 OK');
  });
});
