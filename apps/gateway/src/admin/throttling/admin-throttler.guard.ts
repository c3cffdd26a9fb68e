import { type ExecutionContext, Injectable } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerLimitDetail, type ThrottlerModuleOptions, type ThrottlerStorage } from '@nestjs/throttler';
import { WeirError } from '@weir/kernel';
import { type Request } from 'express';
import { findPrincipal } from '../access/admin-principal';

export const SIGN_INS_PER_MINUTE = 10;
export const WRITES_PER_MINUTE = 120;
const MINUTE_MS = 60_000;

/** The only route that takes a credential in its body. */
function isSignIn(request: Request): boolean {
  // As Express finds routes: in any case, and with slashes behind.
  return request.method === 'POST' && /^\/admin\/session\/*$/i.test(request.path);
}

function isWrite(request: Request): boolean {
  return !['GET', 'HEAD', 'OPTIONS'].includes(request.method);
}

const toRequest = (context: ExecutionContext): Request => context.switchToHttp().getRequest<Request>();

/** Sign-ins are counted by address, writes by who makes them. */
export function toThrottlerOptions(storage: ThrottlerStorage): ThrottlerModuleOptions {
  return {
    storage,
    setHeaders: false,
    throttlers: [
      {
        name: 'admin_sign_in',
        ttl: MINUTE_MS,
        limit: SIGN_INS_PER_MINUTE,
        blockDuration: 0,
        skipIf: (context) => !isSignIn(toRequest(context)),
        getTracker: (request: Record<string, unknown>) => (typeof request.ip === 'string' ? request.ip : 'unknown'),
        generateKey: (_context, tracker) => `admin_sign_in:${tracker}`,
      },
      {
        name: 'admin_write',
        ttl: MINUTE_MS,
        limit: WRITES_PER_MINUTE,
        blockDuration: 0,
        skipIf: (context) => isSignIn(toRequest(context)) || !isWrite(toRequest(context)),
        getTracker: (request: Record<string, unknown>) => findPrincipal(request)?.userId ?? 'nobody',
        // One count over all routes: the key leaves the handler's name out.
        generateKey: (_context, tracker) => `admin_write:${tracker}`,
      },
    ],
  };
}

@Injectable()
export class AdminThrottlerGuard extends ThrottlerGuard {
  protected override throwThrottlingException(_context: ExecutionContext, detail: ThrottlerLimitDetail): Promise<void> {
    throw new WeirError('rate_limit_exceeded', {
      message: `No more than ${detail.limit} of these requests a minute.`,
      retryAfterMs: detail.timeToBlockExpire * 1000,
    });
  }
}
