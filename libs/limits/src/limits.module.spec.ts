import { systemClock } from '@weir/kernel';
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { type AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { createTestRedis } from '../../../test/support/redis';
import { waitFor } from '../../../test/support/wait-for';
import { LimiterThrottlerStorage } from './limiter-throttler-storage';
import { LimitsModule } from './limits.module';
import { Meter } from './meter';

@Controller()
class Door {
  @Get('door')
  open(): string {
    return 'open';
  }
}

@Module({
  imports: [
    LimitsModule.forRoot({ redis: null, clock: systemClock }),
    ThrottlerModule.forRootAsync({
      inject: [LimiterThrottlerStorage],
      useFactory: (storage: LimiterThrottlerStorage) => ({ throttlers: [{ ttl: 60_000, limit: 2 }], storage }),
    }),
  ],
  controllers: [Door],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
})
class House {}

describe('LimitsModule', () => {
  it("throttles through Nest's own guard, with times in seconds", async () => {
    const application: INestApplication = (await Test.createTestingModule({ imports: [House] }).compile()).createNestApplication();
    await application.listen(0, '127.0.0.1');
    try {
      const { port } = application.getHttpServer().address() as AddressInfo;
      const answers = [];
      for (let count = 0; count < 3; count++) answers.push(await fetch(`http://127.0.0.1:${port}/door`));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
      expect(answers[1].headers.get('x-ratelimit-remaining')).toBe('0');
      expect(Number(answers[2].headers.get('retry-after'))).toBeGreaterThanOrEqual(60);
      expect(Number(answers[2].headers.get('retry-after'))).toBeLessThanOrEqual(62);
    } finally {
      await application.close();
    }
  });

  it('signs this process off when the application ends, and leaves the connection to its owner', async () => {
    const server = await createTestRedis();
    const redis = new Redis(server.url);
    const application = await Test.createTestingModule({ imports: [LimitsModule.forRoot({ redis, clock: systemClock, longestAdmissionMs: 15_000 })] }).compile();
    try {
      expect(application.get(Meter).isShared).toBe(true);
      await waitFor(async () => (await redis.zcard('weir:processes')) === 1);
      await application.close();
      expect(await redis.zcard('weir:processes')).toBe(0);
    } finally {
      redis.disconnect();
      await server.close();
    }
  });
});
