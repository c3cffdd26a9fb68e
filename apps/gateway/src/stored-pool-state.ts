import { type UpstreamKeyId } from '@weir/kernel';
import { type KeyChange, type PoolStateSink } from '@weir/upstreams';
import { type UpstreamKeyVault } from '@weir/vault';
import { type Logger } from 'pino';

/** Stores what the pool learns of a key, so that people see it and the other processes hear of it. */
export class StoredPoolState implements PoolStateSink {
  constructor(
    private readonly vault: UpstreamKeyVault,
    private readonly logger: Logger,
  ) {}

  keyChanged(id: UpstreamKeyId, change: KeyChange): void {
    this.logger.warn({ upstreamKeyId: id, status: change.status, reason: change.reason, newFailures: change.newFailures }, 'an upstream key changed its status');
    // With the database away only people lose sight of it: the pool decides by its own memory.
    this.vault.recordStatus(id, change).catch((error: unknown) => {
      this.logger.warn({ upstreamKeyId: id, err: error }, "an upstream key's status could not be stored");
    });
  }
}
