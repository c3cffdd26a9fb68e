import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { UploadFolder } from './upload-folder';

const file = (): Readable => Readable.from([Buffer.from('sound')], { objectMode: false });
const broken = (): Readable => Readable.from((function* () { yield Buffer.from('so'); throw new Error('torn'); })(), { objectMode: false });
const FULL = expect.objectContaining({ code: 'no_upstream_available', retryAfterMs: expect.any(Number) });

let path: string;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'weir-upload-folder-'));
});
afterEach(() => rm(path, { recursive: true, force: true }));

describe('the folder of uploads', () => {
  it('gives no organization more than a quarter of its places, and each place back', async () => {
    const folder = new UploadFolder(path, 8);
    const first = await folder.write(file(), 'one');
    const second = await folder.write(file(), 'one');
    await expect(folder.write(file(), 'one')).rejects.toEqual(FULL);
    await expect(folder.write(file(), 'two')).resolves.toMatchObject({ bytes: 5 });
    await folder.delete(first.path);
    await expect(folder.write(file(), 'one')).resolves.toMatchObject({ bytes: 5 });
    await folder.delete(second.path);
  });

  it('has so many places for all together', async () => {
    const folder = new UploadFolder(path, 4);
    for (const owner of ['one', 'two', 'three', 'four']) await folder.write(file(), owner);
    await expect(folder.write(file(), 'five')).rejects.toEqual(FULL);
  });

  it('takes back the place of a file that did not come whole', async () => {
    const folder = new UploadFolder(path, 4);
    for (let tries = 0; tries < 3; tries += 1) await expect(folder.write(broken(), 'one')).rejects.toThrow('torn');
    await expect(folder.write(file(), 'one')).resolves.toMatchObject({ bytes: 5 });
    expect(await readdir(path)).toHaveLength(1);
  });
});
