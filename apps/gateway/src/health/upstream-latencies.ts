/** How long the last answered call of each upstream took: one number each, so that noting it costs nothing. */
export class UpstreamLatencies {
  private readonly lastMs = new Map<string, number>();

  note(upstreamId: string, latencyMs: number): void {
    this.lastMs.set(upstreamId, latencyMs);
  }

  /** Null when none has answered since the start. */
  find(upstreamId: string): number | null {
    return this.lastMs.get(upstreamId) ?? null;
  }
}
