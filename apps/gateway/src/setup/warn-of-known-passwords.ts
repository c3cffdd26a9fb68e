import { type Configuration, hasKnownPassword, type WeirLogger } from '@weir/platform';

/** A line in the log for each server whose password everybody tries first. The start goes on: the server may be a test's. */
export function warnOfKnownPasswords({ database, redis }: Configuration, logger: Pick<WeirLogger, 'warn'>): void {
  const servers = [
    { variable: 'DATABASE_URL or POSTGRES_PASSWORD', address: database.kind === 'url' ? database.url : null },
    { variable: 'REDIS_URL or REDIS_PASSWORD', address: redis?.url ?? null },
  ];
  for (const { variable, address } of servers) {
    if (address === null || !hasKnownPassword(address)) continue;
    logger.warn({}, `${variable}: the password is one that everybody tries first; make another one with openssl rand -hex 32`);
  }
}
