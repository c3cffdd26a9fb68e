import { Inject, Injectable } from '@nestjs/common';
import { type AdminIdentity, AdminIdentities } from '@weir/access';
import { WeirError } from '@weir/kernel';
import { type Configuration, CONFIGURATION } from '@weir/platform';
import { type Request } from 'express';
import { findSessionToken } from '../session/session-cookie';
import { isSameOrigin } from '../session/is-same-origin';
import { type Session, SessionTokens } from '../session/session-tokens';
import { type AdminPrincipal } from './admin-principal';
import { SessionHolders } from './session-holders';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Finds out who makes a request: by an admin key as bearer, or by the session's cookie. */
@Injectable()
export class AdminAuthenticator {
  constructor(
    private readonly identities: AdminIdentities,
    private readonly tokens: SessionTokens,
    private readonly holders: SessionHolders,
    @Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'corsOrigins'>,
  ) {}

  /** @throws WeirError invalid_api_key, which never repeats what was presented. */
  async authenticate(request: Request): Promise<AdminPrincipal> {
    const { authorization, cookie } = request.headers;
    if (authorization !== undefined) {
      return toPrincipal(request, await this.identities.authenticateAdmin(readBearer(authorization)), null);
    }
    const token = findSessionToken(cookie);
    if (token === null) {
      throw new WeirError('invalid_api_key', { message: 'Present an admin key as "Authorization: Bearer", or sign in.' });
    }
    return this.authenticateSession(request, token);
  }

  private async authenticateSession(request: Request, token: string): Promise<AdminPrincipal> {
    const session = await this.tokens.find(token);
    const identity = session === null ? null : await this.holders.find(session);
    if (session === null || identity === null) {
      throw new WeirError('invalid_api_key', { message: 'The session has ended: sign in again.' });
    }
    // The browser adds the cookie to whatever any site makes it send, so a change must come from our page.
    if (!SAFE_METHODS.has(request.method) && !isSameOrigin(request.headers, this.configuration.corsOrigins)) {
      throw new WeirError('permission_denied', { message: 'A request with a session must come from the page that holds it.' });
    }
    return toPrincipal(request, identity, session);
  }
}

/** Of any other scheme nothing is looked at. */
function readBearer(authorization: string): string {
  const match = /^bearer +([^\s]+)$/i.exec(authorization);
  if (match === null) throw new WeirError('invalid_api_key', { message: 'The Authorization header must read "Bearer" and an admin key.' });
  return match[1];
}

function toPrincipal(request: Request, identity: AdminIdentity, session: Session | null): AdminPrincipal {
  return {
    userId: identity.userId,
    username: identity.username,
    role: identity.role,
    organizationId: identity.organizationId,
    remoteAddress: request.ip ?? null,
    session,
  };
}
