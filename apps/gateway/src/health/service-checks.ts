import { Inject, Injectable } from '@nestjs/common';
import { DATA_SOURCE, REDIS } from '@weir/platform';
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { answersInTime } from './answers-in-time';

/** A probe must not wait for what is away. */
const CHECK_TIMEOUT_MS = 1_000;

export type ServiceStatus = 'healthy' | 'unhealthy';

export interface ServiceHealth {
  readonly database: ServiceStatus;
  readonly redis: ServiceStatus | 'not_configured';
}

/** Whether what this process stands on answers now. */
@Injectable()
export class ServiceChecks {
  private running: Promise<ServiceHealth> | null = null;

  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(REDIS) private readonly redis: Redis | null,
  ) {}

  /** Probes that come at once share one check: anybody may ask, and a flood must not reach the database. */
  check(): Promise<ServiceHealth> {
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  private async run(): Promise<ServiceHealth> {
    const { redis } = this;
    const [database, redisAnswers] = await Promise.all([
      answersInTime(() => this.dataSource.query('SELECT 1'), CHECK_TIMEOUT_MS),
      redis === null ? null : answersInTime(() => redis.ping(), CHECK_TIMEOUT_MS),
    ]);
    return { database: toStatus(database), redis: redisAnswers === null ? 'not_configured' : toStatus(redisAnswers) };
  }
}

function toStatus(answers: boolean): ServiceStatus {
  return answers ? 'healthy' : 'unhealthy';
}
