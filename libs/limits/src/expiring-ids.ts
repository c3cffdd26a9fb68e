/**
 * Ids with the time at which each expires, in the order of these times: a sorted set, as in Redis.
 * Times come from a clock that hardly ever goes back, so adding is putting last; when it has gone
 * back, everything is sorted anew.
 */
export class ExpiringIds {
  #expiresMsById = new Map<string, number>();
  /** None expires later; the one that did may be deleted. */
  #latestMs = -Infinity;

  get size(): number {
    return this.#expiresMsById.size;
  }

  /** When the last one expires; -Infinity when there is none. */
  findLastMs(): number {
    let lastMs = -Infinity;
    for (const expiresMs of this.#expiresMsById.values()) lastMs = expiresMs;
    return lastMs;
  }

  find(id: string): number | null {
    return this.#expiresMsById.get(id) ?? null;
  }

  ids(): string[] {
    return [...this.#expiresMsById.keys()];
  }

  /** Adds it, or moves it. */
  set(id: string, expiresMs: number): void {
    this.#expiresMsById.delete(id);
    this.#expiresMsById.set(id, expiresMs);
    if (expiresMs >= this.#latestMs) this.#latestMs = expiresMs;
    else this.#sort();
  }

  delete(id: string): boolean {
    return this.#expiresMsById.delete(id);
  }

  /** What has expired at `nowMs`, the oldest first. */
  *expired(nowMs: number): Generator<[id: string, expiresMs: number]> {
    for (const entry of this.#expiresMsById) {
      if (entry[1] > nowMs) return;
      yield entry;
    }
  }

  countExpired(nowMs: number): number {
    let count = 0;
    for (const expiresMs of this.#expiresMsById.values()) {
      if (expiresMs > nowMs) break;
      count++;
    }
    return count;
  }

  /** When the first one expires that has not; null when all have. */
  findNextMs(nowMs: number): number | null {
    for (const expiresMs of this.#expiresMsById.values()) if (expiresMs > nowMs) return expiresMs;
    return null;
  }

  deleteExpired(nowMs: number): void {
    for (const [id] of this.expired(nowMs)) this.#expiresMsById.delete(id);
  }

  /** Brings down what expires later than that. */
  shortenTo(latestMs: number): void {
    if (this.#latestMs <= latestMs) return;
    for (const [id, expiresMs] of this.#expiresMsById) if (expiresMs > latestMs) this.#expiresMsById.set(id, latestMs);
    this.#latestMs = latestMs;
  }

  #sort(): void {
    const entries = [...this.#expiresMsById].sort((one, other) => one[1] - other[1]);
    this.#expiresMsById = new Map(entries);
    this.#latestMs = entries[entries.length - 1][1];
  }
}
