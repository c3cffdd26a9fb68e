import { HttpException } from '@nestjs/common';
import { WeirError, type WeirErrorOptions } from '@weir/kernel';
import { isError } from '@weir/platform';
import { QueryFailedError } from 'typeorm';

/** Which field a caller wrote when a constraint of the database refuses it. */
const FIELD_OF_CONSTRAINT: Readonly<Record<string, string>> = {
  organizations_name: 'name',
  projects_name: 'name',
  users_username: 'username',
  users_email: 'email',
  upstreams_name: 'name',
  models_name_key: 'name',
  upstream_keys_upstream_id_fingerprint_key: 'secret',
  model_targets_model_id_upstream_id_upstream_model_key: 'targets',
  projects_organization_id_fkey: 'organization_id',
  users_organization_id_fkey: 'organization_id',
  proxy_keys_organization_id_fkey: 'organization_id',
  proxy_keys_organization_id_project_id_fkey: 'project_id',
  admin_keys_user_id_fkey: 'id',
  upstream_keys_upstream_id_fkey: 'id',
  model_targets_upstream_id_fkey: 'targets',
};

/** Errors of sockets that mean the database is not there, whatever layer wraps them. */
const AWAY_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** pg raises these without a code. */
const AWAY_MESSAGES = /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error|connection ended|not queryable|cannot use a pool after calling end|datasource is not set|connection is not established|driver not connected/i;

/** A chain of causes is followed only so far: it could be a ring. */
const CAUSE_DEPTH = 5;

/** Any error that a request ended with, as the row of the error table that its caller is told. */
export function toWeirError(error: unknown): WeirError {
  if (error instanceof WeirError) return error;
  if (isDatabaseAway(error)) return new WeirError('database_unavailable', { cause: error });
  return fromConstraint(error) ?? fromHttp(error) ?? new WeirError('internal_error', { cause: error });
}

/** True for an error that says that PostgreSQL cannot be reached, or cannot answer now. */
export function isDatabaseAway(error: unknown): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < CAUSE_DEPTH && isError(current); depth += 1) {
    const code = readText(current, 'code');
    if (code !== null && (AWAY_CODES.has(code) || isAwaySqlState(code))) return true;
    if (AWAY_MESSAGES.test(current.message)) return true;
    if (current instanceof AggregateError && current.errors.some(isDatabaseAway)) return true;
    current = current instanceof QueryFailedError ? current.driverError : current.cause;
  }
  return false;
}

/** 08 connection, 53 out of resources, 57P shutting down, 57014 statement timeout, 40 lost against another transaction. */
function isAwaySqlState(code: string): boolean {
  return /^(08...|53...|57P..|57014|40001|40P01|25P03)$/.test(code);
}

function fromConstraint(error: unknown): WeirError | null {
  if (!(error instanceof QueryFailedError)) return null;
  const code = readText(error.driverError, 'code');
  const constraint = readText(error.driverError, 'constraint') ?? '';
  const field = Object.hasOwn(FIELD_OF_CONSTRAINT, constraint) ? FIELD_OF_CONSTRAINT[constraint] : undefined;
  const options: WeirErrorOptions = { ...(field === undefined ? {} : { param: field }), cause: error };
  switch (code) {
    case '23505':
      return new WeirError('conflict', { ...options, message: `Another object has the same ${field ?? 'value'}.` });
    case '23503':
      return new WeirError('conflict', { ...options, message: 'Another object that this one names, or that names this one, stands in the way.' });
    case '22021':
    case '22P05':
      return new WeirError('invalid_request', { ...options, message: 'A text holds a character that cannot be stored.' });
    default:
      return null;
  }
}

/** What Nest and Express themselves refuse: an unknown path, a method, a path that cannot be decoded. */
function fromHttp(error: unknown): WeirError | null {
  const status = error instanceof HttpException ? error.getStatus() : readNumber(error, 'status');
  switch (status) {
    case 400:
      return new WeirError('invalid_request', { message: `The ${isBodyError(error) ? 'body' : 'address'} of the request could not be read.`, cause: error });
    case 403:
      return new WeirError('permission_denied', { cause: error });
    case 404:
      return new WeirError('not_found', { cause: error });
    case 405:
      return new WeirError('method_not_allowed', { cause: error });
    case 413:
      return new WeirError('body_too_large', { cause: error });
    case 415:
      return new WeirError('unsupported_media_type', { cause: error });
    case 429:
      return new WeirError('rate_limit_exceeded', { cause: error });
    default:
      return null;
  }
}

/** The reader of bodies gives its errors a type, such as `request.aborted`. */
function isBodyError(error: unknown): boolean {
  return readText(error, 'type') !== null;
}

function readText(holder: unknown, name: string): string | null {
  const value = readMember(holder, name);
  return typeof value === 'string' ? value : null;
}

function readNumber(holder: unknown, name: string): number | null {
  const value = readMember(holder, name);
  return typeof value === 'number' ? value : null;
}

function readMember(holder: unknown, name: string): unknown {
  return typeof holder === 'object' && holder !== null ? Reflect.get(holder, name) : undefined;
}
