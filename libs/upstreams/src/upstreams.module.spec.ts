import { Test } from '@nestjs/testing';
import { Module } from '@nestjs/common';
import { systemClock } from '@weir/kernel';
import { CLOCK, DATA_SOURCE, LOGGER } from '@weir/platform';
import { PoolRefresher } from './pool-refresher';
import { UpstreamPool } from './upstream-pool';
import { UpstreamTransport } from './upstream-transport';
import { UpstreamsModule } from './upstreams.module';

@Module({})
class Parts {}

describe('UpstreamsModule', () => {
  it('hands out one pool, one transport and the refresher, and closes them with the application', async () => {
    const providers = [
      { provide: CLOCK, useValue: systemClock },
      { provide: LOGGER, useValue: { warn: () => undefined } },
      { provide: DATA_SOURCE, useValue: {} },
    ];
    const parts = { module: Parts, global: true, providers, exports: [CLOCK, LOGGER, DATA_SOURCE] };
    const options = { openKeys: async () => [], sink: { keyChanged: () => undefined } };
    const application = await Test.createTestingModule({ imports: [parts, UpstreamsModule.forRoot(options)] }).compile();
    await application.init();
    const pool = application.get(UpstreamPool);
    const transport = application.get(UpstreamTransport);
    expect(application.get(PoolRefresher)).toBeInstanceOf(PoolRefresher);
    expect(pool.modelNames()).toEqual([]);
    await application.close();
    const error = await new Promise<Error>((resolve) => {
      transport.dispatch('http://127.0.0.1:1', 'GET', '/', [], null, 1_000, 1_000, { onResponseError: (_controller, raised) => resolve(raised) });
    });
    expect(error).toMatchObject({ code: 'UND_ERR_CLOSED' });
  });
});
