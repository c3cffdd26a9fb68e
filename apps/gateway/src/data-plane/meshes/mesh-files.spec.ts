import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { uuidV7 } from '@weir/kernel';
import { MeshFiles } from './mesh-files';
import { newMeshId } from './mesh-job';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 21);
const place = () => ({ id: newMeshId(NOW_MS), runId: uuidV7(NOW_MS) });

let root: string;
let files: MeshFiles;

beforeEach(async () => {
  root = join(await mkdtemp(join(tmpdir(), 'weir-meshes-')), 'meshes');
  files = new MeshFiles(root);
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
    for (const name of await readdir(root)) expect((await stat(join(root, name))).mode & 0o777).toBe(0o600);
    await files.delete(first);
    await files.delete(first);
    expect(await readdir(root)).toEqual([`${again.id}.${again.runId}.glb`]);
  });

  it('are not answered when they are missing or cut', async () => {
    const one = place();
    await expect(files.open({ ...one, bytes: 5 })).rejects.toMatchObject({ code: 'no_upstream_available' });
    await files.write(one, Buffer.from('four'));
    await expect(files.open({ ...one, bytes: 5 })).rejects.toMatchObject({ code: 'no_upstream_available' });
  });

  it('are swept by their age, unfinished ones too, and nothing else is', async () => {
    const [old, young] = [place(), place()];
    await files.write(old, Buffer.from('old'));
    await files.write(young, Buffer.from('young'));
    const unfinished = join(root, `${old.id}.${old.runId}.glb.abc.tmp`);
    await writeFile(unfinished, 'half');
    await writeFile(join(root, 'notes.txt'), 'not ours');
    const before = new Date(NOW_MS - 26 * HOUR_MS);
    for (const path of [join(root, `${old.id}.${old.runId}.glb`), unfinished, join(root, 'notes.txt')]) await utimes(path, before, before);
    expect(await files.sweep(NOW_MS - 25 * HOUR_MS)).toBe(2);
    expect((await readdir(root)).sort()).toEqual([`${young.id}.${young.runId}.glb`, 'notes.txt'].sort());
    expect(await new MeshFiles(join(root, 'none')).sweep(NOW_MS)).toBe(0);
  });

  it('are never looked for at a place that a caller could have named', async () => {
    await expect(files.open({ id: '../../etc/passwd' as never, runId: uuidV7(NOW_MS), bytes: 1 })).rejects.toThrow(TypeError);
  });
});
