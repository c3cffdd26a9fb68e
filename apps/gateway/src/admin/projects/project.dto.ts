import { ApiProperty } from '@nestjs/swagger';
import { type ProjectEntity } from '@weir/access';
import { Flag, Id, Name } from '../fields/fields';

const LONGEST_NAME = 200;

export class CreateProject {
  @Id({ optional: true, description: 'An owner must say it; for anybody else it is their own.' })
  organization_id?: string;

  @Name(LONGEST_NAME)
  name: string;

  @Flag({ optional: true, description: 'False stops every key of the project.' })
  enabled?: boolean;
}

export class UpdateProject {
  @Name(LONGEST_NAME, { optional: true })
  name?: string;

  @Flag({ optional: true, description: 'False stops every key of the project.' })
  enabled?: boolean;
}

export class ProjectView {
  @ApiProperty({ enum: ['project'] })
  object: 'project';

  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String, format: 'uuid' })
  organization_id: string;

  @ApiProperty({ type: String })
  name: string;

  @ApiProperty({ type: Boolean })
  enabled: boolean;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;

  @ApiProperty({ type: String, format: 'date-time' })
  updated_at: string;
}

export function toProjectView(project: ProjectEntity): ProjectView {
  return {
    object: 'project',
    id: project.id,
    organization_id: project.organizationId,
    name: project.name,
    enabled: project.enabled,
    created_at: project.createdAt.toISOString(),
    updated_at: project.updatedAt.toISOString(),
  };
}
