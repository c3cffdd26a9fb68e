import { ApiProperty } from '@nestjs/swagger';
import { type AdminKeyEntity, type Role, ROLES, type UserEntity } from '@weir/access';
import { Email, Flag, Id, Name, OneOf, Timestamp } from '../fields/fields';

const LONGEST_NAME = 200;

export class CreateUser {
  @Id({ optional: true, nullable: true, description: 'Null for an owner. Anybody else belongs to one organization.' })
  organization_id?: string | null;

  @Name(LONGEST_NAME)
  username: string;

  @Email({ optional: true, nullable: true })
  email?: string | null;

  @OneOf(ROLES)
  role: Role;

  @Flag({ optional: true })
  enabled?: boolean;
}

export class UpdateUser {
  @Id({ optional: true, nullable: true, description: 'Changes together with the role: null for an owner.' })
  organization_id?: string | null;

  @Name(LONGEST_NAME, { optional: true })
  username?: string;

  @Email({ optional: true, nullable: true })
  email?: string | null;

  @OneOf(ROLES, { optional: true })
  role?: Role;

  @Flag({ optional: true, description: 'False ends the user’s keys and sessions within a second.' })
  enabled?: boolean;
}

export class CreateAdminKey {
  @Timestamp({ optional: true, nullable: true })
  expires_at?: string | null;
}

export class UserView {
  @ApiProperty({ enum: ['user'] })
  object: 'user';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  organization_id: string | null;

  @ApiProperty({ type: String })
  username: string;

  @ApiProperty({ type: String, nullable: true })
  email: string | null;

  @ApiProperty({ enum: [...ROLES] })
  role: Role;

  @ApiProperty({ type: Boolean })
  enabled: boolean;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at: string;
}

export class AdminKeyView {
  @ApiProperty({ enum: ['admin_key'] })
  object: 'admin_key';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, format: 'uuid' })
  user_id: string;

  @ApiProperty({ type: String, description: 'The part of the key that may be shown and logged.' })
  public_id: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  expires_at: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  revoked_at: string | null;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;
}

export class IssuedAdminKeyView extends AdminKeyView {
  @ApiProperty({ type: String, description: 'The key itself: shown this once, kept nowhere.' })
  key: string;
}

export function toUserView(user: UserEntity): UserView {
  return {
    object: 'user',
    id: user.id,
    organization_id: user.organizationId,
    username: user.username,
    email: user.email,
    role: user.role,
    enabled: user.enabled,
    created_at: user.createdAt.toISOString(),
    updated_at: user.updatedAt.toISOString(),
  };
}

export function toAdminKeyView(key: AdminKeyEntity): AdminKeyView {
  return {
    object: 'admin_key',
    id: key.id,
    user_id: key.userId,
    public_id: key.publicId,
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    created_at: key.createdAt.toISOString(),
  };
}
