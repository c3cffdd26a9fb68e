import { type Configuration, hasKnownPassword } from '@weir/platform';

/** A warning for each server whose password everybody tries first. The start goes on: the server may be a test's. */
export function toKnownPasswordWarnings({ database, redis }: Pick<Configuration, 'database' | 'redis'>): string[] {
  const servers = [
    { variable: 'DATABASE_URL or POSTGRES_PASSWORD', address: database.kind === 'url' ? database.url : null },
    { variable: 'REDIS_URL or REDIS_PASSWORD', address: redis?.url ?? null },
  ];
  return servers
    .filter(({ address }) => address !== null && hasKnownPassword(address))
    .map(({ variable }) => `${variable}: the password is one that everybody tries first; make another one with openssl rand -hex 32`);
}
