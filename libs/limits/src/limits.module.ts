import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Limiter, type LimiterOptions } from './limiter';
import { LimiterThrottlerStorage } from './limiter-throttler-storage';

/** Hands out the Limiter and the throttler's storage, and ends the heartbeat when the application ends. */
@Module({})
export class LimitsModule implements OnApplicationShutdown {
  constructor(@Inject(Limiter) private readonly limiter: Limiter) {}

  static forRoot(options: LimiterOptions): DynamicModule {
    return {
      module: LimitsModule,
      global: true,
      providers: [
        { provide: Limiter, useFactory: () => new Limiter(options) },
        {
          provide: LimiterThrottlerStorage,
          inject: [Limiter],
          useFactory: (limiter: Limiter) =>
            new LimiterThrottlerStorage({ redisStore: limiter.redisStore, clock: options.clock }),
        },
      ],
      exports: [Limiter, LimiterThrottlerStorage],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.limiter.close();
  }
}
