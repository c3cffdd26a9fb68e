import { ApiProperty } from '@nestjs/swagger';
import { type ProxyKeyEntity } from '@weir/access';
import { type WindowState } from '@weir/limits';
import { Id } from '../fields/fields';
import { KeyQuery } from '../keys/key.dto';

export class LimitsQuery extends KeyQuery {
  @Id({ optional: true })
  key_id?: string;
}

export class WindowView {
  @ApiProperty({ type: String, description: '`requests_per_minute`, `requests_per_day`' })
  name: string;

  @ApiProperty({ type: 'integer' })
  limit: number;

  @ApiProperty({ type: 'integer' })
  used: number;

  @ApiProperty({ type: 'integer' })
  remaining: number;

  @ApiProperty({ type: 'integer', description: 'How long until the window is free again.' })
  reset_ms: number;
}

export class KeyUseView {
  @ApiProperty({ enum: ['key_use'] })
  object: 'key_use';

  @ApiProperty({ type: String, format: 'uuid' })
  key_id: string;

  @ApiProperty({ type: String })
  name: string;

  @ApiProperty({ type: String, format: 'uuid' })
  organization_id: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  project_id: string | null;

  @ApiProperty({ type: [WindowView], description: 'Empty for a key without limits.' })
  windows: WindowView[];
}

export function toKeyUseView(key: ProxyKeyEntity, windows: readonly WindowState[]): KeyUseView {
  return {
    object: 'key_use',
    key_id: key.id,
    name: key.name,
    organization_id: key.organizationId,
    project_id: key.projectId,
    windows: windows.map((state) => ({
      name: state.window.name,
      limit: state.window.limit,
      used: state.used,
      remaining: state.remaining,
      reset_ms: Number.isFinite(state.resetMs) ? Math.ceil(state.resetMs) : state.window.windowMs,
    })),
  };
}
