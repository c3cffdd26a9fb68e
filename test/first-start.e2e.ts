import { chmod, chown, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChatAnswer, chat } from './support/chat';
import { Program } from './support/program';
import { expectRefusedStart, findPorts, MAIN, type Ports, Starter } from './support/start-weir';

const NOBODY = { uid: 65534, gid: 65534 };
const isSuperuser = process.getuid?.() === 0;

const starter = new Starter();
afterAll(() => starter.cleanUp());

/** What the first start shows. */
function readBanner({ stdout }: Program): { adminKey: string; proxyKey: string; curl: string } {
  const adminKey = /^ {2}(sk-weir-admin-\w+)$/m.exec(stdout)?.[1];
  const curl = /^ {2}(curl .*)$/m.exec(stdout)?.[1];
  const proxyKey = /Bearer (sk-weir-\w+)/.exec(curl ?? '')?.[1];
  if (adminKey === undefined || curl === undefined || proxyKey === undefined) throw new Error(`not the banner of a first start:\n${stdout}`);
  return { adminKey, proxyKey, curl };
}

/** Where there is no curl, a few lines that take the same arguments: what matters is the line. */
const CURL_BY_NODE = `
const [url, ...options] = process.argv.slice(2).filter((argument) => argument !== '-N');
const valuesOf = (name) => options.flatMap((option, index) => (option === name ? [options[index + 1]] : []));
const headers = Object.fromEntries(valuesOf('-H').map((header) => header.split(': ')));
fetch(url, { method: 'POST', headers, body: valuesOf('-d')[0] }).then(async (response) => process.stdout.write(await response.text()));
`;

