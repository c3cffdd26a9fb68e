import { type Clock } from '@weir/kernel';
import { type Configuration } from '@weir/platform';
import { Client } from 'pg';
import { MIGRATIONS } from '../../migrations';
import { checkClock } from './check-clock';
import { type Finding, good, warning, wrong } from './finding';

const LEAST_VERSION = 14;
const CONNECT_TIMEOUT_MS = 5_000;

interface State {
  version: number;
  now_ms: number;
  is_superuser: boolean;
  max_connections: number;
  has_migrations: boolean;
}

const STATE = `SELECT current_setting('server_version_num')::int / 10000 AS version,
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
  current_setting('max_connections')::int AS max_connections,
  to_regclass('migrations') IS NOT NULL AS has_migrations`;

/** The database, where there is one of one's own: that it answers, its version, clock, rights and schema. */
export async function checkPostgres({ database, databasePoolSize, workers }: Configuration, clock: Clock): Promise<Finding[]> {
  if (database.kind === 'embedded') return [];
  const client = new Client({ connectionString: database.url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, statement_timeout: CONNECT_TIMEOUT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    return [toConnectFinding(error)];
  }
  try {
    const beforeMs = clock.nowMs();
    const [state] = (await client.query<State>(STATE)).rows;
    const findings = [checkClock('PostgreSQL', state.now_ms, beforeMs, clock.nowMs()), checkVersion(state.version)];
    if (state.is_superuser) findings.push(warning('Weir is a superuser in PostgreSQL', 'let it own its database and nothing more: ALTER ROLE weir NOSUPERUSER'));
    // One connection more listens for changes.
    const connections = (databasePoolSize + 2) * workers;
    if (connections > state.max_connections * 0.8) findings.push(warning(`this node alone may open ${connections} of ${state.max_connections} connections to PostgreSQL`, 'lower DATABASE_POOL_SIZE or WEIR_WORKERS, or raise max_connections'));
    findings.push(await checkMigrations(client, state.has_migrations));
    return findings;
  } finally {
    await client.end();
  }
}

function checkVersion(version: number): Finding {
  if (version < LEAST_VERSION) return wrong(`PostgreSQL ${version} is too old`, `Weir needs ${LEAST_VERSION} or newer`);
  return good(`PostgreSQL ${version} answers`);
}

async function checkMigrations(client: Client, areThere: boolean): Promise<Finding> {
  const ran = areThere ? (await client.query<{ name: string }>('SELECT name FROM migrations')).rows.map(({ name }) => name) : [];
  const known = MIGRATIONS.map(({ name }) => name);
  const newer = ran.filter((name) => !known.includes(name));
  const missing = known.filter((name) => !ran.includes(name));
  if (newer.length > 0) return warning(`the database is of a newer Weir (${newer.at(-1)})`, 'run that version here, too');
  if (missing.length > 0) return warning(`${missing.length} migrations have not run`, 'npm run init-db, or the next start');
  return good('the schema is of this version');
}

/** What PostgreSQL answered may name a user and a host, and no password. */
function toConnectFinding(error: unknown): Finding {
  const code = String(Reflect.get(Object(error), 'code') ?? 'no answer');
  if (code === '28P01' || code === '28000') return wrong('PostgreSQL refuses the user or the password', 'correct DATABASE_URL (or POSTGRES_USER and POSTGRES_PASSWORD)');
  if (code === '3D000') return wrong('PostgreSQL has no such database', 'make it (createdb), or correct its name in DATABASE_URL (or POSTGRES_DB)');
  if (/CERT|UNABLE_TO_/.test(code)) return wrong(`PostgreSQL's certificate is not accepted (${code})`, 'is it for this name, and does &sslrootcert=<file> in DATABASE_URL name its authority?');
  return wrong(`PostgreSQL cannot be reached (${code})`, 'is it started, and does DATABASE_URL (or POSTGRES_HOST and POSTGRES_PORT) lead there?');
}
