import { randomBytes } from 'node:crypto';
import { createDataSource } from '@weir/platform';
import { ANTHROPIC_DEFAULT_MODELS, GEMINI_DEFAULT_MODELS, OPENAI_DEFAULT_MODELS } from '@weir/providers';
import { ModelEntity, ModelTargetEntity, UpstreamEntity } from '@weir/upstreams';
import { KeyRing, UpstreamKeyEntity, UpstreamKeyVault } from '@weir/vault';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres';
import { importUpstreamKeys, type ImportReport } from './import-upstream-keys';

const FIRST = 'reference-key-0123456789-first';
const SECOND = 'reference-key-0123456789-second';

const RING = KeyRing.parse(`new:${randomBytes(32).toString('hex')}`);

let database: TestDatabase;
let dataSource: DataSource;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 4, [UpstreamEntity, UpstreamKeyEntity, ModelEntity, ModelTargetEntity]).initialize();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  await dataSource.query('TRUNCATE upstreams, models CASCADE');
});

function run(environment: NodeJS.ProcessEnv): Promise<ImportReport[]> {
  return importUpstreamKeys(environment, dataSource, new UpstreamKeyVault(dataSource.manager, RING));
}

const readUpstreams = () => dataSource.query<object[]>('SELECT name, provider, base_url, options FROM upstreams ORDER BY name');

/** The models by operation, each with the upstream's name of it where that is another. */
async function readModels(): Promise<Record<string, string[]>> {
  const rows = await dataSource.query<{ operation: string; name: string; upstream_model: string }[]>(
    'SELECT m.operation, m.name, t.upstream_model FROM models m JOIN model_targets t ON t.model_id = m.id',
  );
  const models: Record<string, string[]> = {};
  for (const { operation, name, upstream_model: upstreamModel } of rows) (models[operation] ??= []).push(name === upstreamModel ? name : `${name} → ${upstreamModel}`);
  for (const names of Object.values(models)) names.sort();
  return models;
}

const withWildcard = (models: Readonly<Record<string, readonly string[]>>, wildcard: string): Record<string, string[]> => {
  const sorted = Object.fromEntries(Object.entries(models).map(([operation, names]) => [operation, [...names]]));
  (sorted.chat ??= []).push(`${wildcard} → *`);
  for (const names of Object.values(sorted)) names.sort();
  return sorted;
};

describe('keys of the environment', () => {
  it.each([
    ['openai', 'OPENAI_API_KEYS', 'https://api.openai.com/v1', OPENAI_DEFAULT_MODELS],
    ['anthropic', 'ANTHROPIC_API_KEYS', 'https://api.anthropic.com', ANTHROPIC_DEFAULT_MODELS],
    ['gemini', 'GEMINI_API_KEYS', 'https://generativelanguage.googleapis.com', GEMINI_DEFAULT_MODELS],
  ])('make the upstream %s, with its models of every operation and all others by its name', async (type, variable, baseUrl, models) => {
    const [report] = await run({ UPSTREAM_TYPE: type, [variable]: `${FIRST}, ${SECOND}` });
    expect(report).toMatchObject({ upstream: type, madeUpstream: true, importedKeys: 2, heldKeys: 0, hasOtherAddress: false });
    expect(await readUpstreams()).toEqual([{ name: type, provider: type, base_url: baseUrl, options: {} }]);
    expect(await readModels()).toEqual(withWildcard(models, `${type}/*`));
  });

  it.each([
    ['anthropic', 'ANTHROPIC_API_KEY'],
    ['gemini', 'GEMINI_API_KEY'],
  ])('of %s are found by the singular name, too, and imported once', async (type, variable) => {
    expect(await run({ UPSTREAM_TYPE: type, [variable]: FIRST })).toMatchObject([{ importedKeys: 1 }]);
    const again = await run({ UPSTREAM_TYPE: type, [variable]: FIRST, [`${variable}S`]: `${FIRST},${FIRST}` });
    expect(again).toMatchObject([{ madeUpstream: false, importedKeys: 0, heldKeys: 1, madeModels: [] }]);
  });

  it('of several providers come at once, each to its own', async () => {
    const reports = await run({ UPSTREAM_TYPE: 'openai, anthropic,gemini', OPENAI_API_KEY: FIRST, ANTHROPIC_API_KEY: FIRST, GEMINI_API_KEY: FIRST });
    expect(reports.map(({ upstream, importedKeys }) => [upstream, importedKeys])).toEqual([
      ['openai', 1],
      ['anthropic', 1],
      ['gemini', 1],
    ]);
  });

  it('of a provider that is not named stay where they are', async () => {
    expect(await run({ ANTHROPIC_API_KEYS: FIRST, GEMINI_API_KEYS: FIRST })).toEqual([]);
    expect(await readUpstreams()).toEqual([]);
  });
});

