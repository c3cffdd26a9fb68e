import { RequestMethod, type Type } from '@nestjs/common';
import { GUARDS_METADATA, METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { ADMIN_GUARDS } from './admin-controller';
import { PERMITS, type RoutePermit } from './permits';

export interface AdminRoute {
  readonly method: string;
  /** `/admin/keys/:id` */
  readonly path: string;
  readonly permit: RoutePermit;
}

/**
 * Every route of these controllers.
 * @throws Error naming the route that asks for no permission, or the controller without guards: the
 *   start must fail, because such a route would be open to everybody.
 */
export function getAdminRoutes(controllers: readonly Type[]): AdminRoute[] {
  return controllers.flatMap((controller) => {
    const guards: unknown = Reflect.getMetadata(GUARDS_METADATA, controller);
    if (!Array.isArray(guards) || ADMIN_GUARDS.some((guard) => !guards.includes(guard))) {
      throw new Error(`${controller.name} has no guards: declare it with @AdminController`);
    }
    return getHandlers(controller).map((handler) => toRoute(controller, handler));
  });
}

type Handler = (...parameters: never[]) => unknown;

function getHandlers(controller: Type): Handler[] {
  const prototype: object = controller.prototype as object;
  return Object.getOwnPropertyNames(prototype)
    .map((name): unknown => Object.getOwnPropertyDescriptor(prototype, name)?.value)
    .filter((member): member is Handler => typeof member === 'function' && Reflect.hasMetadata(METHOD_METADATA, member));
}

function toRoute(controller: Type, handler: Handler): AdminRoute {
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod];
  const path = `/${toText(PATH_METADATA, controller)}/${toText(PATH_METADATA, handler)}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
  const permit = Reflect.getMetadata(PERMITS, handler) as RoutePermit | undefined;
  if (permit === undefined) throw new Error(`${method} ${path} asks for no permission: add @Permits`);
  return { method, path, permit };
}

function toText(metadata: string, holder: object): string {
  const value: unknown = Reflect.getMetadata(metadata, holder);
  return typeof value === 'string' ? value : '';
}
