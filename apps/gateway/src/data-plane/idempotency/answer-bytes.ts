/** How much all answers that are being captured in this process may hold together. */
export class CaptureMemory {
  usedBytes = 0;

  constructor(readonly maxBytes: number) {}
}

const FIRST_BYTES = 4096;

/**
 * The bytes of one answer as they come. They are copied: a chunk of a stream is a view into a much
 * larger buffer of a socket, which would stay in memory with it.
 */
export class AnswerBytes {
  private buffer = Buffer.alloc(0);
  private length = 0;
  private isTooLarge = false;

  constructor(
    private readonly memory: CaptureMemory,
    private readonly maxBytes: number,
  ) {}

  append(chunk: Uint8Array): void {
    if (this.isTooLarge) return;
    const neededBytes = this.length + chunk.length;
    if (neededBytes > this.buffer.length && !this.grow(neededBytes)) return;
    this.buffer.set(chunk, this.length);
    this.length = neededBytes;
  }

  /** Null when it was more than may be held. */
  read(): Buffer | null {
    return this.isTooLarge ? null : this.buffer.subarray(0, this.length);
  }

  /** Gives the memory back. */
  release(): void {
    this.memory.usedBytes -= this.buffer.length;
    this.buffer = Buffer.alloc(0);
    this.length = 0;
  }

  private grow(neededBytes: number): boolean {
    const size = Math.min(Math.max(neededBytes, this.buffer.length * 2, FIRST_BYTES), this.maxBytes);
    if (neededBytes > size || this.memory.usedBytes + size - this.buffer.length > this.memory.maxBytes) {
      this.isTooLarge = true;
      this.release();
      return false;
    }
    const larger = Buffer.allocUnsafeSlow(size);
    larger.set(this.buffer.subarray(0, this.length));
    this.memory.usedBytes += size - this.buffer.length;
    this.buffer = larger;
    return true;
  }
}
