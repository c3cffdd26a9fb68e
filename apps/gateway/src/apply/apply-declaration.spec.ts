import 'reflect-metadata';
import { OrganizationEntity, ProjectEntity } from '@weir/access';
import { newId, type OrganizationId, Secret, systemClock, type UpstreamId } from '@weir/kernel';
import { ConfigurationError, createDataSource } from '@weir/platform';
import { ModelEntity, ModelTargetEntity, UpstreamEntity } from '@weir/upstreams';
import { KeyRing, UpstreamKeyEntity, UpstreamKeyVault } from '@weir/vault';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres';
import { applyDeclaration, type ApplyOptions } from './apply-declaration';
import { type ApplyReport, toDifferenceText } from './difference';
import { parseWeirFile } from './parse-weir-file';

const ENTITIES = [OrganizationEntity, ProjectEntity, UpstreamEntity, UpstreamKeyEntity, ModelEntity, ModelTargetEntity];
const TABLES = ['organizations', 'projects', 'upstreams', 'upstream_keys', 'models', 'model_targets', 'proxy_keys', 'audit_records', 'snapshot_changes'];
const ENVIRONMENT = { KEY: 'sk-canary-first', SECOND: 'sk-canary-second' };

const FILE = `
upstreams:
  - name: openai
    provider: openai
    base_url: https://api.openai.com/v1
    weight: 70
    keys:
      - secret: \${KEY}
        label: main
backends:
  vlm:
    url: http://10.0.0.1:6050
models:
  - name: gpt-5
    operation: chat
    price: {input_per_million_usd: 1.25}
    limits: {rpm: 5, tpm: 100}
    targets:
      - upstream: OpenAI
routes:
  - model: gpt-*
    targets: [{upstream: openai}]
organizations:
  - name: Acme
    limits: {rpm: 10}
    budgets: [{amount_usd: 1.50, period: day, model: gpt-5}]
    projects:
      - name: search
        limits: {concurrency: 3}
`;

let database: TestDatabase;
let dataSource: DataSource;
let vault: UpstreamKeyVault;

beforeEach(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 4, ENTITIES).initialize();
  vault = new UpstreamKeyVault(dataSource.manager, KeyRing.parse(`k1:${'ab'.repeat(32)}`));
});
afterEach(async () => {
  await dataSource.destroy();
  await database.drop();
});

async function apply(text: string, options: ApplyOptions = {}, environment: NodeJS.ProcessEnv = ENVIRONMENT): Promise<ApplyReport> {
  const report = await applyDeclaration(await parseWeirFile(text, 'weir.yaml', environment), { dataSource, vault, clock: systemClock }, options);
  expect(toDifferenceText(report)).not.toContain('canary');
  return report;
}

const summaryOf = ({ differences }: ApplyReport): string[] => differences.map(({ action, kind, name, changes }) => [action, kind, name, ...Object.keys(changes)].join(' '));

/** All that there is, row by row: equal before and after means that nothing was written. */
async function readAll(): Promise<Record<string, object[]>> {
  const tables = await Promise.all(TABLES.map(async (table) => [table, await database.query(`SELECT * FROM ${table} ORDER BY id`)] as const));
  return Object.fromEntries(tables);
}

async function refusal(text: string, options: ApplyOptions = {}): Promise<string> {
  const error: unknown = await apply(text, options).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ConfigurationError) return error.message;
  throw new Error('it was not refused as it should be', { cause: error });
}

async function openKeys(upstream: string): Promise<Record<string, string>> {
  const [{ id, base_url }] = await database.query<{ id: UpstreamId; base_url: string }>('SELECT id, base_url FROM upstreams WHERE name = $1', [upstream]);
  const opened = await vault.openAll(new Map([[id, new URL(base_url).origin]]), (error) => {
    throw error;
  });
  return Object.fromEntries(opened.map(({ label, secret }) => [label, secret.expose()]));
}

