import { Inject, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { CLOCK, CONFIGURATION, type Configuration, DATA_SOURCE, LOGGER, Metrics } from '@weir/platform';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { LedgerReader } from './ledger-reader';
import { LedgerWriter } from './ledger-writer';
import { UsageRollups } from './rollups/usage-rollups';
import { UsageInserter } from './usage-inserter';
import { UsagePartitions } from './usage-partitions';

function toUrl({ options }: DataSource): string {
  if (options.type !== 'postgres' || options.url === undefined) throw new Error('the ledger needs a data source with a URL');
  return options.url;
}

/** What the ledger wants from the configuration. */
type LedgerConfiguration = Pick<Configuration, 'dataDirectory' | 'spoolMaxBytes' | 'spoolFsyncMs' | 'usageRetentionDays'>;

/**
 * The ledger over the platform's database. The writer is closed last, when the listeners are and
 * no request can append any more; whoever made the data source destroys it after that.
 */
@Module({
  providers: [
    { provide: LedgerReader, inject: [DATA_SOURCE], useFactory: (dataSource: DataSource) => new LedgerReader(dataSource) },
    {
      provide: LedgerWriter,
      inject: [CONFIGURATION, DATA_SOURCE, CLOCK, LOGGER, Metrics],
      useFactory: ({ dataDirectory, spoolMaxBytes, spoolFsyncMs }: LedgerConfiguration, dataSource: DataSource, clock: Clock, logger: Logger, metrics: Metrics) =>
        LedgerWriter.open({ inserter: new UsageInserter(toUrl(dataSource)), logger, metrics, clock, dataDirectory, spoolMaxBytes, spoolFsyncMs }),
    },
    {
      provide: UsageRollups,
      inject: [CONFIGURATION, DATA_SOURCE, CLOCK],
      useFactory: ({ usageRetentionDays }: LedgerConfiguration, dataSource: DataSource, clock: Clock) => new UsageRollups(dataSource, clock, usageRetentionDays),
    },
    {
      provide: UsagePartitions,
      inject: [CONFIGURATION, DATA_SOURCE, CLOCK, LOGGER],
      useFactory: ({ usageRetentionDays }: LedgerConfiguration, dataSource: DataSource, clock: Clock, logger: Logger) =>
        new UsagePartitions(dataSource, clock, logger, { retentionDays: usageRetentionDays }),
    },
  ],
  exports: [LedgerReader, LedgerWriter, UsageRollups, UsagePartitions],
})
export class LedgerModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(UsagePartitions) private readonly partitions: UsagePartitions,
    @Inject(LedgerWriter) private readonly writer: LedgerWriter,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.partitions.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.partitions.stop();
    await this.writer.close();
  }
}
