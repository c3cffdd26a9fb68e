import { type DynamicModule, Inject, Module, type ModuleMetadata, type OnApplicationShutdown } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { CLOCK, DATA_SOURCE, LOGGER } from '@weir/platform';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { type PoolStateSink } from './pool-contract';
import { PoolRefresher } from './pool-refresher';
import { type OpenKeys, SnapshotLoader } from './snapshot-loader';
import { UpstreamPool } from './upstream-pool';
import { UpstreamTransport, type UpstreamTransportOptions } from './upstream-transport';

export interface UpstreamsModuleOptions {
  /** The vault's, handed in by the composition root. */
  openKeys: OpenKeys;
  sink: PoolStateSink;
  transport?: UpstreamTransportOptions;
}

export interface UpstreamsModuleAsyncOptions {
  imports?: ModuleMetadata['imports'];
  inject?: readonly (string | symbol | (abstract new (...parameters: never[]) => unknown))[];
  useFactory: (...parameters: never[]) => UpstreamsModuleOptions;
}

const OPTIONS = Symbol('UPSTREAMS_OPTIONS');

/** Needs PlatformModule. The composition root joins PoolRefresher.takeChanges to the change feed. */
@Module({})
export class UpstreamsModule implements OnApplicationShutdown {
  constructor(
    @Inject(UpstreamPool) private readonly pool: UpstreamPool,
    @Inject(UpstreamTransport) private readonly transport: UpstreamTransport,
  ) {}

  static forRoot(options: UpstreamsModuleOptions): DynamicModule {
    return UpstreamsModule.forRootAsync({ useFactory: () => options });
  }

  static forRootAsync({ imports = [], inject = [], useFactory }: UpstreamsModuleAsyncOptions): DynamicModule {
    return {
      module: UpstreamsModule,
      global: true,
      imports,
      providers: [
        { provide: OPTIONS, inject: [...inject], useFactory },
        {
          provide: UpstreamPool,
          inject: [OPTIONS, CLOCK],
          useFactory: ({ sink }: UpstreamsModuleOptions, clock: Clock) => new UpstreamPool({ sink, clock }),
        },
        {
          provide: UpstreamTransport,
          inject: [OPTIONS],
          useFactory: ({ transport }: UpstreamsModuleOptions) => new UpstreamTransport(transport),
        },
        {
          provide: PoolRefresher,
          inject: [OPTIONS, DATA_SOURCE, LOGGER, CLOCK, UpstreamPool],
          useFactory: ({ openKeys }: UpstreamsModuleOptions, dataSource: DataSource, logger: Logger, clock: Clock, pool: UpstreamPool) =>
            new PoolRefresher(new SnapshotLoader(dataSource, openKeys, logger), pool, clock),
        },
      ],
      exports: [UpstreamPool, UpstreamTransport, PoolRefresher],
    };
  }

  /** By now the data plane has drained: what is still open has had its time. */
  async onApplicationShutdown(): Promise<void> {
    this.pool.close();
    await this.transport.destroy();
  }
}
