import { loadConfiguration } from '@weir/platform';
import { UpstreamSimulator } from '@weir/testing';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { chat } from '../support/chat';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { Program } from '../support/program';
import { createTestRedis, type TestRedis } from '../support/redis';
import { waitFor } from '../support/wait-for';
import { addKey, addModel, addUpstream, waitForModel, Weir } from '../support/weir';
import { findProgram, getProgram } from './get-program';

const RULES = 'deploy/prometheus/weir.rules.yml';
const DASHBOARD = 'deploy/grafana/dashboards/weir.json';
/** Of Prometheus itself, and of its prober of certificates. */
const NOT_OURS: ReadonlySet<string> = new Set(['up', 'probe_ssl_earliest_cert_expiry']);

interface Rule {
  alert: string;
  expr: string;
  annotations: { runbook: string };
}

interface CollectorFile {
  readonly receivers: { readonly otlp: { readonly protocols: object } };
  readonly processors: object;
  readonly exporters: object;
  readonly service: { readonly pipelines: { readonly traces: Readonly<Record<'receivers' | 'processors' | 'exporters', readonly string[]>> } };
}

const readRules = async (): Promise<Rule[]> => (parse(await readFile(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules);

interface Dashboard {
  panels: { targets?: { expr: string }[] }[];
  templating: { list: { query: string }[] };
}

const readDashboard = async (): Promise<Dashboard> => JSON.parse(await readFile(DASHBOARD, 'utf8')) as Dashboard;
const readQueries = async (): Promise<string[]> => (await readDashboard()).panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-test-watching-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the rules of Prometheus', () => {
  it('are understood by promtool, alert when they should, and keep quiet when they should', async () => {
    const promtool = await getProgram('promtool', 'prometheus');
    for (const args of [['check', 'rules', 'weir.rules.yml'], ['check', 'config', 'prometheus.yml'], ['test', 'rules', 'weir.rules.test.yml']]) {
      const { end, output } = await Program.run(promtool, args, { cwd: resolve('deploy/prometheus') });
      expect([args.join(' '), end?.code, output]).toEqual([args.join(' '), 0, expect.stringContaining('SUCCESS')]);
    }
  });

  it('and the questions of the dashboard are PromQL', async () => {
    const promtool = await getProgram('promtool', 'prometheus');
    const rules = (await readQueries()).map((expr, index) => ({ record: `dashboard:query_${index}`, expr: expr.replaceAll('$__rate_interval', '5m') }));
    expect(rules.length).toBeGreaterThan(20);
    const path = join(folder, 'dashboard.rules.yml');
    await writeFile(path, stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { end, output } = await Program.run(promtool, ['check', 'rules', path]);
    expect([end?.code, output]).toEqual([0, expect.stringContaining(`${rules.length} rules found`)]);
  }, 120_000);

  it('are each tested both ways, and explained in the handbook', async () => {
    const tests = parse(await readFile('deploy/prometheus/weir.rules.test.yml', 'utf8')) as { tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[] };
    const cases = tests.tests.flatMap(({ alert_rule_test }) => alert_rule_test);
    const handbook = await readFile('docs/operations.md', 'utf8');
    for (const { alert, annotations } of await readRules()) {
      const fires = cases.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length > 0);
      expect([alert, new Set(fires)]).toEqual([alert, new Set([false, true])]);
      expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      expect(handbook).toContain(`### ${alert}\n`);
    }
  });
});

describe('the collector of traces', () => {
  const PATH = 'deploy/otel/collector.yaml';

  it('takes what Weir sends by itself, and hands it on by parts that it has', async () => {
    const { receivers, processors, exporters, service } = parse(await readFile(PATH, 'utf8')) as CollectorFile;
    expect(receivers.otlp.protocols).toEqual({ http: { endpoint: expect.stringMatching(/127\.0\.0\.1:4318\}$/) } });
    const { traces } = service.pipelines;
    expect([traces.receivers, traces.processors, traces.exporters]).toEqual([Object.keys(receivers), Object.keys(processors), Object.keys(exporters)]);
    expect(loadConfiguration({ OTEL_TRACES_EXPORTER: 'otlp' }).traces?.endpoint).toBe('http://localhost:4318/v1/traces');
  });

  it('is understood by the collector, where there is one', async () => {
    const collector = await findProgram('otelcol');
    if (collector === null) return;
    const { end, output } = await Program.run(collector, ['validate', '--config', PATH]);
    expect([end?.code, output]).toEqual([0, expect.any(String)]);
  });
});

