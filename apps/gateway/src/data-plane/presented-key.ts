import { type IncomingMessage } from 'node:http';

/**
 * The key that a caller shows, wherever its SDK puts it: OpenAI's bearer token, Anthropic's
 * `x-api-key`, Azure's `api-key`, Google's `x-goog-api-key` or `?key=`. The first one found counts.
 * Null when there is none.
 */
export function findPresentedKey(request: IncomingMessage): string | null {
  const { headers } = request;
  const { authorization } = headers;
  if (authorization !== undefined) {
    const bearer = readBearer(authorization);
    if (bearer !== null) return bearer;
  }
  return (
    single(headers['x-api-key']) ?? single(headers['api-key']) ?? single(headers['x-goog-api-key']) ?? findQueryKey(request.url ?? '')
  );
}

function readBearer(authorization: string): string | null {
  if (authorization.length < 8 || authorization.slice(0, 7).toLowerCase() !== 'bearer ') return null;
  const key = authorization.slice(7).trim();
  return key === '' ? null : key;
}

function single(value: string | string[] | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function findQueryKey(url: string): string | null {
  const query = url.indexOf('?');
  return query === -1 ? null : single(new URLSearchParams(url.slice(query + 1)).get('key') ?? undefined);
}
