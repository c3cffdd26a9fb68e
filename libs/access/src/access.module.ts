import { Module } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { CLOCK, DATA_SOURCE, LOGGER } from '@weir/platform';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { AccessSnapshot } from './access-snapshot';
import { AdminIdentities } from './admin-identities';
import { ProxyKeys } from './proxy-keys';

/** Needs PlatformModule. The composition root loads the snapshot and joins it to the change feed. */
@Module({
  providers: [
    {
      provide: AccessSnapshot,
      inject: [DATA_SOURCE, LOGGER],
      useFactory: (dataSource: DataSource, logger: Logger) =>
        new AccessSnapshot(dataSource.manager, (kind, objectId, error) => {
          logger.error({ kind, objectId, err: error }, 'a row cannot be read: its key, or its keys, do not work');
        }),
    },
    {
      provide: ProxyKeys,
      inject: [DATA_SOURCE, CLOCK],
      useFactory: (dataSource: DataSource, clock: Clock) => new ProxyKeys(dataSource.manager, clock),
    },
    {
      provide: AdminIdentities,
      inject: [DATA_SOURCE, CLOCK],
      useFactory: (dataSource: DataSource, clock: Clock) => new AdminIdentities(dataSource.manager, clock),
    },
  ],
  exports: [AccessSnapshot, ProxyKeys, AdminIdentities],
})
export class AccessModule {}
