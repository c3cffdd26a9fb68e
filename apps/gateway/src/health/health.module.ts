import { type DynamicModule, Module } from '@nestjs/common';
import { HealthController } from './health.controller';
import { Readiness } from './readiness';
import { ServiceChecks } from './service-checks';
import { UpstreamLatencies } from './upstream-latencies';

export interface HealthModuleOptions {
  /** The AdminModule, made once by `AdminModule.forRoot`: it knows who an owner is. */
  readonly adminModule: DynamicModule;
  readonly readiness: Readiness;
  /** The relay notes in it how long an upstream took. */
  readonly latencies: UpstreamLatencies;
}

/** The probes, for the data plane and the control plane alike. */
@Module({})
export class HealthModule {
  static forRoot({ adminModule, readiness, latencies }: HealthModuleOptions): DynamicModule {
    return {
      module: HealthModule,
      imports: [adminModule],
      controllers: [HealthController],
      providers: [
        ServiceChecks,
        { provide: Readiness, useValue: readiness },
        { provide: UpstreamLatencies, useValue: latencies },
      ],
    };
  }
}
