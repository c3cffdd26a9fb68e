import { ConfigurationError, DataDirectory, DataDirectoryInUseError } from '@weir/platform';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HeldPostgres, holdEmbeddedPostgres } from '../../../test/support/held-postgres';

describe('DataDirectory', () => {
  let parent: string;
  let path: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'weir-data-'));
    path = join(parent, 'deep', '.weir');
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  const modeOf = (...names: string[]) => (statSync(join(path, ...names)).mode & 0o777).toString(8);

  it('makes the folder and keeps everybody else out of it and of its secrets', async () => {
    const directory = await DataDirectory.open(path);
    await directory.getOrCreateSecret('one', () => 'value');
    directory.close();
    expect([modeOf(), modeOf('secrets'), modeOf('secrets', 'one'), modeOf('lock')]).toEqual(['700', '700', '600', '600']);
  });

  it('makes a secret once, also when several ask at the same time', async () => {
    const directory = await DataDirectory.open(path);
    const asked = await Promise.all(Array.from({ length: 20 }, (_, index) => directory.getOrCreateSecret('one', () => `value-${index}`)));
    expect(new Set(asked).size).toBe(1);
    expect(await directory.getOrCreateSecret('one', () => 'another')).toBe(asked[0]);
    expect(readdirSync(join(path, 'secrets'))).toEqual(['one']);
    directory.close();
  });

  it('replaces a secret when told to', async () => {
    const directory = await DataDirectory.open(path);
    await directory.getOrCreateSecret('one', () => 'old');
    await directory.writeSecret('one', 'new');
    expect(await directory.getOrCreateSecret('one', () => 'never')).toBe('new');
    expect(modeOf('secrets', 'one')).toBe('600');
    directory.close();
  });

  it('refuses an empty secret rather than working with it', async () => {
    const directory = await DataDirectory.open(path);
    writeFileSync(join(path, 'secrets', 'one'), '');
    await expect(directory.getOrCreateSecret('one', () => 'value')).rejects.toThrow('is empty');
    directory.close();
  });

  it('takes no path for the name of a secret', async () => {
    const directory = await DataDirectory.open(path);
    await expect(directory.getOrCreateSecret('../one', () => 'value')).rejects.toThrow('not the name of a secret');
    directory.close();
  });

  it('tells a second holder who the first one is, and lets it in when that one is done', async () => {
    const first = await DataDirectory.open(path);
    await expect(DataDirectory.open(path)).rejects.toThrow(`another Weir (pid ${process.pid}) uses this folder: ${path}`);
    first.close();
    (await DataDirectory.open(path)).close();
  });

  it('lets a script reach the secrets beside the holder', async () => {
    const holder = await DataDirectory.open(path);
    await holder.getOrCreateSecret('one', () => 'value');
    const script = DataDirectory.openShared(path);
    expect(await script.getOrCreateSecret('one', () => 'other')).toBe('value');
    script.close();
    await expect(DataDirectory.open(path)).rejects.toBeInstanceOf(DataDirectoryInUseError);
    holder.close();
  });

  it('is held by another process while that lives, and free at once when it is killed', async () => {
    const held: HeldPostgres = await holdEmbeddedPostgres(path);
    try {
      await expect(DataDirectory.open(path)).rejects.toThrow(`another Weir (pid ${held.pid}) uses this folder`);
    } finally {
      await held.kill();
    }
    (await DataDirectory.open(path)).close();
  });

  it('says in one line that a folder cannot be written', async () => {
    const file = join(parent, 'file');
    writeFileSync(file, '');
    const failure = DataDirectory.open(join(file, '.weir'));
    await expect(failure).rejects.toBeInstanceOf(ConfigurationError);
    await expect(failure).rejects.toThrow(/^WEIR_DATA_DIR: the folder .+ cannot be written \(ENOTDIR\); a part of its path is no folder$/);
  });
});
