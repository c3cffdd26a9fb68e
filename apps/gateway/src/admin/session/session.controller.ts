import { Body, Delete, Get, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiProperty } from '@nestjs/swagger';
import { AdminIdentities } from '@weir/access';
import { type Clock, WeirError } from '@weir/kernel';
import { CLOCK } from '@weir/platform';
import type { Response } from 'express';
import { AdminController } from '../access/admin-controller';
import { type AdminPrincipal, Principal } from '../access/admin-principal';
import { Permits } from '../access/permits';
import { SessionHolders } from '../access/session-holders';
import { PlainText } from '../fields/fields';
import { toEndedSessionCookie, toSessionCookie } from './session-cookie';
import { type Session, SessionTokens } from './session-tokens';

const LONGEST_KEY = 200;

export class SignIn {
  @PlainText(LONGEST_KEY, { description: 'An admin key.' })
  key: string;
}

export class SessionView {
  @ApiProperty({ enum: ['session'] })
  object: 'session';

  @ApiProperty({ type: String, format: 'uuid' })
  user_id: string;

  @ApiProperty({ type: String })
  username: string;

  @ApiProperty({ enum: ['owner', 'admin', 'viewer'] })
  role: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  organization_id: string | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'Null when an admin key was presented and not a session.' })
  expires_at: string | null;
}

type Holder = Pick<AdminPrincipal, 'userId' | 'username' | 'role' | 'organizationId'>;

/** The console's way in: an admin key is changed for a short session in a cookie that no script can read. */
@AdminController('session')
export class SessionController {
  constructor(
    private readonly identities: AdminIdentities,
    private readonly tokens: SessionTokens,
    private readonly holders: SessionHolders,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Post()
  @Permits('anyone')
  @ApiCreatedResponse({ type: SessionView })
  async signIn(@Body() { key }: SignIn, @Res({ passthrough: true }) response: Response): Promise<SessionView> {
    const identity = await this.identities.authenticateAdmin(key);
    return this.answer(response, identity, this.tokens.open(identity.userId, identity.keyPublicId));
  }

  @Get()
  @Permits('session.read')
  @ApiOkResponse({ type: SessionView })
  read(@Principal() principal: AdminPrincipal): SessionView {
    return toSessionView(principal, principal.session);
  }

  @Post('renew')
  @HttpCode(200)
  @Permits('session.renew')
  @ApiOkResponse({ type: SessionView })
  async renew(@Principal() principal: AdminPrincipal, @Res({ passthrough: true }) response: Response): Promise<SessionView> {
    const renewed = this.tokens.renew(getSession(principal));
    if (renewed === null) throw new WeirError('invalid_api_key', { message: 'The session has lasted too long: sign in again.' });
    return this.answer(response, principal, renewed);
  }

  @Delete()
  @HttpCode(204)
  @Permits('session.end')
  async end(@Principal() principal: AdminPrincipal, @Res({ passthrough: true }) response: Response): Promise<void> {
    await this.holders.end(getSession(principal));
    response.setHeader('set-cookie', toEndedSessionCookie());
  }

  private async answer(response: Response, holder: Holder, session: Session): Promise<SessionView> {
    response.setHeader('set-cookie', toSessionCookie(await this.tokens.sign(session), session.expiresMs - this.clock.nowMs()));
    return toSessionView(holder, session);
  }
}

function getSession(principal: AdminPrincipal): Session {
  if (principal.session === null) throw new WeirError('conflict', { message: 'An admin key was presented: there is no session.' });
  return principal.session;
}

function toSessionView(holder: Holder, session: Session | null): SessionView {
  // Whoever came over HTTP is a user.
  if (holder.userId === null) throw new WeirError('invalid_api_key');
  return {
    object: 'session',
    user_id: holder.userId,
    username: holder.username,
    role: holder.role,
    organization_id: holder.organizationId,
    expires_at: session === null ? null : new Date(session.expiresMs).toISOString(),
  };
}
