/**
 * `name=value,name=value`, percent-encoded where need be, as OpenTelemetry's variables have it:
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables
 * @returns the pairs, the last one of a name counting; or the number, from 1, of the first entry that is none
 */
export function parseKeyPairs(text: string, isPair: (name: string, value: string) => boolean): ReadonlyMap<string, string> | number {
  const pairs = new Map<string, string>();
  for (const [index, entry] of text.split(',').entries()) {
    if (entry.trim() === '') continue;
    const equals = entry.indexOf('=');
    const name = decode(entry.slice(0, Math.max(0, equals)));
    const value = decode(entry.slice(equals + 1));
    if (name === null || name === '' || value === null || !isPair(name, value)) return index + 1;
    pairs.set(name, value);
  }
  return pairs;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text.trim());
  } catch {
    return null;
  }
}
