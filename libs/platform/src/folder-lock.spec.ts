import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderLock } from './folder-lock';

describe('FolderLock', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Another process tries. */
  const canOtherProcessTake = (): boolean => {
    const script = `
      const { DatabaseSync } = require('node:sqlite');
      try { new DatabaseSync(${JSON.stringify(join(folder, 'lock'))}, { timeout: 0 }).exec('BEGIN EXCLUSIVE'); } catch { process.exit(1); }`;
    return spawnSync(process.execPath, ['-e', script]).status === 0;
  };

  it('is held against other processes until it is released, also when this one asks for it twice', () => {
    const lock = FolderLock.take(folder);
    expect(lock).not.toBeNull();
    expect(FolderLock.take(folder)).toBeNull();
    expect(canOtherProcessTake()).toBe(false);
    lock?.release();
    lock?.release();
    expect(canOtherProcessTake()).toBe(true);
  });

  it('is not to be had of a folder that is not there', () => {
    expect(() => FolderLock.take(join(folder, 'none'))).toThrow('ENOENT');
  });
});
