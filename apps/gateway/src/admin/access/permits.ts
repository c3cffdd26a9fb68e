import { SetMetadata } from '@nestjs/common';
import { type Permission } from './permissions';

export const PERMITS = 'weir:permits';

/** What a route asks for: a permission, or `anyone` for the way in. Every route must say. */
export type RoutePermit = Permission | 'anyone';

export const Permits = (permit: RoutePermit): MethodDecorator => SetMetadata(PERMITS, permit);
