import { Inject, Injectable } from '@nestjs/common';
import { type Clock, uuidV7 } from '@weir/kernel';
import { CLOCK, DATA_SOURCE } from '@weir/platform';
import { type DataSource, type EntityManager } from 'typeorm';
import { type AdminPrincipal } from '../access/admin-principal';
import { type FieldChange } from './audit-record.entity';

export type AuditAction = 'create' | 'update' | 'delete' | 'revoke' | 'rotate';

export interface AuditEntry {
  readonly action: AuditAction;
  readonly collection: string;
  readonly objectId: string;
  /** Whose object it is; null for the installation's. */
  readonly organizationId: string | null;
  readonly changes: Record<string, FieldChange>;
}

/** Writes down what is being done; the row is kept exactly if the change is. */
export type Audit = (entry: AuditEntry) => Promise<void>;

/** Every write of the control plane goes through here: the change and its audit row are one transaction. */
@Injectable()
export class AuditedTransactions {
  constructor(
    @Inject(DATA_SOURCE) private readonly connection: Pick<DataSource, 'transaction'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** The same inside a transaction of the caller's: what is written through it stands or falls with that. */
  within(manager: EntityManager): AuditedTransactions {
    return new AuditedTransactions(manager, this.clock);
  }

  run<Result>(principal: AdminPrincipal, work: (manager: EntityManager, audit: Audit) => Promise<Result>): Promise<Result> {
    return this.connection.transaction((manager) => work(manager, (entry) => this.write(manager, principal, entry)));
  }

  private async write(manager: EntityManager, principal: AdminPrincipal, entry: AuditEntry): Promise<void> {
    const nowMs = this.clock.nowMs();
    await manager.query(
      `INSERT INTO audit_records (id, at, actor_id, actor, organization_id, action, collection, object_id, changes, remote_address)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        uuidV7(nowMs),
        new Date(nowMs),
        principal.userId,
        principal.username,
        entry.organizationId,
        entry.action,
        entry.collection,
        entry.objectId,
        JSON.stringify(entry.changes),
        principal.remoteAddress,
      ],
    );
  }
}

