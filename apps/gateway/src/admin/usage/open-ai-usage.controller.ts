import { applyDecorators, Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiCookieAuth, ApiOkResponse, ApiQuery, ApiTags } from '@nestjs/swagger';
import { type Clock, NANOS_PER_USD } from '@weir/kernel';
import { type LedgerFilter, LedgerReader } from '@weir/ledger';
import { CLOCK } from '@weir/platform';
import { ADMIN_GUARDS } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { toScope } from '../access/scope';
import { COSTS_RULES, OPEN_AI_SUMS, OPEN_AI_USAGE_KINDS, type OpenAiUsageKind, toGroupFields, toUsageRules } from './open-ai-usage-kinds';
import { type OpenAiUsagePage, toBucketFilter, toBucketTimes, toOpenAiUsagePage, toUsageGroups } from './open-ai-usage-page';
import { type OpenAiUsageQuery, parseOpenAiUsageQuery } from './open-ai-usage-query';
import { OpenAiUsagePageView } from './open-ai-usage.dto';

type RawQuery = Readonly<Record<string, unknown>>;

/** The words of all these queries. They are checked by hand: OpenAI's clients write lists with brackets. */
function DescribesQuery(widths: readonly string[], names: string): MethodDecorator {
  const list = (name: string, description?: string): MethodDecorator => ApiQuery({ name: `${name}[]`, required: false, isArray: true, type: String, description });
  return applyDecorators(
    ApiQuery({ name: 'start_time', type: 'integer', description: 'In seconds since 1970; included.' }),
    ApiQuery({ name: 'end_time', required: false, type: 'integer', description: 'Not included; now when not given.' }),
    ApiQuery({ name: 'bucket_width', required: false, enum: [...widths] }),
    list('group_by'),
    list('project_ids'),
    list('api_key_ids'),
    list(names),
    ApiQuery({ name: 'organization_id', required: false, type: String, description: 'Not of OpenAI: which organization; for owners, all of them when not given.' }),
    ApiQuery({ name: 'limit', required: false, type: 'integer', description: 'Buckets an answer.' }),
    ApiQuery({ name: 'page', required: false, type: String, description: 'The `next_page` of the answer before.' }),
    ApiOkResponse({ type: OpenAiUsagePageView }),
  );
}

const WIDTHS = ['1m', '1h', '1d'];

/** What was used and what it cost, as OpenAI's own API says it: their dashboards and clients work. */
@Controller('v1/organization')
@UseGuards(...ADMIN_GUARDS)
@ApiTags('organization')
@ApiBearerAuth('admin_key')
@ApiCookieAuth('session')
export class OpenAiUsageController {
  constructor(
    private readonly ledger: LedgerReader,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('usage/completions')
  @Permits('usage.read')
  @DescribesQuery(WIDTHS, 'models')
  completions(@Principal() principal: AdminPrincipal, @Query() query: RawQuery): Promise<OpenAiUsagePage> {
    return this.sumUsage(principal, query, OPEN_AI_USAGE_KINDS.completions);
  }

  @Get('usage/embeddings')
  @Permits('usage.read')
  @DescribesQuery(WIDTHS, 'models')
  embeddings(@Principal() principal: AdminPrincipal, @Query() query: RawQuery): Promise<OpenAiUsagePage> {
    return this.sumUsage(principal, query, OPEN_AI_USAGE_KINDS.embeddings);
  }

  @Get('usage/moderations')
  @Permits('usage.read')
  @DescribesQuery(WIDTHS, 'models')
  moderations(@Principal() principal: AdminPrincipal, @Query() query: RawQuery): Promise<OpenAiUsagePage> {
    return this.sumUsage(principal, query, OPEN_AI_USAGE_KINDS.moderations);
  }

  @Get('usage/images')
  @Permits('usage.read')
  @DescribesQuery(WIDTHS, 'models')
  images(@Principal() principal: AdminPrincipal, @Query() query: RawQuery): Promise<OpenAiUsagePage> {
    return this.sumUsage(principal, query, OPEN_AI_USAGE_KINDS.images);
  }

  @Get('usage/audio_speeches')
  @Permits('usage.read')
  @DescribesQuery(WIDTHS, 'models')
  audioSpeeches(@Principal() principal: AdminPrincipal, @Query() query: RawQuery): Promise<OpenAiUsagePage> {
    return this.sumUsage(principal, query, OPEN_AI_USAGE_KINDS.audio_speeches);
  }

  @Get('usage/audio_transcriptions')
  @Permits('usage.read')
  @DescribesQuery(WIDTHS, 'models')
  audioTranscriptions(@Principal() principal: AdminPrincipal, @Query() query: RawQuery): Promise<OpenAiUsagePage> {
    return this.sumUsage(principal, query, OPEN_AI_USAGE_KINDS.audio_transcriptions);
  }

  @Get('costs')
  @Permits('usage.read')
  @DescribesQuery(['1d'], 'line_items')
  async costs(@Principal() principal: AdminPrincipal, @Query() raw: RawQuery): Promise<OpenAiUsagePage> {
    const query = parseOpenAiUsageQuery(raw, COSTS_RULES, this.clock.nowMs());
    const times = toBucketTimes(query);
    const filter = confine(principal, query, toBucketFilter(query, times));
    const groups = toUsageGroups(query.groups);
    const sums = filter === null ? [] : await this.ledger.sumBuckets(filter, { bucket: query.bucket, groups, sums: ['cost_nanos'] });
    return toOpenAiUsagePage(query, times, sums, (sum) => ({
      object: 'organization.costs.result',
      amount: { value: sum.sums.cost_nanos / NANOS_PER_USD, currency: 'usd' },
      ...toGroupFields(COSTS_RULES.groups, query.groups, sum.groups),
    }));
  }

  private async sumUsage(principal: AdminPrincipal, raw: RawQuery, kind: OpenAiUsageKind): Promise<OpenAiUsagePage> {
    const query = parseOpenAiUsageQuery(raw, toUsageRules(kind), this.clock.nowMs());
    const times = toBucketTimes(query);
    const filter = confine(principal, query, toBucketFilter(query, times));
    const groups = toUsageGroups(query.groups);
    const sums =
      filter === null ? [] : await this.ledger.sumBuckets({ ...filter, operation: kind.operations }, { bucket: query.bucket, groups, sums: OPEN_AI_SUMS });
    return toOpenAiUsagePage(query, times, sums, (sum) => ({ ...kind.toResult(sum.sums), ...toGroupFields(kind.groups, query.groups, sum.groups) }));
  }
}

/** Null when another organization was named: to somebody confined to one, nobody else has used anything. */
function confine(principal: AdminPrincipal, { organizationId }: OpenAiUsageQuery, filter: LedgerFilter | null): LedgerFilter | null {
  const scope = toScope(principal);
  if (filter === null || (scope !== null && organizationId !== undefined && organizationId !== scope)) return null;
  return { ...filter, organizationId: scope ?? organizationId };
}
