import { type Clock, newId, Secret, type UserId, uuidV7, WeirError } from '@weir/kernel';
import { type EntityManager, IsNull } from 'typeorm';
import { AdminKeyEntity } from './admin-key.entity';
import { AdminKeyVerifier, type AdminIdentity } from './admin-key-verifier';
import { toWriteError } from './database-errors';
import { generateAdminKey } from './key-format';
import { parseEmail, parseName } from './parse-name';
import { parseExpiry } from './parse-expiry';
import { type Role, UserEntity } from './user.entity';

export interface IssuedAdminKey {
  readonly id: string;
  readonly publicId: string;
  /** The key itself. It exists nowhere else: show it once. */
  readonly key: Secret;
}

export interface CreatedAdmin {
  readonly userId: UserId;
  readonly username: string;
  readonly email: string | null;
  readonly role: Role;
  /** False when a user of that name was there already; nothing of it was changed. */
  readonly created: boolean;
  /** Null when no key was made. */
  readonly issued: IssuedAdminKey | null;
}

/** The people and scripts of the control plane, and their keys. */
export class AdminIdentities {
  private readonly verifier: AdminKeyVerifier;

  constructor(
    private readonly manager: EntityManager,
    private readonly clock: Clock,
  ) {
    this.verifier = new AdminKeyVerifier(manager, clock);
  }

  /** The same service inside a transaction of the caller's, for writing an audit row with the change. */
  within(manager: EntityManager): AdminIdentities {
    return new AdminIdentities(manager, this.clock);
  }

  /** True when the installation has an owner, so that the first start makes one and the others do not. */
  hasOwner(): Promise<boolean> {
    return this.manager.existsBy(UserEntity, { role: 'owner', organizationId: IsNull() });
  }

  /**
   * Makes an owner of the installation with a key. A user of that name who is there already stays
   * as it is, and gets another key only when `newKey` asks for it.
   */
  async createAdmin(input: { username: string; email: string | null; newKey?: boolean }): Promise<CreatedAdmin> {
    const username = parseName(input.username, 'username');
    const email = input.email === null ? null : parseEmail(input.email);
    return this.manager.transaction(async (manager) => {
      const id = newId<UserId>();
      // Of two processes that start at once, one makes the user and the other finds it.
      const inserted = await manager.query<{ id: UserId }[]>(
        `INSERT INTO users (id, username, email, role) VALUES ($1, $2, $3, 'owner') ON CONFLICT DO NOTHING RETURNING id`,
        [id, username, email],
      );
      const created = inserted.length > 0;
      const user = created ? await manager.findOneByOrFail(UserEntity, { id }) : await findByUsername(manager, username);
      if (user === null) throw new WeirError('conflict', { message: 'Another user has that e-mail address.', param: 'email' });
      const issued = created || input.newKey === true ? await issueTo(manager, user, null) : null;
      return { userId: user.id, username: user.username, email: user.email, role: user.role, created, issued };
    });
  }

  /** Makes a key that acts as the user. */
  async issueKey(userId: UserId, options: { expiresAt?: Date | null } = {}): Promise<IssuedAdminKey> {
    const expiresAt = parseExpiry(options.expiresAt ?? null, this.clock.nowMs());
    const user = await this.manager.findOneBy(UserEntity, { id: userId });
    if (user === null) throw new WeirError('not_found', { message: 'There is no such user.' });
    return issueTo(this.manager, user, expiresAt).catch((error: unknown) => {
      throw toWriteError(error, { missing: 'There is no such user.', taken: 'Try again.' });
    });
  }

  /** Ends the key for good, on every process within a second. Revoking it again changes nothing. */
  async revokeKey(userId: UserId, id: string): Promise<void> {
    if (!(await this.manager.existsBy(AdminKeyEntity, { id, userId }))) {
      throw new WeirError('not_found', { message: 'There is no such key.' });
    }
    await this.manager.update(AdminKeyEntity, { id, userId, revokedAt: IsNull() }, { revokedAt: new Date(this.clock.nowMs()) });
  }

  /**
   * Whose admin key this is.
   * @throws WeirError invalid_api_key, key_expired, permission_denied or database_unavailable.
   */
  authenticateAdmin(presented: string): Promise<AdminIdentity> {
    return this.verifier.verify(presented);
  }
}

async function issueTo(manager: EntityManager, user: UserEntity, expiresAt: Date | null): Promise<IssuedAdminKey> {
  if (!user.enabled) throw new WeirError('conflict', { message: 'The user is disabled: a key would not work.' });
  const { key, publicId, secretHash } = generateAdminKey();
  const id = uuidV7(Date.now());
  await manager.insert(AdminKeyEntity, { id, userId: user.id, publicId, secretHash, expiresAt });
  return { id, publicId, key: new Secret(key) };
}

function findByUsername(manager: EntityManager, username: string): Promise<UserEntity | null> {
  return manager.createQueryBuilder(UserEntity, 'user').where('lower(user.username) = lower(:username)', { username }).getOne();
}
