import { ApiProperty } from '@nestjs/swagger';

/** What DELETE answers. */
export class DeletedView {
  @ApiProperty({ type: String, format: 'uuid' })
  id: string;

  @ApiProperty({ type: String })
  object: string;

  @ApiProperty({ enum: [true] })
  deleted: true;
}

export function toDeletedView(object: string, id: string): DeletedView {
  return { id, object, deleted: true };
}
