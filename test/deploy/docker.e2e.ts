import { loadConfiguration } from '@weir/platform';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { parse } from 'yaml';
import { findProgram } from './get-program';

const read = (path: string): string => readFileSync(path, 'utf8');

/** One instruction a line, comments left out. */
const INSTRUCTIONS = read('Dockerfile').replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ').split('\n').filter((line) => line.trim() !== '');
const STAGES = INSTRUCTIONS.join('\n').split(/^(?=FROM )/m).filter((stage) => stage !== '');
const LAST = STAGES.at(-1) ?? '';

describe('the image', () => {
  it("is built in stages of the official image, with the Node that the packages ask for", () => {
    expect(STAGES.length).toBeGreaterThanOrEqual(3);
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    const least = Number(/\d+/.exec(engines.node)?.[0]);
    for (const stage of STAGES) {
      const [, major] = /^FROM node:(\d+)-bookworm-slim\b/.exec(stage) ?? [];
      expect(Number(major)).toBeGreaterThanOrEqual(least);
    }
  });

  it('takes nothing of development, no embedded database and no second Node into the last stage', () => {
    expect(INSTRUCTIONS.join('\n')).toMatch(/npm ci --omit=dev --omit=optional --ignore-scripts/);
    const copied = [...LAST.matchAll(/^COPY --from=(\S+) (.*)$/gm)].map(([, from, what]) => `${from}: ${what}`);
    expect(copied).toEqual(['packages: /weir/node_modules ./node_modules', 'build: /weir/package.json /weir/LICENSE ./', 'build: /weir/dist ./dist']);
  });

  it('runs as a user of its own, who writes nowhere but in the volume, and is asked for its health', () => {
    expect(LAST).toMatch(/^USER 1000:1000$/m);
    expect(LAST).toMatch(/^VOLUME \/var\/lib\/weir$/m);
    expect(LAST).toMatch(/WEIR_DATA_DIR=\/var\/lib\/weir/);
    expect(LAST).toMatch(/^HEALTHCHECK .*\/readyz/m);
    // In the form of a list: no shell stands between SIGTERM and Weir.
    const [, command] = /^CMD (\[.*\])$/m.exec(LAST) ?? [];
    expect(JSON.parse(command)).toEqual(['node', ...startFlags(), 'dist/apps/gateway/src/main.js']);
  });

  it('needs no package at run time but those that are no development and not optional', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const needed = new Set<string>();
    for (const path of findShipped('dist')) {
      for (const [, name] of read(path).matchAll(/\brequire\("([^."][^"]*)"\)/g)) needed.add(name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/'));
    }
    const builtIn = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);
    const missing = [...needed].filter((name) => !builtIn.has(name) && !name.startsWith('node:') && dependencies[name] === undefined);
    expect(needed.size).toBeGreaterThan(10);
    // What Nest brings itself.
    expect(missing.filter((name) => !['express'].includes(name))).toEqual([]);
  });

  it('is given the sources and nothing else: no .env, no data, no history', () => {
    const rules = read('.dockerignore').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(rules[0]).toBe('*');
    expect(rules).toContain('!apps');
    expect(rules.filter((rule) => /!.*(\.env|\.weir|\.git|node_modules)/.test(rule))).toEqual([]);
    const needed = [...INSTRUCTIONS.join('\n').matchAll(/^COPY ((?!--from).*) \.\/?$/gm)].flatMap(([, names]) => names.split(' ')).filter((name) => name !== '.');
    for (const name of needed) expect(rules).toContain(`!${name}`);
  });
});

interface Service {
  image?: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  read_only?: boolean;
  cap_drop?: string[];
  logging?: { driver: string; options: Record<string, string> };
  deploy?: { resources: { limits: { cpus: string; memory: string } } };
  depends_on?: Record<string, { condition: string }> | string[];
  ports?: string[];
  volumes?: string[];
  networks?: string[];
  profiles?: string[];
  healthcheck?: { test?: string[] };
  stop_grace_period?: string;
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service>; networks: Record<string, { internal?: boolean } | null>; volumes: Record<string, null> };
const { services } = compose;
const NODES = ['weir', 'weir-2'];

