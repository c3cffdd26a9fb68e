import { writeSync } from 'node:fs';
import { type LogConfiguration } from '../configuration';
import { isErrno } from '../is-error';
import { toPrettyLine } from './pretty-line';
import { RotatingFile } from './rotating-file';

/** Lines wait this long at most, so that many of them cost one system call. */
const FLUSH_INTERVAL_MS = 50;
const BUFFER_CHARACTERS = 64 * 1024;
const STANDARD_OUTPUT = 1;

/**
 * Where log lines go: standard output, and a rotating file when one is configured. Lines are
 * gathered for a moment and written synchronously; what is gathered is written when the process
 * exits, also by an uncaught error.
 */
export class LogDestination {
  private text = '';
  private timer: NodeJS.Timeout | null = null;
  private readonly file: RotatingFile | null;

  constructor(
    private readonly configuration: Pick<LogConfiguration, 'format' | 'file' | 'maxSizeBytes' | 'maxFiles'>,
    private readonly writeOut: (text: string) => void = writeToStandardOutput,
  ) {
    const { file, maxSizeBytes, maxFiles } = configuration;
    this.file = file === null ? null : new RotatingFile(file, maxSizeBytes, maxFiles);
    process.once('exit', this.flush);
  }

  /** pino's side: one JSON line with its line feed. */
  write(line: string): void {
    this.text += this.configuration.format === 'pretty' ? toPrettyLine(line) : line;
    if (this.text.length >= BUFFER_CHARACTERS) this.flush();
    else this.timer ??= setTimeout(this.flush, FLUSH_INTERVAL_MS).unref();
  }

  readonly flush = (): void => {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const text = this.text;
    this.text = '';
    if (text === '') return;
    this.writeOut(text);
    this.file?.write(text);
  };

  close(): void {
    this.flush();
    process.off('exit', this.flush);
    this.file?.close();
  }
}

/** Standard output may be a pipe whose reader is slow (EAGAIN) or gone (EPIPE). */
function writeToStandardOutput(text: string): void {
  let rest = Buffer.from(text);
  const deadline = performance.now() + 1000;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(STANDARD_OUTPUT, rest));
    } catch (error) {
      const isFull = isErrno(error, 'EAGAIN');
      // A reader that hangs must not hang the gateway: after a second the lines are dropped.
      if (!isFull || performance.now() > deadline) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
