import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { systemClock } from '@weir/kernel';
import { CLOCK, CONFIGURATION, createDataSource, DATA_SOURCE, LOGGER, Metrics } from '@weir/platform';
import { LedgerModule, LedgerReader, LedgerWriter } from '@weir/ledger';
import { createTestDatabase } from '../../../test/support/postgres';
import { toExampleRecord } from './example-record';
import { makeDataDirectory } from './example-writer';

describe('LedgerModule', () => {
  it('makes partitions when it starts, and has written every row when it has shut down', async () => {
    const database = await createTestDatabase();
    const dataSource = await createDataSource(database.url, 2, []).initialize();
    const directory = makeDataDirectory();
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const providers = [
      { provide: DATA_SOURCE, useValue: dataSource },
      { provide: CONFIGURATION, useValue: { dataDirectory: directory.path } },
      { provide: CLOCK, useValue: systemClock },
      { provide: LOGGER, useValue: silent },
      { provide: Metrics, useValue: new Metrics() },
    ];
    @Global()
    @Module({ providers, exports: providers.map(({ provide }) => provide) })
    class PlatformStandIn {}

    const application = await Test.createTestingModule({ imports: [PlatformStandIn, LedgerModule] }).compile();
    await application.init();
    const partitions = await database.query(`SELECT 1 FROM pg_inherits WHERE inhparent = 'usage_records'::regclass`);
    expect(partitions).toHaveLength(3);

    const record = toExampleRecord({ atMs: systemClock.nowMs() });
    const reader = application.get(LedgerReader);
    application.get(LedgerWriter).append(record);
    await application.close();
    const { items } = await reader.listRows({});
    expect(items.map((row) => row.requestId)).toEqual([record.requestId]);
    expect(readdirSync(join(directory.path, 'spool'))).toEqual([]);
    directory.remove();
    await dataSource.destroy();
    await database.drop();
  });
});
