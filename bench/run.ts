/**
 * What a request and a stream's chunk cost in processor time: Weir with key check, limits in Redis
 * and usage rows in PostgreSQL, without and with log lines, without any limit and with every kind of
 * limit and a budget, beside the bare Node proxy and nginx, in turn, in one run. Processor time is the
 * operating system's account of each process; only the ratios of one run mean anything. Needs Linux;
 * measures nginx where it is installed.
 *
 * Environment: ROUNDS (5), REQUESTS (10000), WARM_UP_REQUESTS (60000), RATE (2000; 0 leaves that load
 * out), CONNECTIONS (64,256), STREAMS (64; 0 leaves them out), WEIR_NODE_FLAGS in place of those of
 * `npm start`, BASE (another checkout that is built: each Weir runs from it as well), and ONLY (of the
 * Weirs those with such names, with commas between).
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../test/support/find-free-port';
import { startPrivatePostgres } from '../test/support/postgres';
import { startPrivateRedis } from '../test/support/redis';
import { addKey, addModel, addUpstream, waitForModel, Weir } from '../test/support/weir';
import { type LoadOptions, type LoadResult, runLoad } from './load';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const REQUESTS = Number(process.env.REQUESTS ?? 10_000);
/** Before anything is counted: a server that runs for days should not be judged by code that is still being compiled. */
const WARM_UP_REQUESTS = Number(process.env.WARM_UP_REQUESTS ?? 60_000);
const CONNECTIONS = (process.env.CONNECTIONS ?? '64,256').split(',').map(Number);
/** Requests a second in the paced run: what every contestant reaches with ease. */
const RATE = Number(process.env.RATE ?? 2000);
const STREAMS = Number(process.env.STREAMS ?? 64);
const { BASE } = process.env;
const ONLY = process.env.ONLY?.split(',').map((name) => name.trim()) ?? null;
/** Before each turn, on each connection. */
const WAKING_REQUESTS = 8;
const STREAM_CHUNKS = 100;
const STREAM_GAP_MS = 10;
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Contestant {
  readonly name: string;
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The processes whose time counts. */
  readonly pids: () => number[];
}

/** What the official OpenAI package for Node sends with every request, besides the key. */
const SDK_HEADERS = {
  accept: 'application/json',
  'user-agent': 'OpenAI/JS 7.55.0',
  'x-stainless-retry-count': '0',
  'x-stainless-lang': 'js',
  'x-stainless-package-version': '7.55.0',
  'x-stainless-os': 'Linux',
  'x-stainless-arch': 'x64',
  'x-stainless-runtime': 'node',
  'x-stainless-runtime-version': 'v26.10.0',
  'accept-language': '*',
  'sec-fetch-mode': 'cors',
  'accept-encoding': 'gzip, deflate, br',
};

const body = (stream: boolean): string => {
  const request = { model: 'bench', stream, messages: [{ role: 'system', content: 'You are helpful.' }, { role: 'user', content: '' }] };
  request.messages[1].content = 'x'.repeat(600 - JSON.stringify(request).length);
  return JSON.stringify(request);
};

