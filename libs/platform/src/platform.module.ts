import { type DynamicModule, Module } from '@nestjs/common';
import { type Clock } from '@weir/kernel';
import { type Redis } from 'ioredis';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { type Configuration } from './configuration';
import { Metrics } from './metrics/metrics';
import { CLOCK, CONFIGURATION, DATA_SOURCE, LOGGER, REDIS } from './tokens';

/** What the composition root has made before there is a Nest application. */
export interface PlatformParts {
  configuration: Configuration;
  clock: Clock;
  logger: Logger;
  dataSource: DataSource;
  redis: Redis | null;
  metrics: Metrics;
}

/** Hands the platform's parts to every other module. Whoever made them also closes them. */
@Module({})
export class PlatformModule {
  static forRoot(parts: PlatformParts): DynamicModule {
    const providers = [
      { provide: CONFIGURATION, useValue: parts.configuration },
      { provide: CLOCK, useValue: parts.clock },
      { provide: LOGGER, useValue: parts.logger },
      { provide: DATA_SOURCE, useValue: parts.dataSource },
      { provide: REDIS, useValue: parts.redis },
      { provide: Metrics, useValue: parts.metrics },
    ];
    return { module: PlatformModule, global: true, providers, exports: providers.map(({ provide }) => provide) };
  }
}
