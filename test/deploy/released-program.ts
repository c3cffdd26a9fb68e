import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Program } from '../support/program';

/** A commit's program, built in a folder of its own with the packages that are here. */
export class ReleasedProgram {
  readonly folder = mkdtempSync(join(tmpdir(), 'weir-test-release-'));

  async build(commit: string): Promise<void> {
    const unpacked = await Program.run('/bin/sh', ['-c', 'git archive "$1" | tar -x -C "$2"', 'sh', commit, this.folder]);
    if (unpacked.end?.code !== 0) throw new Error(unpacked.output);
    symlinkSync(resolve('node_modules'), join(this.folder, 'node_modules'));
    const built = await Program.run(process.execPath, ['node_modules/@nestjs/cli/bin/nest.js', 'build'], { cwd: this.folder });
    if (built.end?.code !== 0) throw new Error(built.output);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