describe('what is watched', () => {
  let simulator: UpstreamSimulator;
  let database: TestDatabase;
  let redis: TestRedis;
  let weir: Weir;
  beforeAll(async () => {
    simulator = await new UpstreamSimulator().start();
    [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
    weir = await Weir.start({ databaseUrl: database.url, redisUrl: redis.url, environment: { LOG_FILE: join(folder, 'weir.log') } });
    const { id } = await addUpstream(weir, { name: 'simulator', baseUrl: simulator.baseUrl, secrets: ['sk-simulated', 'sk-other'] });
    await addModel(weir, 'watched', [id]);
    const { key } = await addKey(weir);
    await waitForModel(weir, key, 'watched');
    expect((await chat(weir, key, 'watched')).status).toBe(200);
  });
  afterAll(async () => {
    await weir.stop();
    await Promise.all([simulator.stop(), database.drop(), redis.close()]);
  });

  it('is there: Weir has every metric, with every label, that a rule or the dashboard asks for', async () => {
    const labels = toLabels(await weir.metrics());
    const { templating } = await readDashboard();
    const questions = [
      ...(await readRules()).map(({ expr }) => expr),
      ...(await readQueries()),
      ...templating.list.map(({ query }) => query).filter((query) => query.startsWith('label_values')),
    ];
    expect(questions.length).toBeGreaterThan(30);
    const missing = questions.flatMap((question) => findMissing(question, labels).map((what) => `${what} in ${question}`));
    expect(missing).toEqual([]);
  });

  it('tells how many keys of an upstream are fit', async () => {
    expect(await weir.metrics()).toContain('weir_upstream_keys{upstream="simulator",state="active"} 2\n');
  });
});

/** The names of the metrics, each with the labels that its series have. */
function toLabels(text: string): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const [, name] of text.matchAll(/^# TYPE (\S+)/gm)) names.set(name, new Set());
  for (const [, name, list = ''] of text.matchAll(/^([a-z_0-9]+)(?:\{(.*)\})? \S+$/gm)) {
    const labels = names.get(toFamily(name, names)) ?? new Set();
    for (const [, label] of list.matchAll(/(?:^|,)([a-z_]+)="/g)) labels.add(label);
  }
  return names;
}

/** A histogram has three kinds of series under one name. */
const toFamily = (name: string, names: ReadonlyMap<string, unknown>): string => (names.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''));

/** Given by Prometheus itself to everything that it scrapes. */
const OF_THE_SCRAPE = ['job', 'instance'];

function findMissing(question: string, names: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...question.matchAll(/\b((?:weir|probe)_[a-z_0-9]+|up)\b(?:\{([^}]*)\})?/g)].flatMap(([, name, matchers = '']) => {
    if (NOT_OURS.has(name)) return [];
    const labels = names.get(toFamily(name, names));
    if (labels === undefined) return [name];
    const asked = [...matchers.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label);
    // A counter that has not counted yet has no series, and so shows no labels.
    return labels.size === 0 ? [] : asked.filter((label) => !labels.has(label) && !OF_THE_SCRAPE.includes(label)).map((label) => `${name}{${label}}`);
  });
}

describe('the log', () => {
  let elasticsearch: Server;
  let rsyslog: Program | null = null;
  const documents: Record<string, unknown>[] = [];
  const indexes = new Set<string>();

  beforeAll(async () => {
    elasticsearch = createServer((request, response) => {
      let body = '';
      request.on('data', (piece: Buffer) => (body += piece.toString()));
      request.on('end', () => {
        if (request.url?.startsWith('/_bulk') === true) take(body);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"took":1,"errors":false,"items":[]}');
      });
    }).listen(0, '127.0.0.1');
    await new Promise((listening) => elasticsearch.once('listening', listening));
  });
  afterAll(async () => {
    await rsyslog?.stop('SIGKILL');
    elasticsearch.close();
    elasticsearch.closeAllConnections();
  });

  /** Elasticsearch's bulk: a line that says where, a line with the document. */
  function take(body: string): void {
    const lines = toLines(body);
    for (let index = 0; index < lines.length; index += 2) {
      indexes.add((JSON.parse(lines[index]) as { index: { _index: string } }).index._index);
      documents.push(JSON.parse(lines[index + 1]) as Record<string, unknown>);
    }
  }

  it('goes to Elasticsearch line by line, as the JSON that it is', async () => {
    const program = await getProgram('rsyslogd', 'rsyslog');
    await getElasticsearchModule();
    const { port } = elasticsearch.address() as AddressInfo;
    const shipped = await readFile('deploy/logs/weir-elasticsearch.conf', 'utf8');
    const configuration = shipped.replaceAll('/var/log/weir/', `${folder}/`).replace('serverport="9200"', `serverport="${port}"`);
    await writeFile(join(folder, 'rsyslog.conf'), `global(workDirectory="${folder}")\n${configuration}`);
    const checked = await Program.run(program, ['-N1', '-f', join(folder, 'rsyslog.conf')]);
    expect([checked.end?.code, checked.output]).toEqual([0, expect.not.stringContaining('error')]);
    // What the Weir above has written, and a file of a worker beside it.
    const written = toLines(await readFile(join(folder, 'weir.log'), 'utf8'));
    expect(written.map((line): unknown => JSON.parse(line))).toContainEqual(expect.objectContaining({ msg: 'request', model: 'watched', status: 200 }));
    await writeFile(join(folder, 'weir.2.log'), '{"level":30,"msg":"of another worker"}\n');
    rsyslog = Program.start(program, ['-n', '-f', join(folder, 'rsyslog.conf'), '-i', join(folder, 'pid')]);
    await waitFor(() => documents.length >= written.length + 1, { what: 'the first documents' });
    const later = '{"level":50,"msg":"a \\"quoted\\" word: 100 %msg%"}';
    await appendFile(join(folder, 'weir.log'), `${later}\n`);
    await waitFor(() => documents.length >= written.length + 2, { what: 'the next document' });
    const expected = [...written, '{"level":30,"msg":"of another worker"}', later];
    expect(documents.map((document) => JSON.stringify(document)).sort()).toEqual(expected.map((line) => JSON.stringify(JSON.parse(line))).sort());
    expect([...indexes][0]).toMatch(/^weir-\d{4}\.\d{2}\.\d{2}$/);
  });
});

const toLines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** A package of its own, which has no program. */
async function getElasticsearchModule(): Promise<void> {
  const { stdout } = await Program.run('/bin/sh', ['-c', 'find /usr/lib -name omelasticsearch.so']);
  if (stdout.trim() === '') await getProgram('omelasticsearch.so', 'rsyslog-elasticsearch').catch(() => undefined);
}
