import 'reflect-metadata';
import { OrganizationEntity, ProjectEntity } from '@weir/access';
import { systemClock } from '@weir/kernel';
import { createDataSource, loadConfiguration } from '@weir/platform';
import { ModelEntity, ModelTargetEntity, UpstreamEntity } from '@weir/upstreams';
import { KeyRing, UpstreamKeyEntity } from '@weir/vault';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataSource } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres';
import { applyFileAtStart } from './apply-file-at-start';
import { type ApplyReport } from './difference';

const ENTITIES = [OrganizationEntity, ProjectEntity, UpstreamEntity, UpstreamKeyEntity, ModelEntity, ModelTargetEntity];

let database: TestDatabase;
let dataSource: DataSource;
let folder: string;

beforeEach(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 6, ENTITIES).initialize();
  folder = mkdtempSync(join(tmpdir(), 'weir-start-'));
});
afterEach(async () => {
  await dataSource.destroy();
  await database.drop();
  rmSync(folder, { recursive: true });
});

const logged: object[] = [];

function start(environment: NodeJS.ProcessEnv): Promise<ApplyReport | null> {
  const named = { WEIR_YAML: join(folder, 'weir.yaml'), ...environment };
  const keyRing = KeyRing.parse(`k1:${'ab'.repeat(32)}`);
  const logger = { info: (fields: object) => void logged.push(fields) };
  return applyFileAtStart({ configuration: loadConfiguration(named), dataSource, clock: systemClock, keyRing, logger }, named);
}

const readUpstreams = () => database.query('SELECT name, base_url, enabled, managed_by FROM upstreams ORDER BY name');

describe('applyFileAtStart', () => {
  it('does nothing where there is no file and no service', async () => {
    expect(await start({ WEIR_YAML: '' })).toBeNull();
  });

  it('refuses a file that somebody named and that is not there', async () => {
    await expect(start({})).rejects.toThrow(`WEIR_YAML: there is no file ${join(folder, 'weir.yaml')}`);
  });

  it('refuses a wrong file with one line, and applies nothing of it', async () => {
    writeFileSync(join(folder, 'weir.yaml'), 'backends:\n  vlm: {url: "http://h:1"}\n  embed_4b: {url: nowhere}\n');
    await expect(start({})).rejects.toThrow(/^weir\.yaml:3:14 \(backends\.embed_4b\.url\): [^\n]+$/);
    expect(await readUpstreams()).toEqual([]);
  });

  it('applies the file and the services of the environment, and the file goes first', async () => {
    writeFileSync(join(folder, 'weir.yaml'), 'backends: {vlm: {url: "http://file:1"}, embed_4b: {enabled: false}}');
    const environment = { VLM_HOST: 'environment', EMBED_SERVER_2: 'gpu-2' };
    expect((await start(environment))?.differences).toHaveLength(6);
    expect(await readUpstreams()).toEqual([
      { name: 'embed_8b', base_url: 'http://gpu-2:6014/v1', enabled: true, managed_by: 'environment' },
      { name: 'rerank_8b', base_url: 'http://gpu-2:6015/v1', enabled: true, managed_by: 'environment' },
      { name: 'vlm', base_url: 'http://file:1/v1', enabled: true, managed_by: 'file' },
    ]);
    expect((await start(environment))?.differences).toEqual([]);
  });

  it('follows a service of the environment to another place, and takes none away', async () => {
    await start({ WEIR_YAML: '', VLM_HOST: 'one' });
    await start({ WEIR_YAML: '', VLM_HOST: 'two' });
    expect(await readUpstreams()).toMatchObject([{ name: 'vlm', base_url: 'http://two:6050/v1' }]);
    await start({ WEIR_YAML: '' });
    expect(await readUpstreams()).toHaveLength(1);
  });

  it('is done once by several processes that start together', async () => {
    writeFileSync(join(folder, 'weir.yaml'), 'backends: {vlm: {url: "http://h:1"}}');
    const reports = await Promise.all([start({}), start({}), start({})]);
    expect(reports.map((report) => report?.differences.length).toSorted()).toEqual([0, 0, 2]);
  });

  it('names the variable where a service of the environment is refused', async () => {
    await expect(start({ WEIR_YAML: '', VLM_HOST: '169.254.169.254' })).rejects.toThrow(/^VLM_HOST \(vlm\): /);
  });
});
