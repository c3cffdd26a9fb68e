import { uuidV7 } from '@weir/kernel';
import { type NextFunction, type Request, type Response } from 'express';

const requestIds = new WeakMap<object, string>();

/** The id of a request, made when first asked for. */
export function getRequestId(request: object): string {
  const known = requestIds.get(request);
  if (known !== undefined) return known;
  const made = uuidV7(Date.now());
  requestIds.set(request, made);
  return made;
}

/** Every answer of the control plane names its request, and none may be kept by a cache. */
export function identifyRequest(request: Request, response: Response, next: NextFunction): void {
  response.setHeader('x-request-id', getRequestId(request));
  response.setHeader('cache-control', 'no-store');
  next();
}
