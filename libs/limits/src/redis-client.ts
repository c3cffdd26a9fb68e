import { type Cluster, type Redis } from 'ioredis';

/** What connectRedis of the platform makes; the composition root owns it and closes it. */
export type RedisClient = Redis | Cluster;
