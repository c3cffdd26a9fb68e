import { loadConfiguration } from '@weir/platform';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { Program } from '../support/program';
import { TEST_ENCRYPTION_KEY } from '../support/weir';
import { getProgram } from './get-program';

const FOLDER = 'deploy/systemd';
const SERVICES = ['weir.service', 'weir@.service', 'weir-backup.service'];
/** Of 100; what systemd itself calls "OK" ends at 40. */
const MOST_EXPOSED = 20;
const onLinux = process.platform === 'linux' ? describe : describe.skip;

/** Runs as another user, which is the superuser's to do. */
const asSuperuser = process.platform === 'linux' && process.getuid?.() === 0 ? it : it.skip;

const readUnit = (name: string): Promise<string> => readFile(join(FOLDER, name), 'utf8');

onLinux('the units of systemd', () => {
  let analyze: string;
  let folder: string;
  beforeAll(async () => {
    analyze = await getProgram('systemd-analyze', 'systemd');
    folder = await mkdtemp(join(tmpdir(), 'weir-test-units-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('are understood by systemd, with a program, a user and a folder that this machine has', async () => {
    const paths: string[] = [];
    for (const name of [...SERVICES, 'weir-backup.timer']) {
      const unit = (await readUnit(name)).replaceAll('/opt/weir/node_modules/.bin/node', '/bin/true').replaceAll('/opt/weir', '/tmp').replace(/^(User|Group)=.*$/gm, '$1=root');
      const path = join(folder, name.replace('@.', '@1.'));
      await writeFile(path, unit);
      paths.push(path);
    }
    const { end, output } = await Program.run(analyze, ['verify', ...paths]);
    // Units of the machine itself may be lacking something; what is said of ours names them.
    const ours = output.split('\n').filter((line) => paths.some((path) => line.includes(basename(path))));
    expect([ours, end?.code]).toEqual([[], 0]);
  });

  it.each(SERVICES)('leave %s as little of the machine as it needs', async (name) => {
    const { end, output } = await Program.run(analyze, ['security', '--offline=true', `--threshold=${MOST_EXPOSED}`, resolve(FOLDER, name)]);
    expect([end?.code, /Overall exposure level.*/.exec(output)?.[0]]).toEqual([0, expect.stringContaining('OK')]);
  });

  it('give a drain its time, start again what dies, and leave no core with secrets in it', async () => {
    for (const name of ['weir.service', 'weir@.service']) {
      const unit = await readUnit(name);
      const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
      expect(seconds * 1000).toBeGreaterThan(loadConfiguration({}).shutdownTimeoutMs + 10_000);
      expect(unit).toMatch(/^Restart=always$/m);
      expect(unit).toMatch(/^LimitCORE=0$/m);
      expect(unit).toContain(await getStartCommand());
    }
  });
});

describe('the backup that a timer starts', () => {
  let folder: string;
  let database: TestDatabase;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-test-timer-'));
    database = await createTestDatabase();
    for (const name of ['backups', 'data', 'etc']) await mkdir(join(folder, name), { mode: 0o700 });
    await writeFile(join(folder, 'etc', 'backup-passphrase'), 'correct horse battery staple\n');
    await writeFile(join(folder, 'etc', 'weir.env'), `DATABASE_URL=${database.url}\nENCRYPTION_KEY=${TEST_ENCRYPTION_KEY}\n`);
  });
  afterAll(async () => {
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  it("ends well with the unit's own words and environment, in other folders", async () => {
    const toHere = (text: string): string => text.replaceAll('/etc/weir', join(folder, 'etc')).replaceAll('/var/backups/weir', join(folder, 'backups')).replaceAll('/var/lib/weir', join(folder, 'data')).replaceAll('/opt/weir', resolve('.'));
    const unit = toHere(await readUnit('weir-backup.service'));
    const read = (name: string): string[] => [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);
    const [environmentFile] = read('EnvironmentFile');
    const environment = parseEnv([await readFile(environmentFile, 'utf8'), ...read('Environment')].join('\n'));
    const [[command, ...args]] = read('ExecStart').map((line) => line.split(' '));
    const { end, output } = await Program.run(command, args, { environment });
    expect([end?.code, output]).toEqual([0, expect.stringContaining('read again, and whole')]);
    expect(await readdir(join(folder, 'backups'))).toEqual([expect.stringMatching(/^weir-.*\.backup$/)]);
  });
});

describe('weir-script.sh', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-test-script-'));
    await mkdir(join(folder, 'dist', 'scripts'), { recursive: true });
    await writeFile(join(folder, 'dist', 'scripts', 'doctor.js'), '');
    await cp(FOLDER, join(folder, FOLDER), { recursive: true });
    await mkdir(join(folder, 'bin'));
    // In its place: what a script would be given.
    await writeFile(join(folder, 'bin', 'runuser'), '#!/bin/sh\nprintf "%s\\n" "$DATABASE_URL" "$REDIS_URL" "$CORS_ORIGINS" "$LOG_LEVEL" "${ORDINARY-unset}" "$WEIR_DATA_DIR"\n');
    await chmod(join(folder, 'bin', 'runuser'), 0o755);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const run = async (lines: readonly string[]): Promise<{ code: number | null | undefined; output: string }> => {
    await writeFile(join(folder, 'weir.env'), lines.join('\n'));
    const { end, output } = await Program.run('sh', [join(folder, FOLDER, 'weir-script.sh'), 'doctor'], { environment: { WEIR_ENV: join(folder, 'weir.env'), PATH: `${join(folder, 'bin')}:${process.env.PATH}` } });
    return { code: end?.code, output };
  };

  it('gives a script the settings that the service has, whatever they would mean to a shell', async () => {
    const { code, output } = await run([
      '# ORDINARY=commented',
      '; ORDINARY=commented',
      'DATABASE_URL=postgres://weir:a$b;c@127.0.0.1:5432/weir?sslmode=require&application_name=weir',
      'REDIS_URL="redis://:two words@127.0.0.1"',
      "CORS_ORIGINS='https://a.example,https://*(b)'",
      'LOG_LEVEL=`id`',
    ]);
    expect(output.trim().split('\n')).toEqual([
      'postgres://weir:a$b;c@127.0.0.1:5432/weir?sslmode=require&application_name=weir',
      'redis://:two words@127.0.0.1',
      'https://a.example,https://*(b)',
      '`id`',
      'unset',
      '/var/lib/weir',
    ]);
    expect(code).toBe(0);
  });

  it('refuses what it would read otherwise than systemd, without saying it', async () => {
    const { code, output } = await run(['LOG_LEVEL=se\\cret']);
    expect([code, output]).toEqual([1, expect.stringContaining('LOG_LEVEL in')]);
    expect(output).not.toContain('cret');
  });

  asSuperuser('runs a script with the settings of the service, also from cron, which knows few folders', async () => {
    const settings = join(folder, 'cron.env');
    await writeFile(settings, `ENCRYPTION_KEY=${'8f'.repeat(32)}\nADMIN_HOST=10.1.2.3\n`);
    const environment = { PATH: '/usr/bin:/bin', WEIR_ENV: settings, WEIR_USER: 'root', WEIR_DATA_DIR: folder };
    const { output } = await Program.run('/bin/sh', [resolve(FOLDER, 'weir-script.sh'), 'doctor'], { environment, cwd: '/' });
    expect(output).toContain('ADMIN_HOST opens the admin API to a network');
  });
});

describe('the PM2 ecosystem file', () => {
  it('starts the program in cluster mode with a port for the metrics of each, and lets it drain', async () => {
    interface Application {
      cwd: string;
      script: string;
      env: Record<string, string | number>;
      kill_timeout: number;
    }
    const { apps } = (await import(resolve('deploy/pm2/ecosystem.config.cjs'))) as { apps: [Application] };
    const [application] = apps;
    expect(application).toMatchObject({ exec_mode: 'cluster', wait_ready: true, increment_var: 'METRICS_PORT' });
    expect(await getStartCommand()).toContain(application.script);
    expect(application.cwd).toBe(resolve('.'));
    expect(application.kill_timeout).toBeGreaterThan(loadConfiguration({}).shutdownTimeoutMs);
    const environment = Object.fromEntries(Object.entries(application.env).map(([name, value]) => [name, String(value)]));
    expect(loadConfiguration(environment)).toMatchObject({ workers: 1, metricsPort: 9090 });
  });
});

/** What `npm run start:prod` runs. */
async function getStartCommand(): Promise<string> {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: Record<string, string> };
  return scripts['start:prod'].replace(/^exec node /, '');
}