describe('docker-compose.yml', () => {
  it('starts PostgreSQL, Redis, two Weirs and Nginx without a profile, and watching with one', () => {
    const plain = Object.entries(services).filter(([, { profiles }]) => profiles === undefined).map(([name]) => name);
    expect(plain.sort()).toEqual(['migrate', 'nginx', 'postgres', 'redis', 'weir', 'weir-2']);
    expect(services.prometheus.profiles).toEqual(['monitoring']);
    expect(services.grafana.profiles).toEqual(['monitoring']);
  });

  it.each(Object.keys(services))('limits what %s may take, and how much it may log', (name) => {
    const { logging, deploy } = services[name];
    expect(logging).toEqual({ driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } });
    expect(Number(deploy?.resources.limits.cpus)).toBeGreaterThan(0);
    expect(deploy?.resources.limits.memory).toMatch(/^\d+[mg]$/);
  });

  it('starts in the order of health: databases, migrations, Weir, Nginx', () => {
    const healthy = { condition: 'service_healthy' };
    expect(services.migrate.depends_on).toEqual({ postgres: healthy });
    for (const name of NODES) {
      expect(services[name].depends_on).toEqual({ postgres: healthy, redis: healthy, migrate: { condition: 'service_completed_successfully' } });
    }
    expect(services.nginx.depends_on).toEqual({ weir: healthy, 'weir-2': healthy });
    for (const name of ['postgres', 'redis']) expect(services[name].healthcheck?.test?.[0]).toBe('CMD-SHELL');
  });

  it('has a Redis that asks for a password, keeps its data and evicts nothing', () => {
    const command = services.redis.command?.join(' ');
    expect(command).toContain('--requirepass');
    expect(command).toContain('--appendonly yes');
    expect(command).toContain('--maxmemory-policy noeviction');
  });

  it('shows the world nothing but Nginx, and the databases not even the way out', () => {
    for (const [name, { ports = [] }] of Object.entries(services)) {
      for (const port of ports) if (name !== 'nginx') expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    expect(services.nginx.ports).toEqual(['${WEIR_HTTP_ADDRESS:-127.0.0.1:8080}:8080', '${WEIR_HTTPS_ADDRESS:-127.0.0.1:8443}:8443']);
    expect(compose.networks.data?.internal).toBe(true);
    expect([services.postgres.networks, services.redis.networks]).toEqual([['data'], ['data']]);
  });

  it('runs Weir and Nginx on a read-only root without privileges, and gives a drain its time', () => {
    for (const name of [...NODES, 'nginx']) {
      expect(services[name]).toMatchObject({ read_only: true, cap_drop: ['ALL'], stop_grace_period: '310s' });
    }
    const { shutdownTimeoutMs } = loadConfiguration({});
    expect(310_000).toBeGreaterThan(shutdownTimeoutMs);
  });

  it('sets only what Weir understands, and leaves no secret to a default', () => {
    const { environment = {} } = services.weir;
    for (const name of ['POSTGRES_PASSWORD', 'REDIS_PASSWORD', 'ENCRYPTION_KEY']) expect(environment[name]).toMatch(/^\$\{\w+:\?set \w+ in \.env/);
    const given = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, value.startsWith('${') ? 'ab'.repeat(32) : value]));
    expect(loadConfiguration(given)).toMatchObject({ database: { kind: 'url' }, redis: { url: expect.stringContaining('redis:6379') }, adminPort: 8081 });
    for (const name of NODES) expect(services[name].environment).toEqual(environment);
  });

  it('mounts only files that are there and volumes that are declared', () => {
    for (const { volumes = [] } of Object.values(services)) {
      for (const volume of volumes) {
        const [source] = volume.split(':');
        if (source.startsWith('./')) expect(readdirSync(source).length).toBeGreaterThan(0);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
    }
  });

  it('reads only variables that deploy/docker/env.example or .env.example explain', () => {
    const explained = ['deploy/docker/env.example', '.env.example'].flatMap((path) => Object.keys(parseEnv(read(path).replace(/^# (?=[A-Z][A-Z0-9_]*=)/gm, ''))));
    const used = [...read('docker-compose.yml').matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => name);
    expect(new Set(used.filter((name) => !explained.includes(name)))).toEqual(new Set());
  });

  it('is understood by docker compose itself, where there is one', async () => {
    const docker = await findProgram('docker');
    if (docker === null || !hasCompose(docker)) return;
    const environment = { ...process.env, POSTGRES_PASSWORD: 'a', REDIS_PASSWORD: 'b', ENCRYPTION_KEY: 'c' };
    expect(execFileSync(docker, ['compose', 'config', '--quiet'], { env: environment }).toString()).toBe('');
  });
});

function hasCompose(docker: string): boolean {
  try {
    execFileSync(docker, ['compose', 'version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The flags of Node in `npm start`. */
function startFlags(): string[] {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  return [...scripts['start:prod'].matchAll(/ (--\S+)/g)].map(([, flag]) => flag);
}

function findShipped(folder: string): string[] {
  return ['apps', 'libs', 'migrations', 'scripts'].flatMap((name) =>
    readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.js') && !path.endsWith('.spec.js') && !path.startsWith('testing'))
      .map((path) => join(folder, name, path)),
  );
}
