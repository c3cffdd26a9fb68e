import { type Configuration, hasKnownPassword } from '@weir/platform';
import { type Finding, good, warning, wrong } from './finding';

const SHORTEST_PASSWORD = 16;
/** A key made at random has more; one typed in has fewer. */
const FEWEST_DIGITS = 8;

/** What can be seen in the settings alone. */
export function checkSettings(configuration: Configuration): Finding[] {
  return [
    ...checkEncryptionKeys(configuration.encryptionKeys),
    ...checkDatabaseUrl(configuration),
    ...checkRedisUrl(configuration),
    checkAddress('ADMIN_HOST', configuration.adminHost, 'the admin API'),
    checkAddress('METRICS_HOST', configuration.metricsHost, 'the metrics'),
    ...configuration.warnings.map((what) => warning(what, '.env.example explains every variable')),
  ];
}

function checkEncryptionKeys(ring: string | null): Finding[] {
  if (ring === null) return [good('the key ring is made by Weir itself, and kept in the data folder')];
  const weak = ring.split(',').map((entry) => entry.split(':')).filter(([, key]) => new Set(key).size < FEWEST_DIGITS);
  if (weak.length === 0) return [good('the encryption keys look random')];
  return weak.map(([id]) => wrong(`the encryption key ${id} is not random`, 'make another one with openssl rand -hex 32, put it first in ENCRYPTION_KEYS, and run npm run rotate-encryption-key'));
}

function checkDatabaseUrl({ database }: Configuration): Finding[] {
  if (database.kind === 'embedded') return [warning('the database is the embedded one', 'for more than one machine or process use a PostgreSQL of your own (DATABASE_URL)')];
  const url = new URL(database.url);
  const findings = [checkPassword('PostgreSQL', 'DATABASE_URL or POSTGRES_PASSWORD', url)];
  const mode = url.searchParams.get('sslmode');
  if (!isNear(url.hostname) && (mode === null || ['disable', 'allow', 'prefer'].includes(mode))) {
    findings.push(warning('the connection to PostgreSQL on another machine is not encrypted', 'add ?sslmode=verify-full to DATABASE_URL, unless the network between is yours alone'));
  }
  return findings;
}

function checkRedisUrl({ redis, workers }: Configuration): Finding[] {
  if (redis === null) return [warning('there is no Redis: limits are counted in this process alone', `set REDIS_URL before you start a second process${workers > 1 ? ' (WEIR_WORKERS)' : ''}`)];
  const url = new URL(redis.url);
  const findings = [checkPassword('Redis', 'REDIS_URL or REDIS_PASSWORD', url)];
  if (!isNear(url.hostname) && url.protocol !== 'rediss:') findings.push(warning('the connection to Redis on another machine is not encrypted', 'use rediss:// in REDIS_URL, unless the network between is yours alone'));
  return findings;
}

function checkPassword(server: string, variable: string, url: URL): Finding {
  const password = decodeURIComponent(url.password);
  const mend = `make one with openssl rand -hex 32, set it there, and in ${variable}`;
  if (password === '') return isLoopback(url.hostname) ? warning(`${server} is used without a password`, mend) : wrong(`${server} on another machine is used without a password`, mend);
  if (hasKnownPassword(url.href)) return wrong(`${server} has a password that everybody tries first`, mend);
  if (password.length < SHORTEST_PASSWORD) return warning(`${server}'s password is shorter than ${SHORTEST_PASSWORD} characters`, mend);
  return good(`${server} has a password that is no default`);
}

function checkAddress(variable: string, host: string, what: string): Finding {
  if (isLoopback(host)) return good(`${what} listen on this machine alone`.replace('API listen', 'API listens'));
  if (host === '0.0.0.0' || host === '::') {
    return warning(`${variable}=${host} opens ${what} to every network of this machine`, `set ${variable}=127.0.0.1, or let a firewall (in a container: what is published) keep others out`);
  }
  return warning(`${variable} opens ${what} to a network`, 'let a firewall keep out who has no business there');
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host === '[::1]' || /^127\./.test(host);

/** This machine, or a neighbour in a container network: a name without a dot. */
const isNear = (host: string): boolean => isLoopback(host) || host.startsWith('/') || !/[.:]/.test(host);
