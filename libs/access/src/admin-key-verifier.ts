import { type Clock, type OrganizationId, type UserId, WeirError } from '@weir/kernel';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { type EntityManager } from 'typeorm';
import { hashKey, looksMistyped, parseKey, SECRET_HASH_BYTES } from './key-format';
import { type Role } from './user.entity';

/** Who acts on the control plane. */
export interface AdminIdentity {
  readonly userId: UserId;
  readonly username: string;
  readonly role: Role;
  /** Null for an owner, who belongs to the installation. */
  readonly organizationId: OrganizationId | null;
  /** May be logged. */
  readonly keyPublicId: string;
}

interface AdminKeyRow {
  readonly secret_hash: Buffer;
  readonly expires_at_ms: number | null;
  readonly revoked: boolean;
  readonly user_id: UserId;
  readonly username: string;
  readonly role: Role;
  readonly user_enabled: boolean;
  readonly organization_id: OrganizationId | null;
  readonly organization_enabled: boolean;
}

interface Verified {
  readonly identity: AdminIdentity;
  readonly expiresAtMs: number | null;
  readonly readAtMs: number;
}

/** How long a revocation may go unnoticed. A console asks for ten things at once: they share one look-up. */
const FRESH_MS = 1000;
const MOST_VERIFIED = 1000;
const DUMMY_HASH = randomBytes(SECRET_HASH_BYTES);

const SELECT_KEY = `
  SELECT k.secret_hash, (extract(epoch FROM k.expires_at) * 1000)::float8 AS expires_at_ms, k.revoked_at IS NOT NULL AS revoked,
    u.id AS user_id, u.username, u.role, u.enabled AS user_enabled, u.organization_id,
    o.id IS NULL OR o.enabled AS organization_enabled
  FROM admin_keys k JOIN users u ON u.id = k.user_id LEFT JOIN organizations o ON o.id = u.organization_id
  WHERE k.public_id = $1`;

/** Checks admin keys against PostgreSQL, and remembers those that were right for a second. */
export class AdminKeyVerifier {
  /** By the key's hash, so that no key stays in memory. Wrong keys are not remembered: they would fill it. */
  private readonly verified = new Map<string, Verified>();

  constructor(
    private readonly manager: EntityManager,
    private readonly clock: Clock,
  ) {}

  async verify(presented: string): Promise<AdminIdentity> {
    const parsed = parseKey(presented);
    if (parsed === null) {
      throw looksMistyped(presented) ? refusal('The API key is mistyped: its checksum does not match.') : refusal();
    }
    if (parsed.kind === 'proxy') throw refusal('This is a proxy key. The admin API needs an admin key.');
    const hash = hashKey(presented);
    const mark = hash.toString('base64');
    const known = this.verified.get(mark);
    if (known !== undefined && this.clock.monotonicMs() - known.readAtMs < FRESH_MS) {
      refuseExpired(known.expiresAtMs, this.clock.nowMs());
      return known.identity;
    }
    this.verified.delete(mark);
    // Taken before the read: the answer is as old as the question.
    const readAtMs = this.clock.monotonicMs();
    const row = await this.readKey(parsed.publicId);
    // An unknown public id costs the same comparison.
    const matches = timingSafeEqual(row === null ? DUMMY_HASH : row.secret_hash, hash);
    if (row === null || !matches) throw refusal();
    refuseUnusable(row, this.clock.nowMs());
    const identity = toIdentity(row, parsed.publicId);
    if (this.verified.size >= MOST_VERIFIED) this.verified.clear();
    this.verified.set(mark, { identity, expiresAtMs: row.expires_at_ms, readAtMs });
    return identity;
  }

  private async readKey(publicId: string): Promise<AdminKeyRow | null> {
    try {
      const rows = await this.manager.query<AdminKeyRow[]>(SELECT_KEY, [publicId]);
      return rows.length === 0 ? null : rows[0];
    } catch (cause) {
      throw new WeirError('database_unavailable', { cause });
    }
  }
}

/** Only for a row whose secret was presented. */
function refuseUnusable(row: AdminKeyRow, nowMs: number): void {
  if (row.revoked) throw refusal('The API key has been revoked.');
  refuseExpired(row.expires_at_ms, nowMs);
  if (!row.user_enabled) throw new WeirError('permission_denied', { message: "The key's user is disabled." });
  if (!row.organization_enabled) throw new WeirError('permission_denied', { message: "The user's organization is disabled." });
}

function refuseExpired(expiresAtMs: number | null, nowMs: number): void {
  if (expiresAtMs !== null && nowMs >= expiresAtMs) throw new WeirError('key_expired');
}

function toIdentity(row: AdminKeyRow, keyPublicId: string): AdminIdentity {
  return { userId: row.user_id, username: row.username, role: row.role, organizationId: row.organization_id, keyPublicId };
}

function refusal(message?: string): WeirError {
  return new WeirError('invalid_api_key', { message });
}
