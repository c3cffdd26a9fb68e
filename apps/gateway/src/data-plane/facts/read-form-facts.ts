import { WeirError } from '@weir/kernel';
import { refuseReferences } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type Work } from '../estimate';
import { toFieldMap } from '../multipart/multipart-form';
import { type SpooledUpload } from '../multipart/spool-upload';
import { type FactsPlace, type RequestFacts } from './request-facts';
import { parseModel } from './scan-body';
import { toUnits, toWorkFacts } from './to-work-facts';

const EMPTY = Buffer.alloc(0);
/** The caller's own words, in which a URL is something to say; and names of models, which have slashes. */
const FREE_TEXTS = ['prompt', 'negative_prompt', 'model', 'user'];
const DATA_URI = /^data:[a-z0-9.+-]+\/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]*={0,2}$/i;
/** The thinnest speech that is understood is coded at some 6 kbit/s. */
const WORST_MS_PER_BYTE = 1.4;
/** Speech in an ordinary file: mp3 of 64 kbit/s. */
const USUAL_MS_PER_BYTE = 1 / 8;
const LONGEST_MS = 24 * 3_600_000;
/** gpt-4o-transcribe hears about 10 tokens a second, and nobody speaks more than 10. */
const TOKENS_PER_SECOND = 10;
const WORST_TOKENS_PER_IMAGE = 8_192;
const USUAL_TOKENS_PER_IMAGE = 1_056;
const MOST_IMAGES = 10;

/**
 * The facts of a form with sound: `POST /v1/audio/transcriptions` and `/translations`
 * (https://platform.openai.com/docs/api-reference/audio/createTranscription). How long it is, nobody
 * knows before it was heard.
 * @throws WeirError invalid_request that names the field
 */
export function readTranscriptionFacts(upload: SpooledUpload, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  refuseTextReferences(upload);
  const fields = toFieldMap(upload.fields);
  const bytes = upload.files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes === 0) throw refuse('file', 'must not be empty');
  const worstMs = Math.min(LONGEST_MS, Math.ceil(bytes * WORST_MS_PER_BYTE));
  const usualMs = Math.min(LONGEST_MS, Math.ceil(bytes * USUAL_MS_PER_BYTE));
  return toWorkFacts(definition, {
    body: EMPTY,
    model: readFormModel(fields, place),
    isStream: readStream(fields, definition),
    scanner: null,
    work: { known: toUnits({}), usual: toHeard(usualMs), worst: toHeard(worstMs) },
  });
}

function toHeard(mediaMs: number): Work['worst'] {
  const tokens = Math.ceil((mediaMs / 1000) * TOKENS_PER_SECOND);
  return toUnits({ mediaMs, inputTokens: tokens, outputTokens: tokens });
}

/**
 * The facts of a form with pictures: `POST /v1/images/edits`
 * (https://platform.openai.com/docs/api-reference/images/createEdit).
 * @throws WeirError invalid_request that names the field
 */
export function readImageEditFacts(upload: SpooledUpload, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  refuseTextReferences(upload);
  const fields = toFieldMap(upload.fields);
  const images = readCount(fields.get('n'));
  const known = toUnits({ images });
  const promptBytes = Buffer.byteLength(fields.get('prompt') ?? '');
  const shownTokens = upload.files.length * WORST_TOKENS_PER_IMAGE;
  return toWorkFacts(definition, {
    body: EMPTY,
    model: readFormModel(fields, place),
    isStream: readStream(fields, definition),
    scanner: null,
    work: {
      known,
      usual: { ...known, inputTokens: Math.ceil(promptBytes / 4) + upload.files.length * USUAL_TOKENS_PER_IMAGE, outputTokens: images * USUAL_TOKENS_PER_IMAGE },
      worst: { ...known, inputTokens: promptBytes + shownTokens, outputTokens: images * WORST_TOKENS_PER_IMAGE },
    },
  });
}

function readFormModel(fields: ReadonlyMap<string, string>, place: FactsPlace): string {
  const model = place.model ?? fields.get('model');
  if (model === undefined) throw new WeirError('invalid_request', { message: "Missing required parameter: 'model'.", param: 'model' });
  return parseModel(model);
}

/** Servers take sound and pictures by their URLs, too (`url`, `file_url`, `image_url`): they would fetch them from where they stand. */
function refuseTextReferences({ fields }: SpooledUpload): void {
  for (const { name, value } of fields) {
    if (FREE_TEXTS.includes(name)) continue;
    // OpenAI's known_speaker_references: sound in the form's own bytes.
    if (!DATA_URI.test(value)) refuseReferences(value, name);
  }
}

function readStream(fields: ReadonlyMap<string, string>, { canStream }: OperationDefinition): boolean {
  const isStream = readFlag(fields, 'stream');
  if (isStream && !canStream) throw refuse('stream', 'may not be true: this operation does not stream');
  return isStream;
}

function readFlag(fields: ReadonlyMap<string, string>, name: string): boolean {
  const text = fields.get(name);
  if (text === undefined || text === 'false') return false;
  if (text === 'true') return true;
  throw refuse(name, 'must be true or false');
}

function readCount(text: string | undefined): number {
  if (text === undefined) return 1;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > MOST_IMAGES) throw refuse('n', `must be a whole number from 1 to ${MOST_IMAGES}`);
  return count;
}

function refuse(param: string, expected: string): WeirError {
  return new WeirError('invalid_request', { message: `Invalid '${param}': it ${expected}.`, param });
}
