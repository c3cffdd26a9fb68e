import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Program } from '../support/program';
import { waitFor } from '../support/wait-for';
import { getProgram } from './get-program';
import { NginxServer } from './nginx-server';
import { TlsCaller } from './tls-caller';

/** Stands for Weir: says which path it was asked for. */
let node: Server;
let place: string;
beforeAll(async () => {
  node = createServer((request, response) => {
    request.resume().once('end', () => response.end(`asked for ${request.url}`));
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => node.once('listening', listening));
  place = `127.0.0.1:${(node.address() as AddressInfo).port}`;
});
afterAll(() => node.close());

let nginx: NginxServer;
const prepare = async (environment: Readonly<Record<string, string>> = {}): Promise<NginxServer> => (nginx = await NginxServer.prepare({ WEIR_NODES: place, ...environment }));
afterEach(() => nginx.stop());

const get = async (url: string): Promise<[number, string]> => {
  const answer = await fetch(url);
  return [answer.status, await answer.text()];
};

describe("Nginx's configuration", () => {
  it("answers certbot before there is a certificate, then speaks HTTPS and goes on answering certbot, all by reloads", async () => {
    await prepare();
    const answerFolder = nginx.path('webroot/.well-known/acme-challenge');
    await mkdir(answerFolder, { recursive: true });
    await writeFile(`${answerFolder}/token`, 'proof');
    await nginx.start();
    const token = `${nginx.httpUrl}/.well-known/acme-challenge/token`;
    expect(await get(token)).toEqual([200, 'proof']);
    expect(await get(`${nginx.httpUrl}/v1/models`)).toEqual([503, 'There is no certificate yet.\n']);

    const certificate = await nginx.writeCertificate();
    expect(await nginx.runScript('reload.sh')).toMatchObject({ code: 0, output: expect.stringContaining('(https, 1 of 1 nodes in use)') });
    await expectSoon(async () => new TlsCaller(nginx.url, certificate).send({ method: 'GET', path: '/v1/models' }), { status: 200, text: 'asked for /v1/models' });
    expect(await get(token)).toEqual([200, 'proof']);
  });

  it('is plain HTTP on one port for an inner network, without HSTS, and still without the admin API', async () => {
    await prepare({ WEIR_TLS: 'off' });
    await nginx.start();
    const answer = await fetch(`${nginx.httpUrl}/v1/models?limit=1`);
    expect([answer.status, await answer.text()]).toEqual([200, 'asked for /v1/models?limit=1']);
    expect(answer.headers.get('strict-transport-security')).toBeNull();
    expect((await get(`${nginx.httpUrl}/admin/keys`))[0]).toBe(404);
  });

  it('takes variables from the file where the environment says nothing', async () => {
    await prepare({ WEIR_TLS: 'off', WEIR_NODES: '' });
    await writeFile(nginx.path('nginx.env'), `# a comment\nWEIR_NODES="${place} 127.0.0.1:9"\nWEIR_NODES_OUT=127.0.0.1:9\nWEIR_TLS=on\nPATH=/nowhere\n`);
    await nginx.start();
    expect(await readFile(nginx.path('weir.conf'), 'utf8')).toContain('server 127.0.0.1:9 down;');
    expect((await get(`${nginx.httpUrl}/v1/models`))[0]).toBe(200);
  });

  it.each([
    ['no name', { WEIR_SERVER_NAME: '' }, 'WEIR_SERVER_NAME is missing'],
    ['a name that would begin a directive', { WEIR_SERVER_NAME: 'x; return 200' }, 'WEIR_SERVER_NAME holds a character'],
    ['a node without a port', { WEIR_NODES: '127.0.0.1' }, 'WEIR_NODES must be host:port'],
    ['an unknown node taken out', { WEIR_NODES_OUT: '127.0.0.1:1' }, 'WEIR_NODES_OUT: 127.0.0.1:1 is not in WEIR_NODES'],
    ['a wrong switch', { WEIR_TLS: 'yes' }, 'WEIR_TLS must be on or off'],
  ])('refuses %s with one line, and writes nothing', async (_what, environment, line) => {
    await prepare(environment);
    const { code, output } = await nginx.runScript('configure.sh');
    expect([code, output.trimEnd().split('\n').length]).toEqual([1, 1]);
    expect(output).toContain(`configure.sh: ${line}`);
    await expect(readFile(nginx.path('weir.conf'))).rejects.toThrow('ENOENT');
  });

  it.each([
    ['localhost', []],
    ['weir.example.com', [expect.stringMatching(/^configure\.sh: warning: \S+fullchain\.pem is not for weir\.example\.com, and callers will refuse it: correct WEIR_SERVER_NAME/)]],
  ])('warns in one line of a certificate for another name: %s', async (name, warnings) => {
    await prepare({ WEIR_SERVER_NAME: name });
    await nginx.writeCertificate();
    const { code, output } = await nginx.runScript('configure.sh');
    expect(code).toBe(0);
    expect(output.split('\n').filter((line) => line.includes('warning'))).toEqual(warnings);
  });

  it('leaves a caller who sends a byte now and then', async () => {
    await prepare({ WEIR_HEADER_TIMEOUT: '1s', WEIR_BODY_TIMEOUT: '1s' });
    const caller = new TlsCaller(nginx.url, await nginx.writeCertificate());
    await nginx.start();
    const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n';
    // Both end by themselves: neither caller ever sends the rest.
    expect(await caller.sendRaw(head.slice(0, 20))).not.toContain('200');
    expect(await caller.sendRaw(`${head}content-length: 1000\r\n\r\n{`)).not.toContain('200');
  });

  it('notices another certificate by itself in a container', async () => {
    await prepare({ WEIR_CERTIFICATE_CHECK_SECONDS: '1' });
    const first = await nginx.writeCertificate();
    const started = Program.start('/bin/sh', ['nginx/start.sh'], { environment: nginx.environment });
    try {
      const health = (certificate: string) => () => new TlsCaller(nginx.url, certificate).send({ method: 'GET', path: '/livez' });
      await expectSoon(health(first), { status: 200 });
      await expectSoon(health(await nginx.writeCertificate()), { status: 200 });
    } finally {
      await started.stop();
    }
  });
});

describe('shellcheck', () => {
  it('finds nothing in any script of the deployment', async () => {
    const shellcheck = await getProgram('shellcheck');
    const { stdout } = await Program.run('/bin/sh', ['-c', "find nginx deploy scripts -name '*.sh'"]);
    const scripts = stdout.trim().split('\n');
    expect(scripts.length).toBeGreaterThanOrEqual(4);
    const { output, end } = await Program.run(shellcheck, scripts);
    expect([end?.code, output]).toEqual([0, '']);
  });
});

async function expectSoon<Value>(poll: () => Promise<Value>, expected: object): Promise<void> {
  expect(await waitFor(poll)).toMatchObject(expected);
}