async function runInShell(line: string): Promise<Program> {
  const hasCurl = (await Program.run('sh', ['-c', 'command -v curl'])).end?.code === 0;
  if (hasCurl) return Program.run('sh', ['-c', line]);
  const folder = await starter.makeFolder();
  await writeFile(join(folder, 'curl.js'), CURL_BY_NODE);
  await writeFile(join(folder, 'curl'), `#!/bin/sh\nexec "${process.execPath}" "${join(folder, 'curl.js')}" "$@"\n`);
  await chmod(join(folder, 'curl'), 0o755);
  return Program.run('sh', ['-c', line], { environment: { PATH: `${folder}:${process.env.PATH}` } });
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

describe('npm start on a machine with nothing configured', () => {
  const secrets = ['sk-environment-first-0123456789', 'sk-environment-second-0123456789'];
  let folder: string;
  let environment: Ports & { WEIR_DATA_DIR: string };
  let weir: Program;
  let keys: ReturnType<typeof readBanner>;

  beforeAll(async () => {
    folder = join(await starter.makeFolder(), 'data');
    environment = { WEIR_DATA_DIR: folder, ...(await findPorts()) };
    weir = await starter.startReady(environment);
    keys = readBanner(weir);
  });

  const ask = (key: string): Promise<ChatAnswer> => chat({ url: `http://127.0.0.1:${environment.PORT}` }, key, 'demo/echo', { content: 'Still there?' });

  async function expectServing(): Promise<void> {
    expect(await ask(keys.proxyKey)).toMatchObject({ status: 200, body: { choices: [{ message: { content: 'Still there?' } }] } });
  }

  async function readUpstreams(): Promise<{ id: string; name: string; keys: number }[]> {
    const get = async <Item>(path: string): Promise<Item[]> => {
      const response = await fetch(`http://127.0.0.1:${environment.ADMIN_PORT}/admin${path}`, { headers: { authorization: `Bearer ${keys.adminKey}` } });
      expect(response.status).toBe(200);
      return ((await response.json()) as { data: Item[] }).data;
    };
    const upstreams = await get<{ id: string; name: string }>('/upstreams');
    return Promise.all(upstreams.map(async ({ id, name }) => ({ id, name, keys: (await get(`/upstreams/${id}/keys`)).length })));
  }

  it('prints an admin key, a key, and a curl line that streams the prompt back when it is pasted into a shell', async () => {
    const answer = await runInShell(keys.curl);
    expect(answer.end?.code).toBe(0);
    const events = answer.stdout.split('\n\n').filter((event) => event !== '');
    expect(events.length).toBeGreaterThan(3);
    for (const event of events) expect(event).toMatch(/^data: /);
    expect(events.at(-1)).toBe('data: [DONE]');
    const words = events.slice(0, -1).map((event) => JSON.parse(event.slice(6)).choices[0]?.delta?.content ?? '');
    expect(words.join('')).toBe('Hello, Weir!');
    for (const [path, port] of [['/v1/models', environment.PORT], ['/admin/organizations', environment.ADMIN_PORT]]) {
      const key = path === '/v1/models' ? keys.proxyKey : keys.adminKey;
      expect((await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    }
    expect((await fetch(`http://127.0.0.1:${environment.METRICS_PORT}/metrics`)).status).toBe(200);
  });

  it('keeps its secrets to itself', async () => {
    expect((await modeOf(folder)) & 0o066).toBe(0);
    expect(await modeOf(join(folder, 'secrets'))).toBe(0o700);
    expect(await modeOf(join(folder, 'postgres'))).toBe(0o700);
    for (const name of ['encryption-keys', 'postgres-password']) {
      expect(await modeOf(join(folder, 'secrets', name))).toBe(0o600);
      const secret = (await readFile(join(folder, 'secrets', name), 'utf8')).trim().replace(/^k1:/, '');
      expect(secret.length).toBeGreaterThanOrEqual(32);
      expect(weir.output).not.toContain(secret);
    }
  });

  it('a second start on the same folder says who has it, and stops', async () => {
    const second = starter.start({ ...environment, ...(await findPorts()) });
    await expectRefusedStart(second, new RegExp(`another Weir \\(pid ${weir.pid}\\) uses this folder: .*WEIR_DATA_DIR`));
    await expectServing();
  });

  it('a stop and another start find everything as it was, and print no key', async () => {
    expect(await weir.stop()).toEqual({ code: 0, signal: null });
    weir = await starter.startReady(environment);
    expect(weir.output).not.toContain('sk-weir-');
    expect(weir.output).not.toContain('curl');
    await expectServing();
  });

  it('imports provider keys of the environment once, and never prints one', async () => {
    await weir.stop();
    const withKeys = { ...environment, OPENAI_API_KEYS: ` ${secrets[0]}, ${secrets[1]},${secrets[0]} ` };
    weir = await starter.startReady(withKeys);
    expect(weir.stdout).toContain('openai: 2 keys imported from the environment, 0 held already');
    expect(await readUpstreams()).toContainEqual({ id: expect.any(String), name: 'openai', keys: 2 });
    await weir.stop();
    const again = await starter.startReady(withKeys);
    expect(again.stdout).toContain('openai: 0 keys imported from the environment, 2 held already');
    expect(await readUpstreams()).toContainEqual({ id: expect.any(String), name: 'openai', keys: 2 });
    for (const secret of secrets) expect(weir.output + again.output).not.toContain(secret);
    weir = again;
  });

  it('starts after kill -9', async () => {
    await weir.stop('SIGKILL');
    weir = await starter.startReady(environment);
    await expectServing();
  });

  it('starts after kill -9 of both the process and its PostgreSQL', async () => {
    const [pid] = (await readFile(join(folder, 'postgres', 'postmaster.pid'), 'utf8')).split('\n');
    process.kill(Number(pid), 'SIGSTOP');
    weir.child.kill('SIGKILL');
    process.kill(Number(pid), 'SIGKILL');
    await weir.waitForEnd();
    weir = await starter.startReady(environment);
    await expectServing();
    expect(weir.output).not.toContain('sk-weir-');
  });

  it('a wrong provider type or a missing endpoint stops the start and names the variable', async () => {
    await weir.stop();
    await expectRefusedStart(starter.start({ ...environment, UPSTREAM_TYPE: 'watson' }), /UPSTREAM_TYPE/);
    await expectRefusedStart(starter.start({ ...environment, UPSTREAM_TYPE: 'azure', AZURE_API_KEYS: secrets[0] }), /AZURE_ENDPOINT/);
    weir = await starter.startReady(environment);
    await expectServing();
  });
});

if (isSuperuser) {
  describe('started by an ordinary user', () => {
    /** As nobody; where the checkout is in a closed folder, with the right to pass it, which an ordinary user's own checkout would not need. */
    async function startAsNobody(environment: Readonly<Record<string, string>>): Promise<Program> {
      const canRead = await Program.run('sh', ['-c', `cd "${process.cwd()}" && test -r ${MAIN}`], { user: NOBODY, cwd: '/' });
      if (canRead.end?.code === 0) return starter.startReady(environment, { user: NOBODY });
      const passage = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all,+dac_read_search', '--ambient-caps=-all,+dac_read_search'];
      return starter.startReady(environment, {}, ['setpriv', ...passage]);
    }

    it('works as well, and everything belongs to that user', async () => {
      const folder = await starter.makeFolder();
      await chown(folder, NOBODY.uid, NOBODY.gid);
      const environment = { WEIR_DATA_DIR: folder, ...(await findPorts()) };
      const weir = await startAsNobody(environment);
      const { curl, proxyKey } = readBanner(weir);
      expect((await runInShell(curl)).stdout).toMatch(/data: \[DONE\]\n\n$/);
      for (const name of ['postgres', 'secrets', 'secrets/encryption-keys', 'lock']) {
        expect(await stat(join(folder, name))).toMatchObject({ uid: NOBODY.uid, gid: NOBODY.gid });
      }
      expect((await modeOf(join(folder, 'secrets', 'encryption-keys'))) & 0o077).toBe(0);
      expect(await weir.stop()).toEqual({ code: 0, signal: null });
      const again = await startAsNobody(environment);
      expect((await chat({ url: `http://127.0.0.1:${environment.PORT}` }, proxyKey, 'demo/echo')).status).toBe(200);
      expect(await again.stop()).toEqual({ code: 0, signal: null });
    });
  });
}
