/** Where a stream goes on to: the caller's response, or nowhere where only what it means counts. */
export interface AnswerSink {
  /** @returns false when the one who reads is behind. */
  write(chunk: Buffer | string): boolean;
}
