import { type DynamicModule, Inject, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DATA_SOURCE, LOGGER } from '@weir/platform';
import { type KeyRing } from '@weir/vault';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { Idempotency } from './idempotency';
import { IdempotencyStore } from './idempotency-store';

/** Without a heartbeat of 20 s for so long, the process that ran a request is taken for dead. */
const LEASE_MS = 60_000;
const RETENTION_MS = 24 * 3_600_000;

/** Needs PlatformModule. It is closed when the data plane has drained, and before the data source is. */
@Module({})
export class IdempotencyModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(@Inject(Idempotency) private readonly idempotency: Idempotency) {}

  static forRoot(ring: KeyRing, databaseTimeoutMs: number): DynamicModule {
    const idempotency = {
      provide: Idempotency,
      inject: [DATA_SOURCE, LOGGER],
      useFactory: (dataSource: DataSource, logger: Logger) =>
        new Idempotency({ store: new IdempotencyStore(dataSource, { leaseMs: LEASE_MS, retentionMs: RETENTION_MS }), ring, logger, databaseTimeoutMs }),
    };
    return { module: IdempotencyModule, providers: [idempotency], exports: [Idempotency] };
  }

  onApplicationBootstrap(): void {
    this.idempotency.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.idempotency.close();
  }
}
