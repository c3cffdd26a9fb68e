import { type JsonScanner } from '@weir/wire';

export interface MediaCounts {
  readonly imageCount: number;
  readonly fileCount: number;
}

/** Names under which Anthropic's and Google's dialects hold pictures and files alike: only their type tells which. */
const SOURCE_NAMES = ['source', 'inlineData', 'inline_data', 'fileData', 'file_data'];
const SOURCE_KEYS = SOURCE_NAMES.map((name) => Buffer.from(`"${name}"`));
/** A key may be written with escapes, which no byte search finds. */
const ESCAPE = Buffer.from('\\u00');
const MOST_DEPTH = 128;

/**
 * The pictures and files of a body whose dialect says by a media type which is which. What is not
 * surely a picture counts as a file, which may fill the context window. The body is parsed only where
 * it may hold any.
 */
export function countMedia(scanner: JsonScanner, body: Buffer): MediaCounts {
  const { imageCount, fileCount } = scanner;
  if (!SOURCE_KEYS.some((key) => body.includes(key)) && !body.includes(ESCAPE)) return { imageCount, fileCount };
  const counts = { imageCount: 0, fileCount: 0 };
  countIn(JSON.parse(body.toString('utf8')), counts, 0);
  return counts;
}

function countIn(value: unknown, counts: { imageCount: number; fileCount: number }, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > MOST_DEPTH) return;
  if (Array.isArray(value)) {
    for (const entry of value) countIn(entry, counts, depth + 1);
    return;
  }
  for (const [key, entry] of Object.entries<unknown>({ ...value })) {
    if (SOURCE_NAMES.includes(key) && typeof entry === 'object' && entry !== null) {
      if (isPicture(value, entry)) counts.imageCount += 1;
      else counts.fileCount += 1;
    }
    countIn(entry, counts, depth + 1);
  }
}

function isPicture(holder: object, source: object): boolean {
  const mediaType: unknown = Reflect.get(source, 'media_type') ?? Reflect.get(source, 'mimeType') ?? Reflect.get(source, 'mime_type');
  if (typeof mediaType === 'string') return mediaType.startsWith('image/') && Reflect.get(holder, 'type') !== 'document';
  return Reflect.get(holder, 'type') === 'image';
}
