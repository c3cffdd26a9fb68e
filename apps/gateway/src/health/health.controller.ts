import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { type Clock } from '@weir/kernel';
import { CLOCK } from '@weir/platform';
import { UpstreamPool } from '@weir/upstreams';
import type { Request, Response } from 'express';
import { AdminAuthenticator } from '../admin/access/admin-authenticator';
import { Readiness } from './readiness';
import { ServiceChecks, type ServiceHealth, type ServiceStatus } from './service-checks';
import { type NamedUpstreamHealth, toNamedUpstreamHealth, toUpstreamHealth, type UpstreamHealth } from './to-upstream-health';
import { UpstreamLatencies } from './upstream-latencies';

export interface HealthView {
  readonly status: ServiceStatus;
  readonly timestamp: string;
  readonly services: ServiceHealth;
}

export interface AllHealthView {
  readonly status: 'healthy' | 'degraded' | 'unhealthy';
  readonly timestamp: string;
  readonly upstreams: readonly (UpstreamHealth | NamedUpstreamHealth)[];
}

/** What probes ask. None of it calls an upstream. */
@ApiExcludeController()
@Controller()
export class HealthController {
  constructor(
    private readonly checks: ServiceChecks,
    private readonly readiness: Readiness,
    private readonly pool: UpstreamPool,
    private readonly latencies: UpstreamLatencies,
    private readonly authenticator: AdminAuthenticator,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('health')
  async health(@Res({ passthrough: true }) response: Response): Promise<HealthView> {
    const services = await this.checks.check();
    const isHealthy = services.database === 'healthy' && services.redis !== 'unhealthy';
    response.status(isHealthy ? 200 : 503);
    return { status: isHealthy ? 'healthy' : 'unhealthy', timestamp: this.timestamp(), services };
  }

  /** That the process answers at all is the answer. */
  @Get(['health/liveliness', 'livez'])
  liveliness(): { status: 'alive' } {
    return { status: 'alive' };
  }

  @Get(['health/readiness', 'readyz'])
  ready(@Res({ passthrough: true }) response: Response): { status: string } {
    const status = this.readiness.state;
    if (status !== 'ready') {
      response.status(503);
      response.setHeader('retry-after', '1');
    }
    return { status };
  }

  /**
   * Every upstream as this process knows it. Anybody may see how many are well; names and
   * providers are shown to an owner of the installation alone.
   */
  @Get('health/all')
  async all(@Req() request: Request): Promise<AllHealthView> {
    const toView = (await this.isOwner(request)) ? toNamedUpstreamHealth : toUpstreamHealth;
    const upstreams = this.pool.describe().map((upstream) => toView(upstream, this.latencies.find(upstream.id)));
    return { status: toWorst(upstreams), timestamp: this.timestamp(), upstreams };
  }

  /** Whoever cannot be known, by a wrong key or because the database is away, gets the short form: a probe wants an answer. */
  private async isOwner(request: Request): Promise<boolean> {
    try {
      return (await this.authenticator.authenticate(request)).role === 'owner';
    } catch {
      return false;
    }
  }

  private timestamp(): string {
    return new Date(this.clock.nowMs()).toISOString();
  }
}

/** Of those that are switched on: all well, none well, or something between. */
function toWorst(upstreams: readonly UpstreamHealth[]): AllHealthView['status'] {
  const used = upstreams.filter(({ status }) => status !== 'disabled');
  if (used.every(({ status }) => status === 'healthy')) return 'healthy';
  return used.every(({ status }) => status === 'unhealthy') ? 'unhealthy' : 'degraded';
}
