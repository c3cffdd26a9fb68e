import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from './support/program';
import { findFreePort } from './support/find-free-port';
import { type SshServer, startSshServer } from './support/ssh-server';
import { waitFor } from './support/wait-for';

const SCRIPT = join('scripts', 'port_forward.sh');
const UP = 0;
const DOWN = 1;
const WRONG_USAGE = 2;
const NOT_RUNNING = 3;

let folder: string;
let sshd: SshServer;
let service: Server;
let servicePort: number;
let localPort: number;
let stateDirectory: string;

beforeAll(async () => {
  // As people's folders are called.
  folder = mkdtempSync(join(tmpdir(), "weir it's 100% $HOME -"));
  sshd = await startSshServer(folder);
  service = createServer((request, response) => response.end(request.url === '/health' ? 'ok' : `you asked for ${request.url ?? ''}`)).listen(0, '127.0.0.1');
  await once(service, 'listening');
  servicePort = (service.address() as AddressInfo).port;
});
afterAll(async () => {
  service.close();
  await sshd.destroy();
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  stateDirectory = join(folder, `state ${Math.random()}`);
  localPort = await findFreePort();
});
afterEach(async () => {
  expect((await run('stop')).end?.code).toBe(0);
});

function run(command: string, environment: Record<string, string> = {}): Promise<Program> {
  return Program.run('bash', [SCRIPT, ...command.split(' ').filter((word) => word !== '')], {
    environment: {
      HOME: folder,
      PORT_FORWARD_SSH: `${sshd.user}@127.0.0.1`,
      PORT_FORWARD_SSH_PORT: String(sshd.port),
      PORT_FORWARD_IDENTITY: sshd.identity,
      PORT_FORWARD_KNOWN_HOSTS: sshd.knownHosts,
      PORT_FORWARD_REMOTE_PORT: String(servicePort),
      PORT_FORWARD_LOCAL_PORT: String(localPort),
      PORT_FORWARD_STATE_DIR: stateDirectory,
      PORT_FORWARD_RETRY_SECONDS: '1',
      ...environment,
    },
  });
}

async function expectCode(command: string, code: number, said: RegExp, environment: Record<string, string> = {}): Promise<Program> {
  const program = await run(command, environment);
  expect({ code: program.end?.code, said: program.output }).toEqual({ code, said: expect.stringMatching(said) });
  return program;
}

