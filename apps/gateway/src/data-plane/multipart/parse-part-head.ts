import { WeirError } from '@weir/kernel';

/** What a part's head says. */
export interface PartHead {
  readonly name: string;
  /** Null for a text. */
  readonly filename: string | null;
  /** Lower-case, without parameters; null when it says nothing. */
  readonly mediaType: string | null;
}

/** `timestamp_granularities[]` and the like are names, too. */
const NAME = /^[A-Za-z0-9_.[\]-]{1,100}$/;
const MEDIA_TYPE = /^[a-z0-9!#$&^_.+-]{1,100}\/[a-z0-9!#$&^_.+-]{1,100}$/;
const CHARSET = /;[\t ]*charset=(?:"([^"]*)"|([^;\s]*))/i;
/** RFC 7578 §4.7: deprecated; whoever uses these expects them to be undone. */
const PLAIN_ENCODINGS: ReadonlySet<string> = new Set(['7bit', '8bit', 'binary']);
/**
 * A parameter of RFC 6266: a token, or a text in quotes in which only `\"` and `\\` are escaped (curl does,
 * browsers write %22). A backslash can be read in one way alone: with two, forty of them would take seconds,
 * and each one more twice as long.
 */
const PARAMETER = /;[\t ]*([a-z]+\*?)=(?:"((?:\\["\\]|[^"\\]|\\(?!["\\]))*)"|([^\s";]+))[\t ]*/giy;
const MAX_FILENAME_CHARACTERS = 200;
const CONTROL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Understands a part's header fields.
 * @param fields by lower-case name, each byte a character of Latin-1
 * @throws WeirError invalid_request
 */
export function parsePartHead(fields: ReadonlyMap<string, readonly string[]>): PartHead {
  const parameters = parseDisposition(findOne(fields, 'content-disposition') ?? '');
  const name = parameters.get('name');
  if (name === undefined || !NAME.test(name)) throw invalid("A part's Content-Disposition has no name, or one that is not valid.");
  const encoding = findOne(fields, 'content-transfer-encoding');
  if (encoding !== null && !PLAIN_ENCODINGS.has(encoding.trim().toLowerCase())) throw invalid(`The part '${name}' has a Content-Transfer-Encoding, which forms do not have.`, name);
  const type = findOne(fields, 'content-type');
  const charset = CHARSET.exec(type ?? '');
  const filename = toFilename(parameters);
  if (filename === null && charset !== null && (charset[1] ?? charset[2]).toLowerCase() !== 'utf-8') throw invalid(`The part '${name}' is not in UTF-8.`, name);
  return { name, filename, mediaType: toMediaType(type, name) };
}

function findOne(fields: ReadonlyMap<string, readonly string[]>, name: string): string | null {
  const values = fields.get(name) ?? [];
  if (values.length > 1) throw invalid(`A part has two header fields '${name}'.`);
  return values.length === 0 ? null : values[0];
}

function parseDisposition(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  const kind = /^form-data[\t ]*/i.exec(text);
  if (kind === null) throw invalid("A part has no Content-Disposition 'form-data'.");
  PARAMETER.lastIndex = kind[0].length;
  while (PARAMETER.lastIndex < text.length) {
    const found = PARAMETER.exec(text);
    if (found === null) throw invalid("A part's Content-Disposition cannot be read.");
    const [, parameter, quoted, token] = found;
    // Of two, another server on the way may believe the other.
    if (parameters.has(parameter.toLowerCase())) throw invalid("A part's Content-Disposition says something twice.");
    parameters.set(parameter.toLowerCase(), decode((quoted ?? token).replace(/\\(["\\])/g, '$1')));
  }
  return parameters;
}

function decode(latin1: string): string {
  try {
    return utf8.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    throw invalid("A part's head is not in UTF-8.");
  }
}

/** Only the last name of a path, of either kind, and nothing that could end a header or a line. */
function toFilename(parameters: ReadonlyMap<string, string>): string | null {
  const given = parameters.get('filename') ?? toExtended(parameters.get('filename*'));
  if (given === null) return null;
  const name = given.slice(Math.max(given.lastIndexOf('/'), given.lastIndexOf('\\')) + 1).replace(CONTROL, '');
  const shown = [...name].slice(-MAX_FILENAME_CHARACTERS).join('');
  return shown === '' || shown === '.' || shown === '..' ? 'file' : shown;
}

/** RFC 8187: `UTF-8''na%C3%AFve.wav`; some clients send nothing else for such names. */
function toExtended(value: string | undefined): string | null {
  if (value === undefined) return null;
  const encoded = /^utf-8'[^']*'(.*)$/i.exec(value);
  try {
    if (encoded !== null) return decodeURIComponent(encoded[1]);
  } catch {
    // Refused below.
  }
  throw invalid("A part's filename* cannot be read.");
}

function toMediaType(value: string | null, name: string): string | null {
  const type = (value ?? '').split(';', 1)[0].trim().toLowerCase();
  if (type === '') return null;
  if (!MEDIA_TYPE.test(type)) throw invalid(`The part '${name}' has a Content-Type that is not valid.`, name);
  return type;
}

function invalid(message: string, param?: string): WeirError {
  return new WeirError('invalid_request', { message, ...(param === undefined ? {} : { param }) });
}
