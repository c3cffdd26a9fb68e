import { type DynamicModule, Module } from '@nestjs/common';
import { ConfigModule, registerAs } from '@nestjs/config';
import { type Clock } from '@weir/kernel';
import { type Redis } from 'ioredis';
import { type Logger } from 'pino';
import { type DataSource } from 'typeorm';
import { type Configuration } from './configuration';
import { Metrics } from './metrics/metrics';
import { CLOCK, CONFIGURATION_NAMESPACE, DATA_SOURCE, LOGGER, REDIS } from './tokens';

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
      { provide: CLOCK, useValue: parts.clock },
      { provide: LOGGER, useValue: parts.logger },
      { provide: DATA_SOURCE, useValue: parts.dataSource },
      { provide: REDIS, useValue: parts.redis },
      { provide: Metrics, useValue: parts.metrics },
    ];
    // The environment was read and checked before there was a Nest application, because the database
    // is opened by it: Nest is told what came of it, and reads nothing itself.
    const configuration = ConfigModule.forRoot({
      isGlobal: true,
      cache: true,
      ignoreEnvFile: true,
      skipProcessEnv: true,
      load: [registerAs(CONFIGURATION_NAMESPACE, () => parts.configuration)],
    });
    return { module: PlatformModule, global: true, imports: [configuration], providers, exports: providers.map(({ provide }) => provide) };
  }
}
