import { setTimeout as wait } from 'node:timers/promises';
import { type UpstreamKeyId } from '@weir/kernel';
import { type KeyChange, type PoolStateSink } from '@weir/upstreams';
import { type UpstreamKeyVault } from '@weir/vault';
import { type Logger } from 'pino';

const RETRY_MS = 1_000;

/**
 * Stores what the pool learns of a key, so that people see it and the other processes hear of it.
 * With the database away only people lose sight of it, because the pool decides by its own memory;
 * what could not be stored is kept, the latest of each key, and tried again until it is.
 */
export class StoredPoolState implements PoolStateSink {
  private readonly pending = new Map<UpstreamKeyId, KeyChange>();
  /** Keys with a writer at work: one each, so that two changes cannot overtake each other. */
  private readonly writing = new Set<UpstreamKeyId>();

  constructor(
    private readonly vault: Pick<UpstreamKeyVault, 'recordStatus'>,
    private readonly logger: Pick<Logger, 'warn'>,
  ) {}

  keyChanged(id: UpstreamKeyId, change: KeyChange): void {
    this.logger.warn({ upstreamKeyId: id, status: change.status, reason: change.reason, newFailures: change.newFailures }, 'an upstream key changed its status');
    this.pending.set(id, join(this.pending.get(id), change));
    if (!this.writing.has(id)) void this.write(id);
  }

  private async write(id: UpstreamKeyId): Promise<void> {
    this.writing.add(id);
    let isAway = false;
    for (let change = this.pending.get(id); change !== undefined; change = this.pending.get(id)) {
      this.pending.delete(id);
      try {
        await this.vault.recordStatus(id, change);
        isAway = false;
      } catch (error) {
        if (!isAway) this.logger.warn({ upstreamKeyId: id, err: error }, "an upstream key's status could not be stored; trying again");
        isAway = true;
        const later = this.pending.get(id);
        this.pending.set(id, later === undefined ? change : join(change, later));
        await wait(RETRY_MS, undefined, { ref: false });
      }
    }
    this.writing.delete(id);
  }
}

function join(earlier: KeyChange | undefined, later: KeyChange): KeyChange {
  return earlier === undefined ? later : { ...later, newFailures: earlier.newFailures + later.newFailures };
}
