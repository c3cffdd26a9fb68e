import { type UserId, isUuid, parseId, type Clock } from '@weir/kernel';
import { jwtVerify, SignJWT } from 'jose';
import { randomUUID } from 'node:crypto';
import { type SessionKey } from './session-key';

/** A session that is not renewed ends after this. */
export const SESSION_LIFETIME_MS = 15 * 60_000;
/** A session cannot be renewed for ever: after this its holder signs in again. */
export const SESSION_LONGEST_MS = 12 * 60 * 60_000;

const ISSUER = 'weir';
const AUDIENCE = 'weir-admin';

export interface Session {
  readonly id: string;
  readonly userId: UserId;
  /** The admin key that opened it: the session dies with the key. */
  readonly keyPublicId: string;
  /** When its holder signed in. */
  readonly startedMs: number;
  readonly expiresMs: number;
}

/** Signs and reads the short token that a session's cookie holds. */
export class SessionTokens {
  constructor(
    private readonly key: SessionKey,
    private readonly clock: Clock,
  ) {}

  open(userId: UserId, keyPublicId: string): Session {
    const nowMs = this.clock.nowMs();
    return { id: randomUUID(), userId, keyPublicId, startedMs: nowMs, expiresMs: toWholeSecond(nowMs + SESSION_LIFETIME_MS) };
  }

  /** The same session with its end moved; null when it has been going on for too long. */
  renew(session: Session): Session | null {
    const nowMs = this.clock.nowMs();
    const latestMs = session.startedMs + SESSION_LONGEST_MS;
    return nowMs >= latestMs ? null : { ...session, expiresMs: toWholeSecond(Math.min(nowMs + SESSION_LIFETIME_MS, latestMs)) };
  }

  async sign(session: Session): Promise<string> {
    return new SignJWT({ adk: session.keyPublicId, sat: session.startedMs })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(session.userId)
      .setJti(session.id)
      .setIssuedAt(Math.floor(this.clock.nowMs() / 1000))
      .setExpirationTime(session.expiresMs / 1000)
      .sign(this.key.expose());
  }

  /** The session of a token; null when the token is not ours, was altered or has ended. Whether it was signed out of, its holder knows. */
  async find(token: string): Promise<Session | null> {
    const claims = await this.verify(token);
    if (claims === null) return null;
    const { sub, jti, adk, sat, exp } = claims;
    if (!isUuid(sub) || !isUuid(jti) || typeof adk !== 'string' || typeof sat !== 'number' || typeof exp !== 'number') return null;
    return { id: jti, userId: parseId<UserId>(sub), keyPublicId: adk, startedMs: sat, expiresMs: exp * 1000 };
  }

  private async verify(token: string): Promise<Readonly<Record<string, unknown>> | null> {
    try {
      const { payload } = await jwtVerify(token, this.key.expose(), {
        algorithms: ['HS256'],
        issuer: ISSUER,
        audience: AUDIENCE,
        currentDate: new Date(this.clock.nowMs()),
        requiredClaims: ['exp', 'sub', 'jti'],
      });
      return payload;
    } catch {
      // Whatever is wrong with it, its holder is simply not signed in.
      return null;
    }
  }
}

/** A token tells its end in seconds. */
function toWholeSecond(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}
