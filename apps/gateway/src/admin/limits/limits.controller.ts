import { Get, Inject, Query } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { readStoredBudgets } from '@weir/access';
import { type Clock, readStoredScopeLimits, type ScopeLimits } from '@weir/kernel';
import { type LimitPlan, Meter } from '@weir/limits';
import { CLOCK, type Configuration, CONFIGURATION, DATA_SOURCE } from '@weir/platform';
import { DataSource } from 'typeorm';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { Keys } from '../keys/keys';
import { type Page, PageOf } from '../paging/page';
import { LimitsQuery, ScopeUseView } from './limits.dto';
import { type LimitedSubject, readLimitedSubjects } from './read-limited-subjects';
import { toScopePlan } from './to-scope-plan';
import { toScopeUse } from './to-scope-use';

/** So many are asked for side by side: a page must not take every connection to the database while budgets are counted from the ledger. */
const SIDE_BY_SIDE = 10;

/** What each key, project, organization or model has used of its limits and budgets at this moment. Reading it takes nothing. */
@AdminController('limits')
export class LimitsController {
  constructor(
    private readonly keys: Keys,
    private readonly meter: Meter,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'defaultRpm' | 'defaultRpd'>,
  ) {}

  @Get()
  @Permits('limits.read')
  @ApiOkResponse({ type: PageOf(ScopeUseView) })
  async list(@Principal() principal: AdminPrincipal, @Query() query: LimitsQuery): Promise<Page<ScopeUseView>> {
    const page = await readLimitedSubjects(this.dataSource, this.keys, principal, query);
    const data: ScopeUseView[] = [];
    for (let start = 0; start < page.data.length; start += SIDE_BY_SIDE) {
      const some = page.data.slice(start, start + SIDE_BY_SIDE);
      data.push(...(await Promise.all(some.map((subject) => this.look(subject)))));
    }
    return { ...page, data };
  }

  private async look(subject: LimitedSubject): Promise<ScopeUseView> {
    const { scope, id, name, organizationId, projectId } = subject;
    const plan = this.findPlan(subject);
    const use = plan === null ? { limits: null, budgets: null } : toScopeUse(scope, plan, await this.meter.use(plan));
    return { object: 'limit_use', scope, id, name, organization_id: organizationId, project_id: projectId, ...use };
  }

  /** Null when what is stored cannot be read. */
  private findPlan({ scope, id, organizationId, limits, budgets }: LimitedSubject): LimitPlan | null {
    try {
      const stored = readStoredScopeLimits(limits);
      const rules = { organizationId, scope, subject: id, limits: scope === 'key' ? this.withDefaults(stored) : stored, budgets: readStoredBudgets(budgets) };
      return toScopePlan(rules, this.clock.nowMs());
    } catch {
      return null;
    }
  }

  private withDefaults(limits: ScopeLimits): ScopeLimits {
    const { defaultRpm, defaultRpd } = this.configuration;
    return { ...limits, requestsPerMinute: limits.requestsPerMinute ?? defaultRpm, requestsPerDay: limits.requestsPerDay ?? defaultRpd };
  }
}
