import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RotatingFile } from './rotating-file';

describe('RotatingFile', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-log-'));
    path = join(folder, 'logs', 'weir.log');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const read = (name: string) => readFileSync(join(folder, 'logs', name), 'utf8');
  const names = () => readdirSync(join(folder, 'logs')).sort();

  it('keeps so many files and no more, none larger than allowed', () => {
    const file = new RotatingFile(path, 10, 3);
    for (const text of ['aaaa\n', 'bbbb\n', 'cccc\n', 'dddd\n', 'eeee\n', 'ffff\n', 'gggg\n']) file.write(Buffer.from(text));
    file.close();
    expect(names()).toEqual(['weir.log', 'weir.log.1', 'weir.log.2']);
    expect([read('weir.log'), read('weir.log.1'), read('weir.log.2')]).toEqual(['gggg\n', 'eeee\nffff\n', 'cccc\ndddd\n']);
  });

  it('keeps one file when one is allowed', () => {
    const file = new RotatingFile(path, 5, 1);
    for (const text of ['aaaa\n', 'bbbb\n']) file.write(Buffer.from(text));
    file.close();
    expect(names()).toEqual(['weir.log']);
    expect(read('weir.log')).toBe('bbbb\n');
  });

  it('goes on in the file of an earlier start', () => {
    for (const text of ['aaaa\n', 'bbbb\n', 'cccc\n']) {
      const file = new RotatingFile(path, 10, 3);
      file.write(Buffer.from(text));
      file.close();
    }
    expect([read('weir.log'), read('weir.log.1')]).toEqual(['cccc\n', 'aaaa\nbbbb\n']);
  });

  it('loses no line when several write to the same file', () => {
    const files = [new RotatingFile(path, 100, 1000), new RotatingFile(path, 100, 1000)];
    for (let index = 0; index < 100; index++) files[index % 2].write(Buffer.from(`line ${index}\n`));
    for (const file of files) file.close();
    const lines = names().flatMap((name) => read(name).split('\n')).filter((line) => line !== '');
    expect(new Set(lines).size).toBe(100);
  });

  it('notices that another program moved the file away', () => {
    const file = new RotatingFile(path, 1000, 3);
    file.write(Buffer.from('before\n'));
    renameSync(path, join(folder, 'moved'));
    file.write(Buffer.from('after\n'));
    file.close();
    expect(read('weir.log')).toBe('after\n');
  });

  it('never throws when the disk does not take a line, says so once, and goes on when it does', () => {
    const complaint = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const file = new RotatingFile(path, 1000, 3);
      rmSync(join(folder, 'logs'), { recursive: true });
      file.write(Buffer.from('lost\n'));
      file.write(Buffer.from('lost, too\n'));
      expect(complaint).toHaveBeenCalledTimes(1);
      new RotatingFile(path, 1000, 3).close();
      file.write(Buffer.from('kept\n'));
      file.close();
      expect(read('weir.log')).toBe('kept\n');
    } finally {
      complaint.mockRestore();
    }
  });
});
