import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { uuidV7 } from '@weir/kernel';
import { createBlobStore, DiskBlobStore } from '@weir/platform';
import { isMeshFileName, MeshFiles, type MeshRows } from './mesh-files';
import { newMeshId } from './mesh-job';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 21);
const place = () => ({ id: newMeshId(NOW_MS), runId: uuidV7(NOW_MS) });

let root: string;
let folder: string;
let known: string[];
let rows: MeshRows;
let files: MeshFiles;

const names = (): Promise<string[]> => readdir(join(root, folder));

beforeEach(async () => {
  root = join(await mkdtemp(join(tmpdir(), 'weir-meshes-')), 'meshes');
  [folder, known] = [randomUUID(), []];
  rows = {
    getFolder: () => Promise.resolve(folder),
    findUnknown: (places) => Promise.resolve(places.filter(({ runId }) => !known.includes(runId))),
  };
  files = new MeshFiles(new DiskBlobStore(root, isMeshFileName), rows);
});
afterEach(() => rm(join(root, '..'), { recursive: true, force: true }));

describe('the files of meshes', () => {
  it('are whole, their owner’s alone, and each run has its own', async () => {
    const [first, other] = [place(), place()];
    const again = { id: first.id, runId: other.runId };
    await files.write(first, Buffer.from('first'));
    await files.write(again, Buffer.from('again'));
    expect(await buffer(await files.open({ ...first, bytes: 5 }))).toEqual(Buffer.from('first'));
    expect(await buffer(await files.open({ ...again, bytes: 5 }))).toEqual(Buffer.from('again'));
    for (const name of await names()) expect((await stat(join(root, folder, name))).mode & 0o777).toBe(0o600);
    await files.delete(first);
    await files.delete(first);
    expect(await names()).toEqual([`${again.id}.${again.runId}.glb`]);
  });

  it('are read by any process that has the folder', async () => {
    const one = place();
    await files.write(one, Buffer.from('first'));
    const other = new MeshFiles(await createBlobStore({ voiceStore: { kind: 'disk' }, dataDirectory: join(root, '..') }, { diskFolder: 'meshes', s3Prefix: '', isName: isMeshFileName }), rows);
    expect(await buffer(await other.open({ ...one, bytes: 5 }))).toEqual(Buffer.from('first'));
  });

  it('are not answered when they are missing or cut', async () => {
    const one = place();
    await expect(files.open({ ...one, bytes: 5 })).rejects.toMatchObject({ code: 'no_upstream_available' });
    await files.write(one, Buffer.from('four'));
    await expect(files.open({ ...one, bytes: 5 })).rejects.toMatchObject({ code: 'no_upstream_available' });
  });

  it('are swept once no job has them, when they are old enough, unfinished ones too, and nothing else is', async () => {
    const [kept, orphan, young] = [place(), place(), place()];
    for (const one of [kept, orphan, young]) await files.write(one, Buffer.from('mesh'));
    known = [kept.runId];
    const toPath = ({ id, runId }: typeof kept) => join(root, folder, `${id}.${runId}.glb`);
    const [unfinished, notes] = [`${toPath(orphan)}.abc.tmp`, join(root, folder, 'notes.txt')];
    await writeFile(unfinished, 'half');
    await writeFile(notes, 'not ours');
    const before = new Date(NOW_MS - 2 * HOUR_MS);
    for (const path of [toPath(kept), toPath(orphan), unfinished, notes]) await utimes(path, before, before);
    await utimes(toPath(young), new Date(NOW_MS), new Date(NOW_MS));
    expect(await files.sweep(NOW_MS)).toBe(2);
    expect((await names()).sort()).toEqual([`${kept.id}.${kept.runId}.glb`, `${young.id}.${young.runId}.glb`, 'notes.txt'].sort());
    expect(await new MeshFiles(new DiskBlobStore(join(root, 'none'), isMeshFileName), rows).sweep(NOW_MS)).toBe(0);
  });

  it('are never looked for at a place that a caller could have named', async () => {
    await expect(files.open({ id: '../../etc/passwd' as never, runId: uuidV7(NOW_MS), bytes: 1 })).rejects.toThrow(TypeError);
    await expect(files.open({ id: newMeshId(NOW_MS), runId: '../../../../../../etc/passwd-----', bytes: 1 })).rejects.toThrow(TypeError);
  });
});
