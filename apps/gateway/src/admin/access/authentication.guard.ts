import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { WeirError } from '@weir/kernel';
import { type Request } from 'express';
import { AdminAuthenticator } from './admin-authenticator';
import { setPrincipal } from './admin-principal';
import { isPermitted } from './permissions';
import { PERMITS, type RoutePermit } from './permits';

/** Who is it, and may they: before anything of the request is looked at. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(
    private readonly authenticator: AdminAuthenticator,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const permit = this.reflector.get<RoutePermit | undefined>(PERMITS, context.getHandler());
    // The start refuses such a route; should one slip through, it stays shut.
    if (permit === undefined) throw new WeirError('permission_denied');
    if (permit === 'anyone') return true;
    const request = context.switchToHttp().getRequest<Request>();
    const principal = await this.authenticator.authenticate(request);
    if (!isPermitted(principal.role, permit)) {
      throw new WeirError('permission_denied', { message: `The role ${principal.role} may not do that.` });
    }
    setPrincipal(request, principal);
    return true;
  }
}
