import { Secret, WeirError } from '@weir/kernel';

const LARGEST_SECRET_CHARACTERS = 8192;
/** Visible ASCII: all that RFC 9110 §5.5 lets a new header value hold, and all that any provider's key holds. */
const HEADER_TEXT = /^[\x20-\x7e]+$/;

/**
 * Takes a provider's key as it was typed. It goes into a header of every call, so what cannot stand
 * there is refused now, by name; nothing is trimmed or repaired behind the admin's back.
 * @throws WeirError invalid_request, which never quotes the secret.
 */
export function parseUpstreamSecret(value: unknown): Secret {
  if (typeof value !== 'string') throw refusal('must be text');
  if (value === '') throw refusal('must not be empty');
  if (value.length > LARGEST_SECRET_CHARACTERS) throw refusal(`must have at most ${LARGEST_SECRET_CHARACTERS} characters`);
  if (!HEADER_TEXT.test(value)) throw refusal('holds a line break, a control character or one outside ASCII');
  if (value !== value.trim()) throw refusal('begins or ends with a space');
  return new Secret(value);
}

function refusal(fault: string): WeirError {
  return new WeirError('invalid_request', { message: `The secret ${fault}.`, param: 'secret' });
}