const waitForStatus = (code: number): Promise<unknown> => waitFor(async () => (await run('status')).end?.code === code, { what: `status to answer ${code}`, intervalMs: 200 });
const ask = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${localPort}${path}`)).text();
const pidOf = (file: string): number => Number(readFileSync(join(stateDirectory, file), 'utf8').split('\n', 1)[0]);

/** One that has ended and that nobody has asked after is none. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

describe('port_forward.sh', () => {
  it('carries traffic while it is up, and leaves nothing behind when it is stopped', async () => {
    await expectCode('status', NOT_RUNNING, /^vlm: does not run\n$/);
    await expectCode('start', UP, /^vlm: up \(127\.0\.0\.1:\d+ → \w+@127\.0\.0\.1, 127\.0\.0\.1:\d+, pid \d+\)\n$/);
    expect(await ask('/v1/models')).toBe('you asked for /v1/models');
    await expectCode('status', UP, /^vlm: up /);
    const [keeper, ssh] = [pidOf('vlm.pid'), pidOf('vlm.ssh')];
    await expectCode('stop', 0, /^vlm: stopped\n$/);
    await expectCode('status', NOT_RUNNING, /^vlm: does not run\n$/);
    expect([isAlive(keeper), isAlive(ssh)]).toEqual([false, false]);
    await expect(ask('/')).rejects.toThrow();
    expect(readdirSync(stateDirectory)).toEqual(['vlm.log']);
    await expectCode('stop', 0, /^vlm: does not run\n$/);
  });

  it('says that it runs already when it is started again, also with other settings', async () => {
    await run('start');
    const keeper = pidOf('vlm.pid');
    await expectCode('start', UP, /^vlm: runs already, and is up /);
    await expectCode('start', UP, /runs already/, { PORT_FORWARD_LOCAL_PORT: '1' });
    expect(pidOf('vlm.pid')).toBe(keeper);
    // Status is that of the tunnel that runs, whatever stands in the environment now.
    await expectCode('status', UP, new RegExp(`127\\.0\\.0\\.1:${localPort} `), { PORT_FORWARD_LOCAL_PORT: '1', PORT_FORWARD_SSH: '' });
  });

  it('starts one of two that are started at once', async () => {
    const both = await Promise.all([run('start'), run('start')]);
    expect(both.map(({ end }) => end?.code)).toEqual([UP, UP]);
    expect(both.filter(({ stdout }) => stdout.includes('runs already'))).toHaveLength(1);
  });

  it('says that it is down while the server is away, and comes back with it', async () => {
    await run('start');
    const keeper = pidOf('vlm.pid');
    await sshd.stop();
    try {
      await waitForStatus(DOWN);
      await expectCode('status', DOWN, /^vlm: down: not connected/);
    } finally {
      await sshd.start();
    }
    await waitForStatus(UP);
    expect(pidOf('vlm.pid')).toBe(keeper);
    expect(await ask('/again')).toBe('you asked for /again');
  });

  it('keeps trying when the server is away at the start, and says that it is not up', async () => {
    await sshd.stop();
    try {
      await expectCode('start', DOWN, /^port_forward: vlm: not up: not connected.*; it keeps trying\n$/, { PORT_FORWARD_START_SECONDS: '2' });
    } finally {
      await sshd.start();
    }
    await waitForStatus(UP);
  });

  it.each(['http', 'tcp'])('says that it is down when nothing answers behind it (%s)', async (check) => {
    const environment = { PORT_FORWARD_REMOTE_PORT: String(await findFreePort()), PORT_FORWARD_CHECK: check, PORT_FORWARD_START_SECONDS: '3' };
    await expectCode('start', DOWN, /not up: connected, but nothing answers behind it/, environment);
    await expectCode('status', DOWN, /^vlm: down: connected, but nothing answers behind it/);
  });

  it('takes an open connection for an answer where it is told to ask no more', async () => {
    await expectCode('start', UP, /^vlm: up /, { PORT_FORWARD_CHECK: 'tcp' });
  });

  it.each<[string, () => Record<string, string>, RegExp]>([
    ['a key that is not let in', () => ({ PORT_FORWARD_IDENTITY: sshd.strangerIdentity }), /gave up: .*Permission denied/],
    ['a server that nobody knows', () => ({ PORT_FORWARD_KNOWN_HOSTS: join(folder, 'nobody') }), /gave up: .*Host key verification failed/],
  ])('does not try again and again with %s', async (_what, toEnvironment, said) => {
    await expectCode('start', DOWN, said, toEnvironment());
    await expectCode('status', NOT_RUNNING, /^vlm: does not run\n$/);
  });

  it('refuses a port that somebody else listens on', async () => {
    await expectCode('start', DOWN, /^port_forward: another process listens on 127\.0\.0\.1:\d+\n$/, { PORT_FORWARD_LOCAL_PORT: String(servicePort) });
    await expectCode('status', NOT_RUNNING, /does not run/);
  });

  it('takes no other process for its own, though the pid file names it', async () => {
    const other = Program.start('sleep', ['60']);
    try {
      mkdirSync(stateDirectory);
      for (const text of [`${other.pid}\n`, `${other.pid}\n0123456789abcdef\n`, 'nonsense\n', '']) {
        writeFileSync(join(stateDirectory, 'vlm.pid'), text);
        writeFileSync(join(stateDirectory, 'vlm.ssh'), `${other.pid}\n`);
        await expectCode('status', NOT_RUNNING, /does not run/);
        await expectCode('stop', 0, /does not run/);
        expect(existsSync(join(stateDirectory, 'vlm.pid'))).toBe(false);
      }
      writeFileSync(join(stateDirectory, 'vlm.pid'), `${other.pid}\n0123456789abcdef\n`);
      await expectCode('start', UP, /^vlm: up /);
      expect(other.end).toBeNull();
    } finally {
      await other.stop();
    }
  });

  it('takes over after its keeper was killed, though the tunnel still stands', async () => {
    await run('start');
    const ssh = pidOf('vlm.ssh');
    process.kill(pidOf('vlm.pid'), 'SIGKILL');
    await waitForStatus(NOT_RUNNING);
    expect(isAlive(ssh)).toBe(true);
    await expectCode('start', UP, /^vlm: up /);
    expect(isAlive(ssh)).toBe(false);
    expect(await ask('/')).toBe('you asked for /');
  });

  it('starts ssh again when only that was killed', async () => {
    await run('start');
    const ssh = pidOf('vlm.ssh');
    process.kill(ssh, 'SIGKILL');
    await waitFor(() => pidOf('vlm.ssh') !== ssh);
    await waitForStatus(UP);
  });

  it.each<[string, string, Record<string, string>, RegExp]>([
    ['no command', '', {}, /usage: port_forward\.sh start\|stop\|status/],
    ['an unknown one', 'restart', {}, /usage/],
    ['more than one', 'start now', {}, /usage/],
    ['no server', 'start', { PORT_FORWARD_SSH: '' }, /PORT_FORWARD_SSH is missing/],
    ['a server that is an option', 'start', { PORT_FORWARD_SSH: '-oProxyCommand=touch${IFS}canary' }, /PORT_FORWARD_SSH must be a host name/],
    ['a command in a host', 'start', { PORT_FORWARD_REMOTE_HOST: 'a;touch canary' }, /PORT_FORWARD_REMOTE_HOST must be/],
    ['a port that is none', 'start', { PORT_FORWARD_LOCAL_PORT: '70000' }, /PORT_FORWARD_LOCAL_PORT must be a whole number/],
    ['a key that is not there', 'start', { PORT_FORWARD_IDENTITY: '/nonexistent/key' }, /PORT_FORWARD_IDENTITY: cannot read/],
    ['a name that is a path', 'status', { PORT_FORWARD_NAME: '../x' }, /PORT_FORWARD_NAME may hold/],
    ['a path that would end its line', 'start', { PORT_FORWARD_CHECK_PATH: '/a b\r\nx' }, /PORT_FORWARD_CHECK_PATH must be/],
  ])('refuses %s', async (_what, command, environment, said) => {
    await expectCode(command, WRONG_USAGE, said, environment);
    expect(existsSync('canary')).toBe(false);
  });
});
