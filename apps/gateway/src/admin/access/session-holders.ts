import { Inject, Injectable } from '@nestjs/common';
import { AdminKeyEntity, type AdminIdentity, OrganizationEntity, UserEntity } from '@weir/access';
import { type Clock } from '@weir/kernel';
import { CLOCK, DATA_SOURCE } from '@weir/platform';
import { DataSource } from 'typeorm';
import { type Session, SESSION_LONGEST_MS } from '../session/session-tokens';

/** How long an answer of the database is believed: a page makes many requests at once. */
const BELIEVED_MS = 1_000;
const MOST_REMEMBERED = 1_000;

interface Remembered {
  readonly identity: AdminIdentity | null;
  readonly atMs: number;
}

/** Whether the holder of a session may still use it: it was not signed out of, and the user and the key that opened it are good. */
@Injectable()
export class SessionHolders {
  private readonly remembered = new Map<string, Remembered>();

  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Null when it was signed out of, the user is gone or disabled, or the admin key is revoked or has expired. */
  async find(session: Session): Promise<AdminIdentity | null> {
    const nowMs = this.clock.nowMs();
    const known = this.remembered.get(session.id);
    if (known !== undefined && nowMs - known.atMs < BELIEVED_MS && nowMs >= known.atMs) return known.identity;
    const identity = await this.read(session, nowMs);
    this.remember(session, identity, nowMs);
    return identity;
  }

  /** Nobody may use it any more: known here at once, and to every other process within a second. */
  async end(session: Session): Promise<void> {
    // Kept for as long as any of its tokens could be renewed: another process may be doing so just now.
    const endsAt = new Date(session.startedMs + SESSION_LONGEST_MS);
    await this.dataSource.query('INSERT INTO ended_sessions (id, ends_at) VALUES ($1, $2) ON CONFLICT DO NOTHING', [session.id, endsAt]);
    this.remember(session, null, this.clock.nowMs());
    await this.dataSource.query('DELETE FROM ended_sessions WHERE ends_at <= $1', [new Date(this.clock.nowMs())]);
  }

  private remember({ id }: Session, identity: AdminIdentity | null, atMs: number): void {
    const known = this.remembered.get(id);
    // What was asked before somebody signed out may be answered after it.
    if (known !== undefined && known.atMs > atMs) return;
    if (this.remembered.size >= MOST_REMEMBERED) this.remembered.clear();
    this.remembered.set(id, { identity, atMs });
  }

  private async read(session: Session, nowMs: number): Promise<AdminIdentity | null> {
    const user = await this.dataSource
      .getRepository(UserEntity)
      .createQueryBuilder('user')
      .innerJoin(AdminKeyEntity, 'admin_key', 'admin_key.userId = user.id')
      .leftJoin(OrganizationEntity, 'organization', 'organization.id = user.organizationId')
      .where('user.id = :userId AND user.enabled', { userId: session.userId })
      .andWhere('(user.organizationId IS NULL OR organization.enabled)')
      .andWhere('admin_key.publicId = :publicId AND admin_key.revokedAt IS NULL', { publicId: session.keyPublicId })
      .andWhere('(admin_key.expiresAt IS NULL OR admin_key.expiresAt > :now)', { now: new Date(nowMs) })
      .andWhere('NOT EXISTS (SELECT FROM ended_sessions WHERE ended_sessions.id = :sessionId)', { sessionId: session.id })
      .getOne();
    return user === null
      ? null
      : {
          userId: user.id,
          username: user.username,
          role: user.role,
          organizationId: user.organizationId,
          keyPublicId: session.keyPublicId,
        };
  }
}
