/** `__Host-`: the browser takes it only from HTTPS (or localhost), for this host alone and its whole path. */
export const SESSION_COOKIE = '__Host-weir_session';

const ATTRIBUTES = 'Path=/; HttpOnly; Secure; SameSite=Strict';
/** No token of ours is near this long. */
const MAX_TOKEN_CHARACTERS = 2_000;

export function toSessionCookie(token: string, maxAgeMs: number): string {
  return `${SESSION_COOKIE}=${token}; ${ATTRIBUTES}; Max-Age=${Math.max(0, Math.round(maxAgeMs / 1000))}`;
}

export function toEndedSessionCookie(): string {
  return `${SESSION_COOKIE}=; ${ATTRIBUTES}; Max-Age=0`;
}

/** The token in a Cookie header, or null. Of two cookies of that name neither is believed. */
export function findSessionToken(cookieHeader: string | undefined): string | null {
  if (cookieHeader === undefined) return null;
  const prefix = `${SESSION_COOKIE}=`;
  const found = cookieHeader
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(prefix));
  const token = found.length === 1 ? found[0].slice(prefix.length) : '';
  return token === '' || token.length > MAX_TOKEN_CHARACTERS ? null : token;
}
