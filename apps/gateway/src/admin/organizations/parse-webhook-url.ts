import { WeirError } from '@weir/kernel';
import { isPublicAddress } from '@weir/platform';
import { isIP } from 'node:net';

const LONGEST_URL = 2_048;
/** What a URL's parser drops or turns around silently: a URL that is not what it looks like is refused. */
const UNSAFE = /[\s\\\p{C}]/u;
/** Names that never lead to the public Internet, by their last label. */
const LOCAL_SUFFIXES = ['localhost', 'local', 'localdomain', 'internal', 'intranet', 'lan', 'home', 'corp', 'private', 'home.arpa'];

/**
 * Takes the URL that alerts are sent to, as `URL.href` writes it. A name's addresses are looked at
 * again, each time it is connected to.
 * @param allowPrivate an owner's word: HTTP and hosts of a private network are then good, too
 * @throws WeirError invalid_request naming `url`, without repeating it: it may hold a password.
 */
export function parseWebhookUrl(value: string, allowPrivate: boolean): string {
  if (value.length > LONGEST_URL) throw refusal(`must have at most ${LONGEST_URL} characters`);
  if (UNSAFE.test(value)) throw refusal('must not contain spaces, backslashes or control characters');
  const url = URL.parse(value);
  if (url === null) throw refusal('must be a URL');
  if (url.protocol !== 'https:' && !(allowPrivate && url.protocol === 'http:')) throw refusal('must begin with https://');
  if (url.username !== '' || url.password !== '' || hasUserInfo(value)) throw refusal('must not contain a user name or password');
  if (value.includes('#')) throw refusal('must not contain a fragment');
  if (!allowPrivate && !isPublicHost(url.hostname)) throw refusal('must lead to a host of the public Internet');
  return url.href;
}

/** `https://@host/` has an empty user name, which the parser does not tell. */
function hasUserInfo(value: string): boolean {
  return /^[a-z]+:\/*[^/?#]*@/i.test(value);
}

/** The parser has written every notation of an IPv4 address (octal, hexadecimal, one number) as four decimal numbers. */
function isPublicHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '').toLowerCase();
  if (isIP(host) !== 0 || hostname.startsWith('[')) return isPublicAddress(host);
  // A name of one label is found by a search domain: inside somebody's network.
  return host.includes('.') && !LOCAL_SUFFIXES.some((suffix) => host.endsWith(`.${suffix}`));
}

function refusal(what: string): WeirError {
  return new WeirError('invalid_request', { message: `The field url is not valid: ${what}.`, param: 'url' });
}
