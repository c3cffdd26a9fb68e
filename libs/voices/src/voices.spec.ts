import { newId, type OrganizationId, type ProxyKeyId } from '@weir/kernel';
import { type BlobStore, createDataSource, DiskBlobStore } from '@weir/platform';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type DataSource } from 'typeorm';
import { createTestDatabase, startPrivatePostgres, type TestDatabase } from '../../../test/support/postgres';
import { insertRow } from '@weir/testing';
import { isVoiceId, newVoiceId, type Voice, type VoiceId } from './voice';
import { VoiceTable } from './voice-table';
import { type VoiceOwner, Voices, type VoicesOptions } from './voices';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 21);

let database: TestDatabase;
let dataSource: DataSource;
let root: string;
let folder: string;
let nowMs: number;
let warnings: string[];
let ours: VoiceOwner;
let theirs: VoiceOwner;

beforeAll(async () => {
  database = await createTestDatabase();
  dataSource = await createDataSource(database.url, 4, []).initialize();
  folder = await new VoiceTable(dataSource).getFolder();
});
afterAll(async () => {
  await dataSource.destroy();
  await database.drop();
});
beforeEach(async () => {
  await dataSource.query('DELETE FROM organizations');
  root = await mkdtemp(join(tmpdir(), 'weir-voices-'));
  nowMs = NOW_MS;
  warnings = [];
  [ours, theirs] = [await addOwner(), await addOwner()];
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function addOwner(): Promise<VoiceOwner> {
  const organizationId = await insertRow.organization(dataSource);
  const publicId = randomBytes(6).toString('hex');
  return { organizationId, keyId: await insertRow.proxyKey(dataSource, { organizationId, publicId, key: publicId }) };
}

function makeVoices(options: Partial<VoicesOptions> = {}): Voices {
  return new Voices({
    table: new VoiceTable(dataSource),
    store: new DiskBlobStore(root, isVoiceId),
    clock: { nowMs: () => nowMs++, monotonicMs: () => nowMs },
    logger: { info: () => undefined, warn: (...about: unknown[]) => void warnings.push(String(about[1])) },
    maxBytes: 1_000_000,
    maxPerOrganization: 10,
    ...options,
  });
}

const WAV = Buffer.concat([Buffer.from('RIFF\x24\0\0\0WAVEfmt '), randomBytes(100_000)]);
const toStream = (content = WAV): Readable => Readable.from([content.subarray(0, 5), content.subarray(5)], { objectMode: false });

async function add(name: string, owner = ours, voices = makeVoices()): Promise<Voice> {
  return voices.add(owner, await voices.storeSample(toStream(), 'audio/wav'), { name, consent: 'cons_1', refText: null });
}

async function readVoice(voice: Pick<Voice, 'id' | 'bytes'>, voices = makeVoices()): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of (await voices.open(voice)) as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const files = async (): Promise<string[]> => (await readdir(join(root, folder)).catch(() => [])).sort();
const age = (id: VoiceId, storedAtMs: number): Promise<void> => utimes(join(root, folder, id), storedAtMs / 1000, storedAtMs / 1000);

describe('Voices', () => {
  it('keeps a recording as it came, with what is known of it', async () => {
    const voice = await add('Ann');
    expect(await makeVoices().find(ours.organizationId, voice.id)).toEqual({
      id: voice.id,
      organizationId: ours.organizationId,
      name: 'Ann',
      consent: 'cons_1',
      refText: null,
      mediaType: 'audio/wav',
      bytes: WAV.length,
      sha256: createHash('sha256').update(WAV).digest(),
      createdAtMs: voice.createdAtMs,
      createdBy: ours.keyId,
    });
    expect((await readVoice(voice)).equals(WAV)).toBe(true);
    expect(await files()).toEqual([voice.id]);
  });

  it('is found by its id, and by its name in any case', async () => {
    const { id } = await add('Zoë Miller');
    for (const name of [id, 'Zoë Miller', 'zoë miller', 'ZOE\u0308 MILLER']) expect(await makeVoices().find(ours.organizationId, name)).toMatchObject({ id });
    for (const name of ['Zoë', '%', '', 'Zoë\0Miller', "' OR true --", 'x'.repeat(100_000)]) expect(await makeVoices().find(ours.organizationId, name)).toBeNull();
  });

  it("shows, gives and deletes no other organization's voice", async () => {
    const voices = makeVoices();
    const { id } = await add('Ann', theirs);
    for (const name of [id, 'Ann']) {
      expect(await voices.find(ours.organizationId, name)).toBeNull();
      await expect(voices.get(ours.organizationId, name)).rejects.toMatchObject({ code: 'not_found' });
      await expect(voices.delete(ours.organizationId, name)).rejects.toMatchObject({ code: 'not_found' });
    }
    expect(await voices.list(ours.organizationId, { limit: 10, after: null })).toEqual({ voices: [], hasMore: false });
    // Its page cannot be walked from another's id either.
    expect(await voices.list(ours.organizationId, { limit: 10, after: id })).toEqual({ voices: [], hasMore: false });
    // And the name is free here.
    expect((await add('Ann', ours)).id).not.toBe(id);
    expect(await voices.find(theirs.organizationId, 'Ann')).toMatchObject({ id });
  });

  it('refuses a name that is taken in the organization, in any case, and keeps no file of it', async () => {
    const { id } = await add('Ann');
    await expect(add('ANN')).rejects.toMatchObject({ code: 'conflict', param: 'name' });
    expect(await files()).toEqual([id]);
  });

  it('lets an organization have so many voices and no more, also when they come at the same time', async () => {
    const voices = makeVoices({ maxPerOrganization: 3 });
    const samples = await Promise.all(Array.from({ length: 8 }, () => voices.storeSample(toStream(), null)));
    const added = await Promise.allSettled(samples.map((sample, index) => voices.add(ours, sample, { name: `voice ${index}`, consent: 'c', refText: null })));
    expect(added.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(await files()).toHaveLength(3);
    await expect(voices.requireRoom(ours.organizationId)).rejects.toMatchObject({ code: 'conflict' });
    await voices.requireRoom(theirs.organizationId);
  });

  it('lists the newest first, page by page', async () => {
    const ids: VoiceId[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) ids.unshift((await add(name)).id);
    const voices = makeVoices();
    const first = await voices.list(ours.organizationId, { limit: 2, after: null });
    const second = await voices.list(ours.organizationId, { limit: 2, after: ids[1] });
    const third = await voices.list(ours.organizationId, { limit: 2, after: ids[3] });
    expect([first, second, third].map((page) => [page.voices.map(({ id }) => id), page.hasMore])).toEqual([
      [ids.slice(0, 2), true],
      [ids.slice(2, 4), true],
      [ids.slice(4), false],
    ]);
  });

  it('deletes the row and the file, and a second time says that there is none', async () => {
    const { id } = await add('Ann');
    const voices = makeVoices();
    expect(await voices.delete(ours.organizationId, 'ann')).toMatchObject({ id });
    expect([await files(), await voices.find(ours.organizationId, id)]).toEqual([[], null]);
    await expect(voices.delete(ours.organizationId, id)).rejects.toMatchObject({ code: 'not_found' });
    expect((await add('Ann')).id).not.toBe(id);
  });

  it('of two deletes at the same time one finds it', async () => {
    const { id } = await add('Ann');
    const deleted = await Promise.allSettled([makeVoices().delete(ours.organizationId, id), makeVoices().delete(ours.organizationId, id)]);
    expect(deleted.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it.each([
    ['an empty file', Buffer.alloc(0), null, 'is empty'],
    ['no recording', Buffer.from('<html>'.repeat(100)), null, 'not a recording'],
    ['a lie about the type', WAV, 'audio/mpeg', 'is audio/wav'],
    ['a recording that is too long', Buffer.concat([WAV, Buffer.alloc(1_000_000)]), null, 'larger than the 1000000 bytes'],
  ])('stores nothing of %s', async (_what, content, announced, message) => {
    await expect(makeVoices().storeSample(toStream(content), announced)).rejects.toThrow(message);
    expect(await files()).toEqual([]);
  });

  it('stores nothing when the sender leaves', async () => {
    const content = new Readable({ read: () => undefined });
    content.push(WAV);
    const stored = makeVoices().storeSample(content, null);
    const gone = new Error('the caller left');
    setImmediate(() => content.destroy(gone));
    await expect(stored).rejects.toBe(gone);
    expect(await files()).toEqual([]);
  });

  it('says so when the store has lost a file, or has another', async () => {
    const voice = await add('Ann');
    await writeFile(join(root, folder, voice.id), 'half');
    await expect(makeVoices().open(voice)).rejects.toThrow('has 4 bytes');
    await rm(join(root, folder, voice.id));
    await expect(makeVoices().open(voice)).rejects.toMatchObject({ code: 'not_found' });
    expect(warnings).toEqual([expect.stringContaining('has no file')]);
  });

  it('hands every voice of every organization to a backup, oldest first', async () => {
    const added = [await add('a', ours), await add('a', theirs), await add('b', ours)];
    const seen: [string, number][] = [];
    for await (const { voice, open } of makeVoices().listForBackup()) {
      let bytes = 0;
      for await (const chunk of (await open()) as AsyncIterable<Buffer>) bytes += chunk.length;
      seen.push([voice.id, bytes]);
    }
    expect(seen).toEqual(added.map(({ id, bytes }) => [id, bytes]));
  });
});

describe('Voices after a crash', () => {
  it('sweeps a file whose process died before its row, and not one that may be on its way', async () => {
    const voices = makeVoices();
    const kept = await add('Ann');
    const [dead, young] = [await voices.storeSample(toStream(), null), await voices.storeSample(toStream(), null)];
    await age(kept.id, NOW_MS - 2 * HOUR_MS);
    await age(dead.id, NOW_MS - 2 * HOUR_MS);
    await age(young.id, NOW_MS - HOUR_MS / 2);
    expect(await voices.sweep()).toBe(1);
    expect(await files()).toEqual([kept.id, young.id].sort());
  });

  it('sweeps the file of a voice whose row is gone: deleted, or with its organization', async () => {
    const kept = await add('Ann', ours);
    const gone = await add('Bob', theirs);
    await dataSource.query('DELETE FROM organizations WHERE id = $1', [theirs.organizationId]);
    for (const { id } of [kept, gone]) await age(id, NOW_MS - 2 * HOUR_MS);
    expect(await makeVoices().sweep()).toBe(1);
    expect(await files()).toEqual([kept.id]);
  });

  it('sweeps what an upload left unfinished', async () => {
    const { id } = await add('Ann');
    const path = join(root, folder, `${newVoiceId(NOW_MS)}.abc.tmp`);
    await writeFile(path, 'half');
    await utimes(path, (NOW_MS - 2 * HOUR_MS) / 1000, (NOW_MS - 2 * HOUR_MS) / 1000);
    expect(await makeVoices().sweep()).toBe(1);
    expect(await files()).toEqual([id]);
  });

  it("never touches what another database's installation has stored", async () => {
    const other = await createTestDatabase();
    await other.query('UPDATE voice_folder SET id = gen_random_uuid()');
    const otherSource = await createDataSource(other.url, 2, []).initialize();
    const voice = await add('Ann');
    await age(voice.id, NOW_MS - 2 * HOUR_MS);
    expect(await makeVoices({ table: new VoiceTable(otherSource) }).sweep()).toBe(0);
    expect(await files()).toEqual([voice.id]);
    await otherSource.destroy();
    await other.drop();
  });

  it('keeps the row gone when the file cannot be deleted, and sweeps it later', async () => {
    const { id } = await add('Ann');
    const disk = new DiskBlobStore(root, isVoiceId);
    const stuck: BlobStore<VoiceId> = Object.assign(Object.create(disk) as BlobStore<VoiceId>, { delete: () => Promise.reject(new Error('read-only')) });
    await makeVoices({ store: stuck }).delete(ours.organizationId, id);
    expect([await makeVoices().find(ours.organizationId, id), await files()]).toEqual([null, [id]]);
    await age(id, NOW_MS - 2 * HOUR_MS);
    expect(await makeVoices().sweep()).toBe(1);
    expect(await files()).toEqual([]);
  });

  it('sweeps at its start, and outlives a store that is away', async () => {
    const dead = await makeVoices().storeSample(toStream(), null);
    await age(dead.id, NOW_MS - 2 * HOUR_MS);
    const voices = makeVoices();
    voices.start();
    voices.start();
    // The sweep of the start is under way; this one comes after it.
    await voices.sweep();
    expect(await files()).toEqual([]);
    voices.close();
    await writeFile(join(root, 'file'), '');
    expect(await makeVoices({ store: new DiskBlobStore(join(root, 'file'), isVoiceId) }).sweep()).toBe(0);
    expect(warnings).toEqual([expect.stringContaining('could not look for recordings')]);
  });
});

describe('Voices without PostgreSQL', () => {
  let away: DataSource;

  it('refuses within its timeout when PostgreSQL does not answer', async () => {
    const hanging = { query: () => new Promise(() => undefined), transaction: () => new Promise(() => undefined) } as unknown as DataSource;
    const voices = makeVoices({ table: new VoiceTable(hanging, 50) });
    const expected = { code: 'database_unavailable', retryAfterMs: 1000 };
    await expect(voices.find(ours.organizationId, 'Ann')).rejects.toMatchObject(expected);
    await expect(voices.list(ours.organizationId, { limit: 1, after: null })).rejects.toMatchObject(expected);
    await expect(voices.storeSample(toStream(), null)).rejects.toMatchObject(expected);
    expect(await files()).toEqual([]);
  });

  it('loses no file whose row may have been written: PostgreSQL went away before it said so', async () => {
    const voices = makeVoices();
    const sample = await voices.storeSample(toStream(), null);
    const table = new VoiceTable(dataSource, 0);
    await table.getFolder().catch(() => undefined);
    const late = makeVoices({ table });
    await expect(late.add(ours, sample, { name: 'Ann', consent: 'c', refText: null })).rejects.toMatchObject({ code: 'database_unavailable' });
    expect(await files()).toEqual([sample.id]);
  });

  it('is unavailable while PostgreSQL is stopped, and works when it is back', async () => {
    const postgres = await startPrivatePostgres({ migrated: true });
    away = await createDataSource(postgres.url, 2, []).initialize();
    const organizationId = newId<OrganizationId>();
    const voices = makeVoices({ table: new VoiceTable(away) });
    expect(await voices.find(organizationId, 'Ann')).toBeNull();
    await postgres.stop();
    await expect(voices.find(organizationId, 'Ann')).rejects.toMatchObject({ code: 'database_unavailable' });
    await expect(voices.add({ organizationId, keyId: newId<ProxyKeyId>() }, { id: newVoiceId(1), mediaType: 'audio/wav', bytes: 1, sha256: Buffer.alloc(32) }, { name: 'a', consent: 'c', refText: null })).rejects.toMatchObject({
      code: 'database_unavailable',
    });
    await postgres.start();
    expect(await voices.find(organizationId, 'Ann')).toBeNull();
    await away.destroy();
    await postgres.destroy();
  });
});

describe('Voices without their store', () => {
  it('answers 503, loses nothing that was stored, and works when the store is back', async () => {
    const voice = await add('Ann');
    const before = root;
    root = join(before, 'away');
    await writeFile(root, 'a file where the folder should be');
    await expect(add('Bob')).rejects.toMatchObject({ code: 'no_upstream_available', status: 503, retryAfterMs: 5000 });
    await expect(readVoice(voice)).rejects.toMatchObject({ code: 'no_upstream_available' });
    expect(warnings).toEqual(['the voice store cannot be reached', 'the voice store cannot be reached']);
    root = before;
    expect((await readVoice(voice)).equals(WAV)).toBe(true);
    expect((await add('Bob')).name).toBe('Bob');
  });
});
