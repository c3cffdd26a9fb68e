import { applyDecorators, Controller, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiCookieAuth, ApiTags } from '@nestjs/swagger';
import { AdminThrottlerGuard } from '../throttling/admin-throttler.guard';
import { AuthenticationGuard } from './authentication.guard';

/** The guards of every route of the control plane, in their order. */
export const ADMIN_GUARDS = [AuthenticationGuard, AdminThrottlerGuard] as const;

/** A controller of the control plane: its path under `/admin`, and the guards that none may lack. */
export function AdminController(path: string): ClassDecorator {
  return applyDecorators(
    Controller(`admin/${path}`),
    UseGuards(...ADMIN_GUARDS),
    ApiTags(path.split('/')[0]),
    ApiBearerAuth('admin_key'),
    ApiCookieAuth('session'),
  );
}
