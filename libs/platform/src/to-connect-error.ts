import { ConfigurationError } from './configuration';
import { isError, toErrorCode } from './is-error';

const VARIABLE = 'DATABASE_URL (or POSTGRES_…)';

/** SQLSTATEs with which PostgreSQL turns a new connection away: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const REFUSALS: Readonly<Record<string, string>> = {
  '28000': 'the database refuses this user',
  '28P01': 'the database refuses the user or the password',
  '3D000': 'the server has no database of this name',
  '42501': 'this user may not use the database',
};
const UNREACHABLE = /^(ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)$/;
/** pg raises this one without a code. */
const TOO_LATE = /timeout/i;

/**
 * Why the configured database cannot be used, named by its variable. Never the address itself,
 * which may hold a password. Anything else stays what it is.
 */
export function toConnectError(error: unknown): unknown {
  const code = toErrorCode(error);
  if (code !== null && Object.hasOwn(REFUSALS, code)) return new ConfigurationError(`${VARIABLE}: ${REFUSALS[code]} (${code})`);
  if (code !== null && UNREACHABLE.test(code)) return new ConfigurationError(`${VARIABLE}: the database cannot be reached (${code})`);
  if (code === null && isError(error) && TOO_LATE.test(error.message)) return new ConfigurationError(`${VARIABLE}: the database does not answer`);
  return error;
}
