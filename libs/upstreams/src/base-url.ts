import { isForbiddenHost } from './forbidden-address';

export interface BaseUrl {
  readonly origin: string;
  readonly basePath: string;
}

/** Says what is wrong with a base URL, without repeating it: it may hold a password. */
export class BaseUrlError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BaseUrlError';
  }
}

/**
 * Takes an upstream's base URL apart.
 * @throws BaseUrlError for what is no absolute http(s) URL, holds credentials, a query or a
 * fragment, or leads to a link-local or metadata address.
 */
export function parseBaseUrl(value: unknown): BaseUrl {
  if (typeof value !== 'string') throw new BaseUrlError('must be a URL');
  // The parser drops these silently; a URL that is not what it looks like is refused instead.
  if (/[\s\\\p{Cc}]/u.test(value)) throw new BaseUrlError('must not contain spaces, backslashes or control characters');
  const url = URL.parse(value);
  if (url === null) throw new BaseUrlError('must be a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new BaseUrlError('must begin with http:// or https://');
  if (url.username !== '' || url.password !== '') throw new BaseUrlError('must not contain a user name or password');
  if (value.includes('?')) throw new BaseUrlError('must not contain a query');
  if (value.includes('#')) throw new BaseUrlError('must not contain a fragment');
  if (isForbiddenHost(url.hostname)) throw new BaseUrlError('must not lead to a link-local or metadata address');
  return { origin: url.origin, basePath: url.pathname.replace(/\/+$/, '') };
}
