import { type BeforeApplicationShutdown, type DynamicModule, Inject, Module, type ModuleMetadata, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { CLOCK, DATA_SOURCE, LOGGER } from '@weir/platform';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { HealthProber } from './health-prober';
import { type PoolStateSink } from './pool-contract';
import { type PoolJoints } from './pool-joints';
import { PoolRefresher } from './pool-refresher';
import { type OpenKeys, SnapshotLoader } from './snapshot-loader';
import { UpstreamPool } from './upstream-pool';
import { UpstreamTransport, type UpstreamTransportOptions } from './upstream-transport';

export interface UpstreamsModuleOptions extends Partial<PoolJoints> {
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
export class UpstreamsModule implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    @Inject(UpstreamPool) private readonly pool: UpstreamPool,
    @Inject(UpstreamTransport) private readonly transport: UpstreamTransport,
    @Inject(HealthProber) private readonly prober: HealthProber,
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
          useFactory: ({ openKeys: _, transport: __, ...options }: UpstreamsModuleOptions, clock: Clock) => new UpstreamPool({ ...options, clock }),
        },
        {
          provide: UpstreamTransport,
          inject: [OPTIONS],
          useFactory: ({ transport }: UpstreamsModuleOptions) => new UpstreamTransport(transport),
        },
        {
          provide: HealthProber,
          inject: [UpstreamPool, UpstreamTransport, CLOCK],
          useFactory: (pool: UpstreamPool, transport: UpstreamTransport, clock: Clock) => new HealthProber({ pool, transport, clock }),
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

  onApplicationBootstrap(): void {
    this.prober.start();
  }

  beforeApplicationShutdown(): void {
    this.prober.stop();
  }

  /** By now the data plane has drained: what is still open has had its time. */
  async onApplicationShutdown(): Promise<void> {
    this.prober.stop();
    this.pool.close();
    await this.transport.destroy();
  }
}
