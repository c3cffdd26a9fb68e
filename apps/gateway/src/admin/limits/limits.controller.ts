import { Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { type ProxyKeyEntity, readStoredKeyLimits } from '@weir/access';
import { Limiter, toLimitPlan } from '@weir/limits';
import { type Configuration, CONFIGURATION } from '@weir/platform';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { Keys } from '../keys/keys';
import { type Page, PageOf, readPage } from '../paging/page';
import { KeyUseView, LimitsQuery, toKeyUseView } from './limits.dto';

/** What each key has used of its limits at this moment. Reading it takes nothing. */
@AdminController('limits')
export class LimitsController {
  constructor(
    private readonly keys: Keys,
    private readonly limiter: Limiter,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'defaultRpm' | 'defaultRpd'>,
  ) {}

  @Get()
  @Permits('limits.read')
  @ApiOkResponse({ type: PageOf(KeyUseView) })
  async list(@Principal() principal: AdminPrincipal, @Query() query: LimitsQuery): Promise<Page<KeyUseView>> {
    const rows = this.keys.select(principal, query).andWhere('key.revokedAt IS NULL');
    if (query.key_id !== undefined) rows.andWhere('key.id = :keyId', { keyId: query.key_id });
    const page = await readPage(rows, query, (key) => key);
    return { ...page, data: await Promise.all(page.data.map((key) => this.peek(key))) };
  }

  private async peek(key: ProxyKeyEntity): Promise<KeyUseView> {
    const { defaultRpm, defaultRpd } = this.configuration;
    const limits = readStoredKeyLimits(key.limits);
    const plan = toLimitPlan({ organizationId: key.organizationId, keyId: key.id, ...limits, defaultRpm, defaultRpd });
    const { windows } = await this.limiter.peek(plan);
    return toKeyUseView(key, windows);
  }
}
