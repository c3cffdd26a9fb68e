import { WeirError } from '@weir/kernel';
import { type NextFunction, type Request, type Response } from 'express';
import { type IncomingMessage, type ServerResponse } from 'node:http';

const publicRequests = new WeakSet<object>();

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * The same application for the data plane's port, where the control plane does not exist: one
 * Express serves both listeners, and without this an admin route would answer callers too.
 */
export function withoutControlPlane(express: Listener): Listener {
  return (request, response) => {
    publicRequests.add(request);
    express(request, response);
  };
}

/** Asks Express for the path, as its router does: another reading of the URL could be deceived. */
export function hideControlPlane(request: Request, _response: Response, next: NextFunction): void {
  if (publicRequests.has(request) && /^\/admin(?![a-z0-9_])/i.test(request.path)) throw new WeirError('not_found');
  next();
}
