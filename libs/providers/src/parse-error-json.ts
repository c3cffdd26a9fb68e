/** Provider messages are shown to callers: long ones are cut. */
const MAX_MESSAGE_CHARACTERS = 2000;

/**
 * An error body as a JSON object. Null when it is anything else: empty, cut, HTML. Google wraps some
 * errors in an array of one.
 */
export function parseErrorJson(body: Buffer): Readonly<Record<string, unknown>> | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  const value: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  return isRecord(value) ? value : null;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text or a number as text; null for nothing, for an empty text and for all else. */
export function toText(value: unknown): string | null {
  if (typeof value === 'string') return value === '' ? null : value;
  return typeof value === 'number' ? String(value) : null;
}

/** A provider's words as callers may read them; words of Weir's own where it has none. */
export function toShownMessage(message: unknown, status: number): string {
  const text = toText(message);
  if (text === null) return `The upstream answered ${status}.`;
  return text.length > MAX_MESSAGE_CHARACTERS ? `${text.slice(0, MAX_MESSAGE_CHARACTERS)}…` : text;
}
