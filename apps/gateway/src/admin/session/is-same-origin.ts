import { type IncomingHttpHeaders } from 'node:http';

/**
 * Whether a request that carries the session's cookie was made by our own page, and not by another
 * site in the same browser. A browser that says where a request comes from (`sec-fetch-site`) is
 * believed; an older one is known by its `origin`. A request that says neither is refused: a
 * script has the admin key and needs no cookie.
 */
export function isSameOrigin(headers: IncomingHttpHeaders, allowedOrigins: readonly string[]): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin') return true;
  if (origin === undefined) return false;
  if (allowedOrigins.includes(origin)) return true;
  // A browser that knows says that this is another origin, whatever the host's name suggests.
  if (site !== undefined) return false;
  return host !== undefined && toHost(origin) === host.toLowerCase();
}

/** Behind a proxy that ends TLS the scheme is not known here, so hosts are compared. */
function toHost(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
