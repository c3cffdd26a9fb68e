import { WeirError } from '@weir/kernel';
import { type JsonFault, JsonScanner } from '@weir/wire';
import { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { toShownField } from './to-validation-error';

export const MAX_ADMIN_BODY_BYTES = 1024 * 1024;
/** No field is called so; a name is repeated in refusals and must not fill them. */
const LONGEST_KEY = 200;

/**
 * Reads the bytes of a body as JSON, strictly: a key said twice, a key that means something to
 * JavaScript's own objects, bytes that are no UTF-8 and deep nesting are refused before anything
 * is made of them. A request without a body gets an empty object.
 */
export function readJsonBody(): RequestHandler {
  const scanner = new JsonScanner();
  return (request: Request, _response: Response, next: NextFunction) => {
    request.body = toBody(request, scanner);
    next();
  };
}

function toBody(request: Request, scanner: JsonScanner): unknown {
  const bytes: unknown = request.body;
  if (!Buffer.isBuffer(bytes) || bytes.length === 0) return {};
  if (!isJson(request.headers['content-type'])) throw new WeirError('unsupported_media_type');
  return parseBody(bytes, scanner);
}

/** @throws WeirError naming the field at fault, where it has a name. */
export function parseBody(bytes: Buffer, scanner: JsonScanner): unknown {
  if (!scanner.scan(bytes, 0, bytes.length, { strictKeys: true })) throw toFaultError(scanner.fault);
  const body: unknown = JSON.parse(bytes.toString('utf8'));
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new WeirError('invalid_request', { message: 'The body must be a JSON object.' });
  }
  refuseUnfitNames(body, '');
  return body;
}

function isJson(contentType: string | undefined): boolean {
  const mediaType = (contentType ?? '').split(';', 1)[0].trim().toLowerCase();
  return mediaType === 'application/json' || /^application\/[a-z0-9.-]+\+json$/.test(mediaType);
}

/**
 * Names like `constructor` or `toString` are skipped in silence by class-transformer, so that an
 * unknown field would not be refused. The depth is bounded by the scanner.
 */
function refuseUnfitNames(value: object, path: string): void {
  const members: [string, unknown][] = Object.entries(value);
  for (const [key, member] of members) {
    const memberPath = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    if (key.length > LONGEST_KEY || (!Array.isArray(value) && key in Object.prototype)) throw unknownField(memberPath);
    if (typeof member === 'object' && member !== null) refuseUnfitNames(member, memberPath);
  }
}

function unknownField(path: string): WeirError {
  const field = toShownField(path);
  return new WeirError('invalid_request', { message: `The field ${field} is not known.`, param: field });
}

function toFaultError(fault: JsonFault | null): WeirError {
  const path = toShownField(fault?.path ?? '');
  const param = path === '' ? {} : { param: path };
  switch (fault?.reason) {
    case 'duplicate_key':
      return new WeirError('invalid_json', { ...param, message: `The field ${path} is there twice.` });
    case 'forbidden_key':
      return new WeirError('invalid_json', { ...param, message: `The field ${path} is not known.` });
    case 'too_deep':
      return new WeirError('invalid_json', { ...param, message: 'The body is nested too deeply.' });
    case 'too_many_keys':
      return new WeirError('invalid_json', { ...param, message: 'An object in the body has too many fields.' });
    case 'invalid_utf8':
      return new WeirError('invalid_json', { ...param, message: 'The body is not valid UTF-8.' });
    case 'syntax':
    case undefined:
      return new WeirError('invalid_json', { ...param });
  }
}