async function main(): Promise<void> {
  const stops: (() => unknown)[] = [];
  try {
    const contestants = await start(stops);
    const single = (connections: number, rate: number | null, what: string): Promise<Measurement> =>
      measure(contestants, what, (contestant) => ({ ...toLoad(contestant, false), connections, requests: REQUESTS, rate }), (result) => result.requests);
    for (const contestant of contestants) await runLoad({ ...toLoad(contestant, false), connections: CONNECTIONS[0], requests: WARM_UP_REQUESTS, rate: null });
    const saturated = new Map<number, Measurement>();
    for (const connections of CONNECTIONS) saturated.set(connections, await single(connections, null, `a request, ${connections} connections`));
    const paced = RATE === 0 ? null : await single(CONNECTIONS[0], RATE, 'a request, paced');
    const chunk = STREAMS === 0 ? null : await measure(contestants, "a stream's event", (contestant) => ({
      ...toLoad(contestant, true), connections: STREAMS, requests: STREAMS * 3, rate: STREAMS * 20,
    }), (result) => result.events);
    for (const [connections, measurement] of saturated) print(`a request (600 bytes in, 700 out), ${connections} connections that never rest`, measurement);
    if (paced !== null) print(`a request (600 bytes in, 700 out), ${RATE} a second`, paced);
    if (chunk !== null) print(`a stream's event (${STREAM_CHUNKS} a stream, one each ${STREAM_GAP_MS} ms, ${STREAMS} streams at once)`, chunk);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function toLoad({ port, headers }: Contestant, stream: boolean): Pick<LoadOptions, 'port' | 'path' | 'headers' | 'body'> {
  return { port, headers: { ...SDK_HEADERS, ...headers }, path: '/v1/chat/completions', body: body(stream) };
}

async function start(stops: (() => unknown)[]): Promise<Contestant[]> {
  const upstream = await startChild(stops, 'upstream.js', { STREAM_CHUNKS: String(STREAM_CHUNKS), STREAM_GAP_MS: String(STREAM_GAP_MS) });
  const upstreamUrl = `http://127.0.0.1:${upstream.port}`;
  const bare = await startChild(stops, 'bare-proxy.js', { UPSTREAM: upstreamUrl });
  const contestants: Contestant[] = [{ name: 'bare node proxy', port: bare.port, headers: { authorization: 'Bearer sk-upstream' }, pids: () => [bare.pid] }];
  for (const setup of WEIRS.filter(({ name }) => ONLY === null || ONLY.includes(name))) {
    contestants.push(await startWeir(stops, upstreamUrl, setup));
    if (BASE !== undefined) contestants.push(await startWeir(stops, upstreamUrl, { ...setup, name: `base: ${setup.name}` }, BASE));
  }
  const nginx = await startNginx(stops, upstream.port);
  if (nginx !== null) contestants.push(nginx);
  else console.log('nginx is not installed: left out');
  return contestants;
}

interface WeirSetup {
  readonly name: string;
  readonly logLevel: string;
  /** Of the key. */
  readonly limits: Readonly<Record<string, number>>;
  readonly budgets: readonly object[];
}

/** More than any load here asks for, so that nothing is refused. */
const AMPLE = 1_000_000_000;
const REQUESTS_ONLY = { rpm: AMPLE, rpd: AMPLE };

const WEIRS: readonly WeirSetup[] = [
  { name: 'weir', logLevel: 'warn', limits: REQUESTS_ONLY, budgets: [] },
  { name: 'weir with log lines', logLevel: 'info', limits: REQUESTS_ONLY, budgets: [] },
  { name: 'weir without limits', logLevel: 'warn', limits: { rpm: 0, rpd: 0 }, budgets: [] },
  {
    name: 'weir with every limit',
    logLevel: 'warn',
    limits: { ...REQUESTS_ONLY, tpm: AMPLE, concurrency: 100_000 },
    budgets: [{ amount_usd: 4_000_000, period: 'month' }],
  },
];

async function startWeir(stops: (() => unknown)[], upstreamUrl: string, { name, logLevel, limits, budgets }: WeirSetup, programFolder?: string): Promise<Contestant> {
  const postgres = await startPrivatePostgres({ migrated: true });
  stops.push(() => postgres.destroy());
  const redis = await startPrivateRedis();
  stops.push(() => redis.stop());
  const weir = await Weir.start({ databaseUrl: postgres.url, redisUrl: redis.url, environment: { LOG_LEVEL: logLevel }, nodeFlags: process.env.WEIR_NODE_FLAGS?.split(' '), programFolder });
  stops.push(() => weir.stop());
  const upstream = await addUpstream(weir, { name: 'bench', baseUrl: `${upstreamUrl}/v1`, secrets: ['sk-upstream'] });
  await addModel(weir, 'bench', [upstream.id], { price: { input_per_million_usd: 1, output_per_million_usd: 4 } });
  const { key } = await addKey(weir, { limits, budgets });
  await waitForModel(weir, key, 'bench');
  return {
    name,
    port: Number(new URL(weir.url).port),
    headers: { authorization: `Bearer ${key}` },
    pids: () => [weir.child.pid ?? 0],
  };
}

async function startNginx(stops: (() => unknown)[], upstreamPort: number): Promise<Contestant | null> {
  if (spawnSync('nginx', ['-v']).error !== undefined) return null;
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-nginx-'));
  const port = await findFreePort();
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
upstream up { server 127.0.0.1:${upstreamPort}; keepalive 128; }
server { listen 127.0.0.1:${port}; keepalive_requests 1000000; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }`,
  );
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' });
  stops.push(() => stopChild(child));
  const pids = (): number[] => {
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
    return children === '' ? [] : children.split(' ').map(Number);
  };
  while (!existsSync(join(folder, 'pid')) || pids().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  return { name: 'nginx proxy_pass', port, headers: { authorization: 'Bearer sk-upstream' }, pids };
}

async function startChild(stops: (() => unknown)[], script: string, environment: Record<string, string>): Promise<{ port: number; pid: number }> {
  const child = spawn(process.execPath, [join(__dirname, script)], { env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', 'pipe', 'inherit'] });
  stops.push(() => stopChild(child));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { port: Number(/\d+/.exec(line.toString())?.[0]), pid: child.pid ?? 0 };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

/** Microseconds of processor time per unit, one number a round, by contestant. */
type Measurement = Map<string, number[]>;

async function measure(
  contestants: readonly Contestant[],
  what: string,
  toOptions: (contestant: Contestant) => LoadOptions,
  toUnits: (result: LoadResult) => number,
): Promise<Measurement> {
  const measurement: Measurement = new Map(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const contestant of contestants) {
      const options = toOptions(contestant);
      await wake(contestant, options.connections);
      const before = readProcessorMicroseconds(contestant.pids());
      const result = await runLoad(options);
      const after = readProcessorMicroseconds(contestant.pids());
      if (result.failures > 0) throw new Error(`${contestant.name}: ${result.failures} of ${result.requests} answers were no 200`);
      // The first round warms up.
      if (round > 0) measurement.get(contestant.name)?.push((after - before) / toUnits(result));
    }
    console.log(`${what}: ${round === 0 ? 'warmed up' : `round ${round} of ${ROUNDS}`}`);
  }
  return measurement;
}

/**
 * While the others had their turns, connections to the upstream have idled away, sooner with one
 * contestant than with another: what is measured is a server that is at work.
 */
async function wake(contestant: Contestant, connections: number): Promise<void> {
  await runLoad({ ...toLoad(contestant, false), connections, requests: WAKING_REQUESTS * connections, rate: null });
}

/** utime and stime of the processes, from the kernel's account (proc(5)). */
function readProcessorMicroseconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks / TICKS_PER_SECOND) * 1_000_000;
}

function print(title: string, measurement: Measurement): void {
  const baseline = measurement.get('bare node proxy') ?? [];
  console.log(`\nProcessor time of ${title}`);
  for (const [name, values] of measurement) {
    const ratios = values.map((value, round) => value / baseline[round]);
    console.log(`  ${name.padEnd(28)} ${median(values).toFixed(1).padStart(7)} µs   ${median(ratios).toFixed(2)} × bare (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

void main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
