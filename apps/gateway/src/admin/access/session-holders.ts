import { Inject, Injectable } from '@nestjs/common';
import { AdminKeyEntity, type AdminIdentity, OrganizationEntity, UserEntity } from '@weir/access';
import { type Clock } from '@weir/kernel';
import { CLOCK, DATA_SOURCE } from '@weir/platform';
import { DataSource } from 'typeorm';
import { type Session } from '../session/session-tokens';

/** How long an answer of the database is believed: a page makes many requests at once. */
const BELIEVED_MS = 1_000;
const MOST_REMEMBERED = 1_000;

interface Remembered {
  readonly identity: AdminIdentity | null;
  readonly atMs: number;
}

/** Whether the holder of a session may still use it: the user and the key that opened it must be good. */
@Injectable()
export class SessionHolders {
  private readonly remembered = new Map<string, Remembered>();

  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Null when the user is gone or disabled, or the admin key is revoked or has expired. */
  async find(session: Session): Promise<AdminIdentity | null> {
    const nowMs = this.clock.nowMs();
    const name = `${session.userId}:${session.keyPublicId}`;
    const known = this.remembered.get(name);
    if (known !== undefined && nowMs - known.atMs < BELIEVED_MS && nowMs >= known.atMs) return known.identity;
    const identity = await this.read(session, nowMs);
    if (this.remembered.size >= MOST_REMEMBERED) this.remembered.clear();
    this.remembered.set(name, { identity, atMs: nowMs });
    return identity;
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
