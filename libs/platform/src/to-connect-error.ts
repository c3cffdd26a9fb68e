import { ConfigurationError } from './configuration';
import { isError, toErrorCode } from './is-error';

const VARIABLE = 'DATABASE_URL (or POSTGRES_…)';

/** SQLSTATEs with which PostgreSQL turns a new connection away: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const REFUSALS: Readonly<Record<string, { readonly what: string; readonly mend: string }>> = {
  '28000': { what: 'the database refuses this user', mend: 'correct it there, or let it in (pg_hba.conf)' },
  '28P01': { what: 'the database refuses the user or the password', mend: 'correct them there' },
  '3D000': { what: 'the server has no database of this name', mend: 'make it (createdb), or correct the name there' },
  '53100': { what: 'the disk of the database is full', mend: 'make room there (the embedded one is in WEIR_DATA_DIR)' },
  '42501': { what: 'this user may not use the database', mend: 'let the user own it: ALTER DATABASE … OWNER TO …' },
};
const ASK = 'is it started, and is that where it is?';
const UNREACHABLE = /^(ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)$/;
/** Node's codes for a certificate that it does not accept. */
const UNTRUSTED = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_[A-Z_]+|CERT_[A-Z_]+|ERR_TLS_CERT_ALTNAME_INVALID)$/;
/** pg raises this one without a code. */
const TOO_LATE = /timeout/i;

/**
 * Why the configured database cannot be used, named by its variable. Never the address itself,
 * which may hold a password. Anything else stays what it is.
 */
export function toConnectError(error: unknown): unknown {
  const code = toErrorCode(error);
  if (code !== null && Object.hasOwn(REFUSALS, code)) {
    const { what, mend } = REFUSALS[code];
    return new ConfigurationError(`${VARIABLE}: ${what} (${code}); ${mend}`);
  }
  if (code !== null && UNTRUSTED.test(code)) return new ConfigurationError(`${VARIABLE}: the database's certificate is not accepted (${code}); is it for this name, and does &sslrootcert=<file> name its authority?`);
  if (code !== null && UNREACHABLE.test(code)) return new ConfigurationError(`${VARIABLE}: the database cannot be reached (${code}); ${ASK}`);
  if (code === null && isError(error) && TOO_LATE.test(error.message)) return new ConfigurationError(`${VARIABLE}: the database does not answer; ${ASK}`);
  return error;
}
