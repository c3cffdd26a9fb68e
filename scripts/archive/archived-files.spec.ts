import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dumpFile, FileLoad } from './archived-files';
import { type ArchiveRecord } from './archive-record';

const WORDS = Buffer.from('a recording');
const END: ArchiveRecord = { kind: 'end', rows: 0, files: 0 };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const load = (): FileLoad => new FileLoad(join(folder, 'data'), join(folder, 'settings'), 'restore-1');
const toRecords = (group: 'voices' | 'included', path: string): ArchiveRecord[] => [
  { kind: 'file', group, path, bytes: WORDS.length },
  { kind: 'bytes', base64: WORDS.toString('base64') },
];
const listAll = async (): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();

async function takeAll(files: FileLoad, records: readonly ArchiveRecord[]): Promise<void> {
  for (const record of records) await files.take(record);
}

describe('files of a backup', () => {
  it('come on the disk where they go first, and then to their place', async () => {
    const files = load();
    await takeAll(files, [...toRecords('voices', 'x/voice_1'), ...toRecords('included', 'weir.env'), END]);
    expect(await listAll()).toEqual(['data/voices/restore-1/1', 'settings/restore-1/2']);
    await files.finish();
    expect(await listAll()).toEqual(['data/voices/x/voice_1', 'settings/weir.env']);
    expect(await readFile(join(folder, 'settings', 'weir.env'))).toEqual(WORDS);
  });

  it('come all or none to their place', async () => {
    const files = load();
    // The second cannot be there together with the first.
    await takeAll(files, [...toRecords('voices', 'one'), ...toRecords('voices', 'one/two'), END]);
    await expect(files.finish()).rejects.toThrow();
    await files.discard();
    expect(await listAll()).toEqual([]);
  });

  it.each(['../one', '/etc/one', 'x/../../one', 'x//one', './one', '..', ''])('never leave their place: %p', async (path) => {
    const files = load();
    await expect(takeAll(files, toRecords('voices', path))).rejects.toThrow('the backup is damaged');
    await files.discard();
    expect(await listAll()).toEqual([]);
  });
});

it('does not back up half of a file that is cut while it is read', async () => {
  const path = join(folder, 'weir.env');
  await writeFile(path, WORDS);
  const records = dumpFile({ group: 'included', path, name: 'weir.env' });
  expect((await records.next()).value).toEqual({ kind: 'file', group: 'included', path: 'weir.env', bytes: WORDS.length });
  await truncate(path, 3);
  const readAll = async (): Promise<void> => {
    while ((await records.next()).done !== true);
  };
  await expect(readAll()).rejects.toThrow('was changed while it was read');
});
