import { ConfigurationError } from './configuration';
import { toConnectError } from './to-connect-error';

const toError = (code: string): Error => Object.assign(new Error('postgres://weir:hunter2@db/weir'), { code });

describe('toConnectError', () => {
  it.each([
    ['28P01', /refuses the user or the password \(28P01\); correct them there$/],
    ['53100', /the disk of the database is full \(53100\); make room there/],
    ['ECONNREFUSED', /cannot be reached \(ECONNREFUSED\); is it started/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /certificate is not accepted \(DEPTH_ZERO_SELF_SIGNED_CERT\); .*&sslrootcert=<file>/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /certificate is not accepted .* is it for this name/],
  ])('names the variable and what to do, and no address: %s', (code, line) => {
    const error = toConnectError(toError(code));
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(String(error)).toMatch(/^ConfigurationError: DATABASE_URL \(or POSTGRES_…\): /);
    expect(String(error)).toMatch(line);
    expect(String(error)).not.toContain('hunter2');
  });

  it('leaves alone what it does not know', () => {
    const error = toError('23505');
    expect(toConnectError(error)).toBe(error);
  });
});
