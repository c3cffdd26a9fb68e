import { WeirError } from '@weir/kernel';
import { isError } from '../is-error';
import { scrubSecrets } from './scrub-secrets';

export interface ErrorDescription {
  type: string;
  code?: string;
  message?: string;
  stack?: string;
  cause?: ErrorDescription;
}

const LONGEST_MESSAGE = 500;
const STACK_FRAMES = 10;
const DEEPEST_CAUSE = 3;

/**
 * Errors whose words are the program's own. Others quote what they failed on: a SyntaxError of
 * JSON.parse quotes the prompt, a database error the row.
 */
const OWN_WORDS: ReadonlySet<string> = new Set(['Error', 'TypeError', 'RangeError', 'AggregateError', 'ConfigurationError', 'WeirError']);

/**
 * What a log may say of something thrown. Everything else that hangs on it (the request, its
 * headers, the query and its parameters) stays out.
 */
export function describeError(error: unknown, depth = 1): ErrorDescription {
  if (!isError(error)) return { type: typeof error };
  const description: ErrorDescription = { type: toName(error) };
  const code = readText(error, 'code');
  // A code such as ECONNREFUSED, 23505 or invalid_api_key.
  if (code !== null && /^\w{1,64}$/.test(code)) description.code = code;
  const message = toMessage(error);
  if (message !== null) description.message = scrubSecrets(message.slice(0, LONGEST_MESSAGE));
  const stack = toStack(error);
  if (stack !== null) description.stack = stack;
  if (isError(error.cause) && depth < DEEPEST_CAUSE) description.cause = describeError(error.cause, depth + 1);
  return description;
}

function toName(error: Error): string {
  const name = error.constructor.name;
  return /^\w{1,64}$/.test(name) ? name : 'Error';
}

function toMessage(error: Error): string | null {
  if (error instanceof WeirError && error.detail !== null) return `${error.message} (${error.detail})`;
  if (readText(error, 'syscall') !== null) return toSystemMessage(error);
  const constraint = readText(error, 'constraint');
  if (constraint !== null) return `constraint ${constraint}`;
  return OWN_WORDS.has(toName(error)) ? error.message : null;
}

/** `connect ECONNREFUSED 127.0.0.1:5432`, `open EACCES /var/lib/weir/lock`. */
function toSystemMessage(error: Error): string {
  const place = readText(error, 'path') ?? readText(error, 'hostname') ?? readText(error, 'address');
  const port = 'port' in error && typeof error.port === 'number' ? `:${error.port}` : '';
  return [readText(error, 'syscall'), readText(error, 'code'), place === null ? null : place + port].filter((part) => part !== null).join(' ');
}

function readText(error: Error, field: string): string | null {
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : null;
}

/** The frames alone: a stack begins with the message, which may run over many lines. */
function toStack(error: Error): string | null {
  if (typeof error.stack !== 'string') return null;
  const frames = error.stack.split('\n').filter((line) => /^\s+at .+(:\d+:\d+\)?|\(native\)|<anonymous>\)?)$/.test(line));
  return frames.length === 0 ? null : frames.slice(0, STACK_FRAMES).map((line) => line.trim()).join('\n');
}
