export type ReadinessState = 'starting' | 'ready' | 'draining';

/**
 * Whether this process takes requests. The composition root tells it: `snapshotLoaded()` for each
 * snapshot it named, `drain()` at SIGTERM. A database or Redis that is away does not make it
 * unready: the road works without them, and taking every process out at once would be the outage.
 */
export class Readiness {
  private readonly missing: Set<string>;
  private isDraining = false;

  /** @param snapshots what must have been loaded before the first request, by name */
  constructor(snapshots: readonly string[]) {
    this.missing = new Set(snapshots);
  }

  get state(): ReadinessState {
    if (this.isDraining) return 'draining';
    return this.missing.size === 0 ? 'ready' : 'starting';
  }

  snapshotLoaded(name: string): void {
    this.missing.delete(name);
  }

  /** From now on new requests should go elsewhere. There is no way back. */
  drain(): void {
    this.isDraining = true;
  }
}
