import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { toErrorCode } from '../is-error';

/**
 * A log file that is renamed to `<path>.1` before it would grow beyond `maxSizeBytes`, `.1` to
 * `.2` and so on; `maxFiles` files are kept, this one among them. Several processes may write to
 * the same file: each notices when another has rotated it. A disk that is full costs lines, never
 * the process.
 */
export class RotatingFile {
  private file: number | null = null;
  private sizeBytes = 0;
  private complained = false;

  constructor(
    private readonly path: string,
    private readonly maxSizeBytes: number,
    private readonly maxFiles: number,
  ) {
    mkdirSync(dirname(path), { recursive: true });
    this.file = this.open();
  }

  write(lines: Buffer): void {
    try {
      this.prepareFor(lines.length);
      if (this.file === null) return;
      this.sizeBytes += writeSync(this.file, lines);
      this.complained = false;
    } catch (error) {
      this.complain(error);
    }
  }

  close(): void {
    if (this.file !== null) closeSync(this.file);
    this.file = null;
  }

  private prepareFor(bytes: number): void {
    if (this.wasMoved()) this.reopen();
    if (this.sizeBytes > 0 && this.sizeBytes + bytes > this.maxSizeBytes) {
      this.rotate();
      this.reopen();
    }
  }

  /** By another process, or by the operator's own logrotate. */
  private wasMoved(): boolean {
    if (this.file === null) return true;
    const now = statSync(this.path, { throwIfNoEntry: false });
    const ours = fstatSync(this.file);
    if (now === undefined || now.ino !== ours.ino || now.dev !== ours.dev) return true;
    this.sizeBytes = now.size;
    return false;
  }

  private rotate(): void {
    rmSync(`${this.path}.${this.maxFiles - 1}`, { force: true });
    for (let number = this.maxFiles - 2; number >= 1; number--) moveIfThere(`${this.path}.${number}`, `${this.path}.${number + 1}`);
    if (this.maxFiles > 1) moveIfThere(this.path, `${this.path}.1`);
    else rmSync(this.path, { force: true });
  }

  private reopen(): void {
    this.close();
    this.file = this.open();
  }

  private open(): number {
    const file = openSync(this.path, 'a', 0o640);
    this.sizeBytes = fstatSync(file).size;
    return file;
  }

  private complain(error: unknown): void {
    if (this.complained) return;
    this.complained = true;
    const code = toErrorCode(error) ?? 'unknown';
    process.stderr.write(`the log file ${this.path} cannot be written (${code}); lines are lost until it can\n`);
  }
}

function moveIfThere(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false }) !== undefined) renameSync(from, to);
}
