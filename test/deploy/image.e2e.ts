import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { Program } from '../support/program';
import { findPorts } from '../support/start-weir';
import { TEST_ENCRYPTION_KEY } from '../support/weir';

const DOCKERFILE = readFileSync('Dockerfile', 'utf8').replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ');
/** The commands of the Dockerfile that throw files away, as they stand there. */
const PRUNING = [...DOCKERFILE.matchAll(/\bfind (?:dist|node_modules) .*? -delete/g)].map(([command]) => command);

/** As package-lock.json has it, of what the image is concerned with. */
interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

/** Folders that `npm ci --omit=dev --omit=optional` installs. */
function findShippedPackages(): string[] {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Readonly<Record<string, LockedPackage>> };
  return Object.entries(packages)
    .filter(([path, { dev, optional, devOptional }]) => path !== '' && dev !== true && optional !== true && devOptional !== true)
    .map(([path]) => path);
}

const onLinux = process.platform === 'linux' ? describe : describe.skip;

// Needs no container: the folder /weir of the image, made by the Dockerfile's own words.
onLinux('what the image has in /weir', () => {
  let folder: string;
  let database: TestDatabase;
  let weir: Program | null = null;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-test-image-'));
    database = await createTestDatabase({ empty: true });
    copyPackages(folder);
    cpSync('dist', join(folder, 'dist'), { recursive: true });
    cpSync('package.json', join(folder, 'package.json'));
    for (const command of PRUNING) execFileSync('/bin/sh', ['-c', command], { cwd: folder });
  }, 240_000);
  afterAll(async () => {
    await weir?.stop('SIGKILL');
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is enough: the job of the migrations ends well, Weir starts, passes its health check, and leaves at SIGTERM', async () => {
    expect(PRUNING).toHaveLength(2);
    const ports = await findPorts();
    const environment = { ...toVariables(DOCKERFILE), HOST: '127.0.0.1', ...ports, DATABASE_URL: database.url, ENCRYPTION_KEY: TEST_ENCRYPTION_KEY, WEIR_DATA_DIR: join(folder, 'data') };
    mkdirSync(environment.WEIR_DATA_DIR, { mode: 0o700 });
    const migration = await Program.run(process.execPath, ['dist/scripts/init_db.js'], { cwd: folder, environment });
    expect([migration.end, migration.stderr]).toEqual([{ code: 0, signal: null }, '']);
    weir = Program.start(process.execPath, readCommand('CMD'), { cwd: folder, environment });
    await weir.waitForOutput(/Weir is ready/);
    const healthy = await Program.run(process.execPath, readCommand('HEALTHCHECK .*? CMD'), { cwd: folder, environment });
    expect([healthy.end?.code, healthy.output]).toEqual([0, '']);
    expect(await weir.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    const unhealthy = await Program.run(process.execPath, readCommand('HEALTHCHECK .*? CMD'), { cwd: folder, environment });
    expect(unhealthy.end?.code).toBe(1);
  }, 240_000);
});

/** By links where the file system can: there are thousands of files, and they are only read. */
function copyPackages(folder: string): void {
  // What is in a package's own node_modules comes with it.
  const paths = findShippedPackages().filter((path) => path.lastIndexOf('node_modules/') === 0);
  try {
    execFileSync('cp', ['-al', '--parents', ...paths, folder], { stdio: 'ignore' });
  } catch {
    rmSync(join(folder, 'node_modules'), { recursive: true, force: true });
    execFileSync('cp', ['-a', '--parents', ...paths, folder]);
  }
}

/** The words after `node` of an instruction of the last stage, which is a list. */
function readCommand(instruction: string): string[] {
  const [, list] = new RegExp(`^${instruction} (\\[.*\\])$`, 'm').exec(DOCKERFILE) ?? [];
  const [program, ...args] = JSON.parse(list) as string[];
  expect(program).toBe('node');
  return args;
}

/** What ENV sets. */
function toVariables(dockerfile: string): Record<string, string> {
  const [, text = ''] = /^ENV (.*)$/m.exec(dockerfile) ?? [];
  return Object.fromEntries(text.trim().split(/\s+/).map((pair) => pair.split('=') as [string, string]));
}
