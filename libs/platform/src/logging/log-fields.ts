import { isError } from '../is-error';
import { describeError } from './describe-error';
import { scrubSecrets } from './scrub-secrets';

const HIDDEN = '[hidden]';
const LONGEST_TEXT = 200;

/**
 * The fields that may carry text. Whoever needs another one adds it here, after asking what the
 * longest journey of its value is: never what a caller sent as content, never a credential.
 */
const TEXT_FIELDS: ReadonlySet<string> = new Set([
  'requestId', 'keyId', 'publicId', 'organizationId', 'projectId', 'userId', 'actorId', 'objectId', 'upstreamId', 'upstreamKeyId', 'modelId',
  'operation', 'model', 'upstream', 'upstreamModel', 'provider', 'strategy', 'store', 'collection', 'action', 'kind', 'role', 'label', 'name',
  'outcome', 'status', 'state', 'reason', 'code', 'errorCode', 'failureClass', 'limit', 'scope', 'window', 'subject',
  'method', 'route', 'host', 'address', 'remoteAddress', 'origin', 'url', 'context', 'line', 'path', 'variable', 'signal', 'version', 'account', 'migration',
]);

/** Numbers and flags tell no secret and no prompt, unless somebody's PIN is logged under such a name. */
const SENSITIVE_NAME = /pass|secret|authori[sz]ation|cookie|credential|api_?-?key|^(access|refresh|id)?_?-?token$|prompt|messages|^(pin|otp)$/i;
const PLAIN_NAME = /^[A-Za-z_]\w{0,63}$/;

/** What of the fields given to the logger may be written, by allow-list. */
export function toLogFields(fields: object): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    if (!PLAIN_NAME.test(name) || name === '__proto__') continue;
    const value: unknown = Reflect.get(fields, name);
    if (value !== undefined) safe[name] = toLogValue(name, value);
  }
  return safe;
}

function toLogValue(name: string, value: unknown): unknown {
  if (value === null) return null;
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return SENSITIVE_NAME.test(name) ? HIDDEN : value;
    case 'bigint':
      return SENSITIVE_NAME.test(name) ? HIDDEN : String(value);
    case 'string':
      return TEXT_FIELDS.has(name) ? toLogText(name, value) : HIDDEN;
    default:
      if (isError(value)) return describeError(value);
      // A list of names or ids: the migrations that ran, the models a route knows.
      if (Array.isArray(value) && TEXT_FIELDS.has(name)) return value.slice(0, 20).map((item) => (typeof item === 'object' ? HIDDEN : toLogValue(name, item)));
      return HIDDEN;
  }
}

function toLogText(name: string, text: string): string {
  const short = text.length > LONGEST_TEXT ? text.slice(0, LONGEST_TEXT) + '…' : text;
  // A query may carry `?key=`, and nothing in one is worth a line.
  return scrubSecrets(name === 'url' || name === 'path' || name === 'route' ? short.replace(/\?.*$/s, '') : short);
}