describe('another address', () => {
  it.each([
    ['anthropic', { ANTHROPIC_API_KEYS: FIRST, ANTHROPIC_BASE_URL: 'https://gateway.example/anthropic' }, 'https://gateway.example/anthropic'],
    ['gemini', { GEMINI_API_KEYS: FIRST, GEMINI_BASE_URL: 'https://gateway.example/google' }, 'https://gateway.example/google'],
  ])("of %s is taken, and has no models that are known by the vendor's names", async (type, environment, baseUrl) => {
    await run({ UPSTREAM_TYPE: type, ...environment });
    expect(await readUpstreams()).toEqual([{ name: type, provider: type, base_url: baseUrl, options: {} }]);
    expect(await readModels()).toEqual({ chat: [`${type}/* → *`] });
  });

  it('that is of a known service gets its preset', async () => {
    await run({ OPENAI_API_KEYS: FIRST, OPENAI_BASE_URL: 'https://api.mistral.ai/v1' });
    expect(await readUpstreams()).toEqual([{ name: 'openai', provider: 'openai-compatible', base_url: 'https://api.mistral.ai/v1', options: { preset: 'mistral' } }]);
  });

  it('that an admin gave the upstream since gets no key', async () => {
    await run({ UPSTREAM_TYPE: 'anthropic', ANTHROPIC_API_KEYS: FIRST });
    await dataSource.query("UPDATE upstreams SET base_url = 'https://elsewhere.example'");
    expect(await run({ UPSTREAM_TYPE: 'anthropic', ANTHROPIC_API_KEYS: SECOND })).toMatchObject([{ hasOtherAddress: true, importedKeys: 0 }]);
    expect(await dataSource.query('SELECT 1 FROM upstream_keys')).toHaveLength(1);
  });

  it.each([
    ['ANTHROPIC_BASE_URL', { UPSTREAM_TYPE: 'anthropic', ANTHROPIC_API_KEYS: FIRST, ANTHROPIC_BASE_URL: 'nowhere' }],
    ['GEMINI_BASE_URL', { UPSTREAM_TYPE: 'gemini', GEMINI_API_KEYS: FIRST, GEMINI_BASE_URL: 'http://169.254.169.254/' }],
    ['UPSTREAM_TYPE', { UPSTREAM_TYPE: 'gemini,watson', GEMINI_API_KEYS: FIRST }],
  ])('or type that is none is refused by the name of %s', async (variable, environment) => {
    await expect(run(environment)).rejects.toMatchObject({ code: 'invalid_request', param: variable, message: expect.stringContaining(variable) });
    expect(await readUpstreams()).toEqual([]);
  });
});

it("takes Azure's deployments for what their names say", async () => {
  await run({
    UPSTREAM_TYPE: 'azure',
    AZURE_ENDPOINT: 'https://r.openai.azure.com',
    AZURE_API_KEYS: FIRST,
    AZURE_DEPLOYMENT_NAMES: 'gpt-5,text-embedding-3-large,whisper,gpt-4o-mini-transcribe,tts-1,gpt-4o-mini-tts,gpt-image-1,my-chatts',
  });
  expect(await readModels()).toEqual({
    chat: ['azure/* → *', 'gpt-5', 'my-chatts'],
    embeddings: ['text-embedding-3-large'],
    transcriptions: ['gpt-4o-mini-transcribe', 'whisper'],
    speech: ['gpt-4o-mini-tts', 'tts-1'],
    images: ['gpt-image-1'],
  });
});
