import { isJsonObject, toRefusal } from './dialects/json-object';

/** `https://…`, `file:…`, `data:…`: anything that a server might open. */
const SCHEME = /^\s*(?:[a-z][a-z0-9+.-]*:\/\/|(?:file|data|blob|s3|gs):\S)/i;
/** `/etc/passwd`, `../x`, `~/x`, `\\host\share`, `C:\x`. */
const PATH = /^\s*(?:\/|\.{1,2}[/\\]|~[/\\]|\\\\|[a-z]:[/\\])/i;

/** Deeper than any option there is; the body's own depth has its limit elsewhere. */
const MAX_DEPTH = 32;

/**
 * Refuses texts that a GPU service could take for something to fetch or to open: URLs and paths,
 * wherever they stand in a member. Callers never choose what Weir's services read.
 * @param field as the caller calls the member: it is named, its value never
 * @throws WeirError invalid_request
 */
export function refuseReferences(value: unknown, field: string, depth = 0): void {
  if (depth > MAX_DEPTH) throw toRefusal(field, 'is nested too deeply');
  if (typeof value === 'string') {
    if (SCHEME.test(value) || PATH.test(value)) throw toRefusal(field, 'may not hold a URL or a path');
  } else if (Array.isArray(value)) {
    for (const item of value) refuseReferences(item, field, depth + 1);
  } else if (isJsonObject(value)) {
    for (const item of Object.values(value)) refuseReferences(item, field, depth + 1);
  }
}
