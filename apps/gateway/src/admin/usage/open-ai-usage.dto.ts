import { ApiProperty } from '@nestjs/swagger';

/** OpenAI's shapes: each result says in `object` which of them it is. */
export class OpenAiUsageBucketView {
  @ApiProperty({ enum: ['bucket'] })
  object: 'bucket';

  @ApiProperty({ type: 'integer', description: 'In seconds since 1970.' })
  start_time: number;

  @ApiProperty({ type: 'integer' })
  end_time: number;

  @ApiProperty({
    type: 'array',
    items: { type: 'object', additionalProperties: true },
    description: 'As in OpenAI’s API; none where nothing was used.',
  })
  results: Readonly<Record<string, unknown>>[];
}

export class OpenAiUsagePageView {
  @ApiProperty({ enum: ['page'] })
  object: 'page';

  @ApiProperty({ type: [OpenAiUsageBucketView] })
  data: OpenAiUsageBucketView[];

  @ApiProperty({ type: Boolean })
  has_more: boolean;

  @ApiProperty({ type: String, nullable: true, description: 'Hand it back as `page` for the buckets that follow.' })
  next_page: string | null;
}
