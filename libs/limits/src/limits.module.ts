import { type DynamicModule, Inject, type InjectionToken, Module, type ModuleMetadata, type OnApplicationShutdown } from '@nestjs/common';
import { LimiterThrottlerStorage } from './limiter-throttler-storage';
import { toRedisTimeoutMs } from './longest-admission';
import { Meter, type MeterOptions } from './meter';
import { type RedisClient } from './redis-client';
import { RedisSharedStore } from './redis-shared-store';

export interface LimitsModuleOptions extends Omit<MeterOptions, 'shared'> {
  /** Null: this is the only process, and the counters are its own. */
  readonly redis: RedisClient | null;
  /** Called right before admissions are sent to Redis, to write down what must be on record before a hold is made. False: they are not sent. */
  readonly beforeSend?: () => boolean;
  /** Told once a change, for the log and a metric. */
  readonly onAvailability?: (available: boolean, reason: string) => void;
}

export interface LimitsModuleAsyncOptions {
  readonly imports?: ModuleMetadata['imports'];
  readonly inject?: readonly InjectionToken[];
  readonly useFactory: (...parameters: never[]) => LimitsModuleOptions;
}

const OPTIONS = Symbol('LIMITS_OPTIONS');

/** Hands out the Meter and the throttler's storage, and ends the heartbeat when the application ends. */
@Module({})
export class LimitsModule implements OnApplicationShutdown {
  constructor(@Inject(Meter) private readonly meter: Meter) {}

  static forRoot(options: LimitsModuleOptions): DynamicModule {
    return LimitsModule.forRootAsync({ useFactory: () => options });
  }

  static forRootAsync({ imports = [], inject = [], useFactory }: LimitsModuleAsyncOptions): DynamicModule {
    return {
      module: LimitsModule,
      global: true,
      imports,
      providers: [
        { provide: OPTIONS, inject: [...inject], useFactory },
        { provide: Meter, inject: [OPTIONS], useFactory: openMeter },
        {
          provide: LimiterThrottlerStorage,
          inject: [Meter, OPTIONS],
          useFactory: ({ shared }: Meter, { clock }: LimitsModuleOptions) => new LimiterThrottlerStorage({ shared, clock }),
        },
      ],
      exports: [Meter, LimiterThrottlerStorage],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.meter.close();
  }
}

/** A meter on Redis, or, without one, in this process alone. Close it when done. */
export function openMeter({ redis, onAvailability, beforeSend, ...options }: LimitsModuleOptions): Meter {
  const { clock, longestAdmissionMs } = options;
  const shared = redis === null ? null : new RedisSharedStore({ redis, clock, timeoutMs: toRedisTimeoutMs(longestAdmissionMs), onAvailability, beforeSend });
  return new Meter({ ...options, shared });
}
