import { UserEntity } from '@weir/access';
import { type UserId, WeirError } from '@weir/kernel';
import { type EntityManager, Not } from 'typeorm';

/** Names the lock among the database's advisory locks: the bytes of "user". */
const USERS_LOCK = 0x75736572;

/** Changes of users come one after the other until the transaction ends: two owners could else put each other out. */
export async function lockUsers(manager: EntityManager): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock($1)', [USERS_LOCK]);
}

/** Refuses what would leave the installation without an enabled owner. Call `lockUsers` first. */
export async function keepLastOwner(manager: EntityManager, leaving: UserId): Promise<void> {
  if (await manager.existsBy(UserEntity, { role: 'owner', enabled: true, id: Not(leaving) })) return;
  throw new WeirError('conflict', { message: 'This is the last enabled owner: nobody could administer the installation any more.' });
}
