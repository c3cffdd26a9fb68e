import { writeSync } from 'node:fs';
import { ConfigurationError, type LogConfiguration } from '../configuration';
import { isErrno } from '../is-error';
import { toWriteFault } from '../to-write-fault';
import { toPrettyLine } from './pretty-line';
import { RotatingFile } from './rotating-file';

/** Lines wait this long at most, so that many of them cost one system call. */
const FLUSH_INTERVAL_MS = 50;
const BUFFER_BYTES = 64 * 1024;
/** No character of a string takes more bytes of UTF-8. */
const LARGEST_BYTES_PER_CHARACTER = 3;
const STANDARD_OUTPUT = 1;

/**
 * Where log lines go: standard output, and a rotating file when one is configured. Lines are
 * gathered for a moment and written synchronously; what is gathered is written when the process
 * exits, also by an uncaught error.
 */
export class LogDestination {
  /** Lines go into bytes at once: kept as text they would be trees of strings that outlive many collections. */
  private readonly buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  private length = 0;
  private timer: NodeJS.Timeout | null = null;
  private readonly file: RotatingFile | null;

  /** @throws ConfigurationError when the file cannot be opened: better no start than a start without its log */
  constructor(
    private readonly configuration: Pick<LogConfiguration, 'format' | 'file' | 'maxSizeBytes' | 'maxFiles'>,
    private readonly writeOut: ((text: string) => void) | null = null,
  ) {
    const { file, maxSizeBytes, maxFiles } = configuration;
    this.file = file === null ? null : openFile(file, maxSizeBytes, maxFiles);
    process.once('exit', this.flush);
  }

  /** pino's side: one JSON line with its line feed. */
  write(line: string): void {
    const text = this.configuration.format === 'pretty' ? toPrettyLine(line) : line;
    if (text.length * LARGEST_BYTES_PER_CHARACTER > BUFFER_BYTES - this.length) {
      this.flush();
      if (text.length * LARGEST_BYTES_PER_CHARACTER > BUFFER_BYTES) {
        this.writeThrough(Buffer.from(text));
        return;
      }
    }
    this.length += this.buffer.write(text, this.length);
    this.timer ??= setTimeout(this.flush, FLUSH_INTERVAL_MS).unref();
  }

  readonly flush = (): void => {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.length === 0) return;
    const lines = this.buffer.subarray(0, this.length);
    this.length = 0;
    this.writeThrough(lines);
  };

  private writeThrough(lines: Buffer): void {
    // Whoever takes the text may keep it; the bytes are used again.
    if (this.writeOut === null) writeToStandardOutput(lines);
    else this.writeOut(lines.toString());
    this.file?.write(lines);
  }

  close(): void {
    this.flush();
    process.off('exit', this.flush);
    this.file?.close();
  }
}

function openFile(path: string, maxSizeBytes: number, maxFiles: number): RotatingFile {
  try {
    return new RotatingFile(path, maxSizeBytes, maxFiles);
  } catch (error) {
    throw new ConfigurationError(`LOG_FILE: the file ${path} ${toWriteFault(error)}`);
  }
}

/** Standard output may be a pipe whose reader is slow (EAGAIN) or gone (EPIPE). */
function writeToStandardOutput(lines: Buffer): void {
  let rest = lines;
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
