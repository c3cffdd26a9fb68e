import { ApiProperty } from '@nestjs/swagger';
import { type OrganizationEntity } from '@weir/access';
import { Flag, Name } from '../fields/fields';

const LONGEST_NAME = 200;

export class CreateOrganization {
  @Name(LONGEST_NAME)
  name: string;

  @Flag({ optional: true, description: 'False stops every key of the organization.' })
  enabled?: boolean;
}

export class UpdateOrganization {
  @Name(LONGEST_NAME, { optional: true })
  name?: string;

  @Flag({ optional: true, description: 'False stops every key of the organization.' })
  enabled?: boolean;
}

export class OrganizationView {
  @ApiProperty({ enum: ['organization'] })
  object: 'organization';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String })
  name: string;

  @ApiProperty({ type: Boolean })
  enabled: boolean;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at: string;
}

export function toOrganizationView(organization: OrganizationEntity): OrganizationView {
  return {
    object: 'organization',
    id: organization.id,
    name: organization.name,
    enabled: organization.enabled,
    created_at: organization.createdAt.toISOString(),
    updated_at: organization.updatedAt.toISOString(),
  };
}