describe('applyDeclaration', () => {
  it('makes what is declared, and says so', async () => {
    expect(summaryOf(await apply(FILE))).toEqual([
      'create upstream openai provider base_url weight',
      'create upstream key openai / main secret',
      'create upstream vlm provider base_url enabled options',
      'create model gpt-5 operation limits price targets',
      'create model gpt-* operation targets',
      'create model vlm operation price targets',
      'create organization Acme limits budgets',
      'create project Acme / search limits',
    ]);
    expect(await openKeys('openai')).toEqual({ main: 'sk-canary-first' });
    const targets = await database.query('SELECT m.name, u.name AS upstream, t.upstream_model FROM model_targets t JOIN models m ON m.id = t.model_id JOIN upstreams u ON u.id = t.upstream_id ORDER BY 1');
    expect(targets).toEqual([
      { name: 'gpt-*', upstream: 'openai', upstream_model: 'gpt-*' },
      { name: 'gpt-5', upstream: 'openai', upstream_model: 'gpt-5' },
      { name: 'vlm', upstream: 'vlm', upstream_model: 'vlm' },
    ]);
  });

  it('finds nothing to change the second time, and writes nothing', async () => {
    await apply(FILE);
    const before = await readAll();
    for (const options of [{}, { prunes: true }]) expect(await apply(FILE, options)).toEqual({ differences: [], kept: [] });
    expect(await readAll()).toEqual(before);
  });

  it('writes all of it into the audit log, in the name of apply and without a secret', async () => {
    await apply(FILE);
    const rows = await database.query<{ actor: string; actor_id: string | null; action: string; collection: string; changes: object }>('SELECT * FROM audit_records ORDER BY id');
    expect(rows.map(({ action, collection }) => `${action} ${collection}`)).toEqual([
      'create upstreams',
      'create upstream_keys',
      'create upstreams',
      'create models',
      'create models',
      'create models',
      'create organizations',
      'create projects',
    ]);
    expect(new Set(rows.map(({ actor }) => actor))).toEqual(new Set(['apply']));
    expect(new Set(rows.map(({ actor_id }) => actor_id))).toEqual(new Set([null]));
    expect(JSON.stringify(rows)).not.toContain('canary');
  });

  it('changes nothing in a dry run, and says the same as the real one', async () => {
    const empty = await readAll();
    const plan = await apply(FILE, { isDryRun: true });
    expect(await readAll()).toEqual(empty);
    expect(toDifferenceText(await apply(FILE))).toBe(toDifferenceText(plan));
    const before = await readAll();
    const changed = FILE.replace('weight: 70', 'weight: 71').replace('${KEY}', '${SECOND}').replace('gpt-5\n', 'gpt-6\n');
    const change = await apply(changed, { isDryRun: true, prunes: true });
    expect(summaryOf(change)).toHaveLength(4);
    expect(await readAll()).toEqual(before);
  });

  it('changes what differs, field by field, and leaves what the file does not name', async () => {
    await apply(FILE);
    await database.query(`UPDATE upstreams SET timeout_ms = 1234 WHERE name = 'openai'`);
    const changed = FILE.replace('weight: 70', 'weight: 71')
      .replace('{rpm: 5, tpm: 100}', '{tpm: 200}')
      .replace('1.25', '2')
      .replace('1.50', '2')
      .replace('{concurrency: 3}', '{concurrency: 4}')
      .replace('- upstream: OpenAI', '- upstream: openai\n        weight: 3\n      - upstream: vlm\n        upstream_model: other');
    const report = await apply(changed);
    expect(summaryOf(report)).toEqual([
      'update upstream openai weight',
      'update model gpt-5 price limits targets',
      'update organization Acme budgets',
      'update project Acme / search limits',
    ]);
    expect(toDifferenceText(report)).toContain('    weight: 70 → 71\n');
    // The limits are those of the file: rpm, which it does not name any more, is none.
    expect(toDifferenceText(report)).toContain('limits: {"rpm":5,"tpm":100,"rpd":null,"concurrency":null} → {"rpm":null,"tpm":200,"rpd":null,"concurrency":null}');
    expect(toDifferenceText(report)).toContain('{"upstream":"vlm","upstream_model":"other","weight":100,"priority":0}');
    expect(await database.query(`SELECT timeout_ms, weight FROM upstreams WHERE name = 'openai'`)).toEqual([{ timeout_ms: 1234, weight: 71 }]);
    expect((await apply(changed)).differences).toEqual([]);
  });

  it('compares budgets as they are kept, and leaves the moment of their last reset', async () => {
    await apply(FILE);
    await database.query(`UPDATE organizations SET budgets = jsonb_set(budgets, '{0,reset_at_ms}', '1700000000000')`);
    expect((await apply(FILE.replace('1.50', '"1.500000000"'))).differences).toEqual([]);
    await apply(FILE.replace('1.50', '9'));
    expect(await database.query('SELECT budgets FROM organizations')).toMatchObject([{ budgets: [{ amount_nanos: 9_000_000_000, reset_at_ms: 1_700_000_000_000 }] }]);
  });

  describe('with keys', () => {
    const rowsOf = () => database.query<{ id: string; label: string }>('SELECT id, label FROM upstream_keys ORDER BY id');

    it('puts a new secret in the place of the old one under the same label, and shows neither', async () => {
      await apply(FILE);
      const before = await rowsOf();
      const report = await apply(FILE, {}, { ...ENVIRONMENT, KEY: 'sk-canary-rotated' });
      expect(toDifferenceText(report)).toBe('~ upstream key openai / main\n    secret: changed\n0 to make, 1 to change, 0 to delete.\n');
      expect(await rowsOf()).toEqual(before);
      expect(await openKeys('openai')).toEqual({ main: 'sk-canary-rotated' });
    });

    it('knows a secret again under another label', async () => {
      await apply(FILE);
      expect(summaryOf(await apply(FILE.replace('label: main', 'label: first')))).toEqual(['update upstream key openai / first label']);
      expect(await openKeys('openai')).toEqual({ first: 'sk-canary-first' });
    });

    it('leaves keys that it does not name, and takes away only its own when asked', async () => {
      await apply(FILE);
      const [{ id }] = await database.query<{ id: UpstreamId }>(`SELECT id FROM upstreams WHERE name = 'openai'`);
      await vault.add({ upstreamId: id, origin: 'https://api.openai.com', label: 'by an admin', secret: new Secret('sk-admin') });
      const other = FILE.replace('${KEY}', '${SECOND}').replace('label: main', 'label: second');
      await apply(other);
      expect(Object.keys(await openKeys('openai'))).toEqual(['main', 'by an admin', 'second']);
      expect(summaryOf(await apply(other, { prunes: true }))).toEqual(['delete upstream key openai / main']);
      expect(Object.keys(await openKeys('openai'))).toEqual(['by an admin', 'second']);
    });

    it('moves an upstream to another host with every secret of the file given again', async () => {
      await apply(FILE);
      const moved = FILE.replace('api.openai.com', 'eu.api.openai.com');
      expect(summaryOf(await apply(moved))).toEqual(['update upstream openai base_url']);
      expect(await openKeys('openai')).toEqual({ main: 'sk-canary-first' });
      expect((await apply(moved)).differences).toEqual([]);
      // Another host and another secret at once.
      const report = await apply(FILE, {}, { ...ENVIRONMENT, KEY: 'sk-canary-rotated' });
      expect(summaryOf(report)).toEqual(['update upstream openai base_url', 'update upstream key openai / main secret']);
      expect(await openKeys('openai')).toEqual({ main: 'sk-canary-rotated' });
    });

    it('does not move an upstream whose keys are not all in the file', async () => {
      await apply(FILE);
      const moved = FILE.replace('api.openai.com', 'evil.example').replace('label: main', 'label: other').replace('${KEY}', '${SECOND}');
      const before = await readAll();
      const message = 'weir.yaml:5:5 (upstreams[0].base_url): another host needs the secret of each key again; not among its keys in the file: main';
      expect(await refusal(moved)).toBe(message);
      expect(await readAll()).toEqual(before);
      expect(summaryOf(await apply(moved, { prunes: true }))).toEqual(['delete upstream key openai / main', 'update upstream openai base_url', 'create upstream key openai / other secret']);
    });

    it('refuses the same secret twice', async () => {
      const twice = FILE.replace('label: main', 'label: main\n      - secret: ${KEY}\n        label: again');
      expect(await refusal(twice)).toContain('(upstreams[0].keys[1].secret): ');
      await apply(FILE);
      expect(await refusal(twice)).toContain('(upstreams[0].keys[1].secret): another key of this upstream has the same secret');
    });
  });

  describe('with --prune', () => {
    it('deletes what a file made and this one does not name, and nothing else', async () => {
      await apply(FILE);
      await database.query(`INSERT INTO upstreams (id, name, provider, base_url) VALUES ($1, 'by an admin', 'openai', 'https://a.example')`, [newId<UpstreamId>()]);
      await database.query(`INSERT INTO organizations (id, name) VALUES ($1, 'by an admin')`, [newId<OrganizationId>()]);
      await database.query(`UPDATE models SET managed_by = 'environment' WHERE name = 'vlm'`);
      await database.query(`UPDATE upstreams SET managed_by = 'environment' WHERE name = 'vlm'`);
      expect((await apply('{}')).differences).toEqual([]);
      expect(summaryOf(await apply('{}', { prunes: true }))).toEqual([
        'delete model gpt-5',
        'delete model gpt-*',
        'delete upstream openai',
        'delete project Acme / search',
        'delete organization Acme',
      ]);
      expect(await database.query('SELECT name FROM upstreams UNION ALL SELECT name FROM models UNION ALL SELECT name FROM organizations ORDER BY 1')).toEqual([
        { name: 'by an admin' },
        { name: 'by an admin' },
        { name: 'vlm' },
        { name: 'vlm' },
      ]);
    });

    it('does not delete what was there before the file named it', async () => {
      await database.query(`INSERT INTO organizations (id, name) VALUES ($1, 'acme')`, [newId<OrganizationId>()]);
      expect(summaryOf(await apply('organizations: [{name: Acme, limits: {rpm: 1}}]'))).toEqual(['update organization Acme name limits']);
      expect((await apply('{}', { prunes: true })).differences).toEqual([]);
    });

    it('keeps organizations, projects and upstreams that others rely on, and says so', async () => {
      await apply(FILE);
      await database.query(
        `INSERT INTO proxy_keys (id, organization_id, project_id, name, public_id, secret_hash)
         SELECT $1, organization_id, id, 'k', 'p', decode(repeat('00', 32), 'hex') FROM projects`,
        [newId<OrganizationId>()],
      );
      await database.query(`UPDATE models SET managed_by = NULL WHERE name = 'gpt-5'`);
      const report = await apply('{}', { prunes: true });
      expect(report.kept.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['upstream openai', 'project Acme / search', 'organization Acme']);
      expect(toDifferenceText(report)).toContain('! organization Acme stays: it holds keys, users or projects\n');
      expect(await database.query('SELECT name FROM proxy_keys')).toEqual([{ name: 'k' }]);
    });
  });

  describe('with backends', () => {
    const BACKEND = 'backends: {vlm: {url: "http://10.0.0.1:6050"}}';

    it('switches one off where it is, and makes none that is switched off', async () => {
      expect((await apply('backends: {vlm: {enabled: false}}')).differences).toEqual([]);
      await apply(BACKEND);
      expect(summaryOf(await apply('backends: {vlm: {enabled: false}}'))).toEqual(['update upstream vlm enabled']);
      expect(summaryOf(await apply(BACKEND))).toEqual(['update upstream vlm enabled']);
    });

    it('gives a model that is there a target, and leaves the rest of it to whoever made it', async () => {
      await apply('upstreams: [{name: a, provider: openai, base_url: "https://a.example"}]\nmodels: [{name: vlm, operation: chat, targets: [{upstream: a}], price: {per_request_usd: 5}}]');
      expect(summaryOf(await apply(BACKEND))).toEqual(['create upstream vlm provider base_url enabled options', 'update model vlm targets']);
      expect((await apply(BACKEND)).differences).toEqual([]);
      expect(await database.query('SELECT price FROM models')).toEqual([{ price: { per_request_usd: 5 } }]);
      expect(await database.query('SELECT count(*)::int FROM model_targets')).toEqual([{ count: 2 }]);
    });

    it('refuses a model of that name for other work', async () => {
      await apply('upstreams: [{name: a, provider: openai, base_url: "https://a.example"}]\nmodels: [{name: vlm, operation: embeddings, targets: [{upstream: a}]}]');
      expect(await refusal(BACKEND)).toContain('(backends.vlm): there is a model vlm for other work (embeddings)');
    });
  });

  it('takes fallbacks to models that stand below, and prunes models that fall back to one another', async () => {
    const model = (name: string, fallbacks: string): string => `  - {name: ${name}, operation: chat, affinity: session, strategy: priority, fallbacks: [${fallbacks}], targets: [{upstream: openai}]}\n`;
    const upstream = 'upstreams: [{name: openai, provider: openai, base_url: "https://a.example"}]\n';
    const file = `${upstream}models:\n${model('one', 'two')}${model('two', '')}${model('three', 'two')}`;
    expect(summaryOf(await apply(file))).toHaveLength(4);
    expect((await apply(file)).differences).toEqual([]);
    expect(await database.query('SELECT name, fallbacks, affinity, strategy FROM models ORDER BY name')).toEqual([
      { name: 'one', fallbacks: ['two'], affinity: 'session', strategy: 'priority' },
      { name: 'three', fallbacks: ['two'], affinity: 'session', strategy: 'priority' },
      { name: 'two', fallbacks: [], affinity: 'session', strategy: 'priority' },
    ]);
    expect(await refusal(file.replaceAll('two]', 'gone]'))).toContain('(models[0].fallbacks');
    await database.query(`UPDATE models SET managed_by = NULL WHERE name = 'three'`);
    const report = await apply(upstream, { prunes: true });
    expect(summaryOf(report)).toEqual(['delete model one']);
    expect(report.kept).toMatchObject([{ kind: 'model', name: 'two' }]);
    await database.query(`UPDATE models SET managed_by = 'file', fallbacks = '{two}' WHERE name = 'three'`);
    expect(summaryOf(await apply('{}', { prunes: true })).toSorted()).toEqual(['delete model three', 'delete model two', 'delete upstream openai']);
  });

  it.each([
    ['a target on an upstream that is not there', 'models: [{name: m, operation: chat, targets: [{upstream: gone}]}]', '(models[0].targets[0].upstream): there is no upstream called gone'],
    ['a base URL that is none', 'upstreams: [{name: a, provider: openai, base_url: "ftp://x"}]', '(upstreams[0].base_url): The field base_url is not valid'],
    ['a metadata address', 'backends: {vlm: {url: "http://169.254.169.254"}}', '(backends.vlm.url): The field base_url is not valid: must not lead to a link-local'],
    ['an option that the provider does not have', 'upstreams: [{name: a, provider: openai, base_url: "https://a.example", options: {color: red}}]', '(upstreams[0].options.color): '],
    ['a budget for a model that is not there', 'organizations: [{name: a, budgets: [{amount_usd: 1, period: day, model: gone}]}]', '(organizations[0].budgets[0].model): The field budgets[0].model names no model'],
    ['a price that is none', 'models: [{name: m, operation: chat, targets: [{upstream: openai}], price: {}}]', "(models[0].price): 'price' must have at least one field"],
    ['another provider under the same name', 'upstreams: [{name: openai, provider: azure, base_url: "https://a.example"}]', '(upstreams[0].provider): the provider of an upstream stays what it is (openai)'],
    ['a target that is there twice', 'models: [{name: m, operation: chat, targets: [{upstream: openai}, {upstream: OPENAI}]}]', '(models[0].targets[1]): '],
  ])('refuses %s, and then changes nothing at all', async (_what, text, message) => {
    await apply(FILE);
    const before = await readAll();
    const first = 'upstreams: [{name: first, provider: openai, base_url: "https://first.example"}';
    const file = text.startsWith('upstreams: [') ? text.replace('upstreams: [', `${first}, `).replace('upstreams[0]', 'upstreams[1]') : `${first}]\n${text}`;
    expect(await refusal(file)).toContain(message.replace('upstreams[0]', 'upstreams[1]'));
    expect(await readAll()).toEqual(before);
  });

  it('lets one of two that come at once do it, and the other find nothing to change', async () => {
    const reports = await Promise.all([apply(FILE), apply(FILE), apply(FILE)]);
    expect(reports.map(({ differences }) => differences.length).toSorted((one, other) => one - other)).toEqual([0, 0, 8]);
    expect(await database.query('SELECT count(*)::int FROM audit_records')).toEqual([{ count: 8 }]);
  });

  it('leaves a row that the version before this one wrote to its admin', async () => {
    await database.query(`INSERT INTO models (id, name, operation) VALUES ($1, 'old', 'chat')`, [newId<OrganizationId>()]);
    expect(await database.query('SELECT managed_by FROM models')).toEqual([{ managed_by: null }]);
    expect((await apply('{}', { prunes: true })).differences).toEqual([]);
  });
});
