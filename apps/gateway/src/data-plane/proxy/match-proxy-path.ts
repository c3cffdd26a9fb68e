import { WeirError } from '@weir/kernel';

/** What a URL under `/proxy/` asks for. */
export interface ProxyTarget {
  /** A provider's name, or an upstream's. */
  readonly name: string;
  /** Behind the name, as the caller wrote it; begins with a slash. */
  readonly path: string;
  /** With its question mark; empty without one. The caller's key is not in it. */
  readonly query: string;
}

const PREFIX = '/proxy/';
/** What a path may hold (RFC 3986 §3.3), without what could lead out of the place it names. */
const PATH = /^(?:\/[A-Za-z0-9\-._~!$&'()*+,;=:@%]*)+$/;
/**
 * Letters, digits, dots, slashes, backslashes and controls behind an escape: two readers might not
 * agree what they mean, and one of them is the list of paths that may be called.
 */
const TRICKY_ESCAPE = /%(?:2[35def]|3[0-9abf]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef]|[01][0-9a-f])/i;
/** Some servers cut a segment at its semicolon before they look at the dots. */
const DOT_SEGMENT = /\/\.{1,2}(?:[/;]|$)/;
const QUERY = /^\?[\x21-\x7e]*$/;
/** Where APIs take keys, other than in headers. */
const CREDENTIALS = new Set(['key', 'api_key', 'api-key', 'apikey', 'access_token', 'oauth_token', 'subscription-key']);

export function isProxyPath(url: string): boolean {
  return url.startsWith(PREFIX);
}

/** @throws WeirError invalid_request for a path that could lead elsewhere */
export function matchProxyPath(url: string): ProxyTarget {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark);
  const slash = path.indexOf('/', PREFIX.length);
  const name = decodeName(path.slice(PREFIX.length, slash === -1 ? undefined : slash));
  const rest = slash === -1 ? '/' : path.slice(slash);
  if (name === null || !isPlain(rest)) {
    throw new WeirError('invalid_request', { message: 'The path must be /proxy/{provider}/… without dot segments, empty segments or escaped slashes.' });
  }
  if (query !== '' && !QUERY.test(query)) throw new WeirError('invalid_request', { message: 'The query must be visible ASCII.' });
  return { name, path: rest, query: withoutCredentials(query) };
}

function isPlain(path: string): boolean {
  return PATH.test(path) && !TRICKY_ESCAPE.test(path) && !DOT_SEGMENT.test(path) && !path.includes('//') && isDecodable(path);
}

/** Every escape is one, and what they say together is UTF-8. */
function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function decodeName(segment: string): string | null {
  try {
    const name = decodeURIComponent(segment);
    return name === '' ? null : name;
  } catch {
    return null;
  }
}

/** All else stays as it was written, and in its order. */
function withoutCredentials(query: string): string {
  if (query === '') return query;
  const parts = query.slice(1).split('&');
  // As the key is found: decoded.
  const kept = parts.filter((part) => ![...new URLSearchParams(part).keys()].some((name) => CREDENTIALS.has(name.toLowerCase())));
  if (kept.length === parts.length) return query;
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}
