import { type UsageUnits, WeirError } from '@weir/kernel';
import { checkGlb, JsonScanner, parseExactJson, readFormatUsage, type WireFormat } from '@weir/wire';
import { toFieldMap } from '../multipart/multipart-form';
import { CALLER_DIALECTS, isDialect } from './caller-dialects';
import { type ExchangeContext } from './exchange-context';
import { readScannedUsage } from './read-scanned-usage';
import { readToldAnswer } from './read-told-answer';
import { type ToldAnswer } from './told-answer';
import { UPSTREAM_DIALECTS } from './upstream-dialects';

/** What a whole answer under a good status turned out to be. */
export type WholeAnswer =
  | { readonly kind: 'answer'; readonly body: Buffer; readonly contentType: string; readonly usage: UsageUnits | null; readonly textBytes: number; readonly told: ToldAnswer | null }
  /** An error in the upstream's own words. */
  | { readonly kind: 'error' }
  | { readonly kind: 'fault'; readonly reason: string };

const JSON_TYPE = 'application/json';
const GLB_TYPE = 'model/gltf-binary';
/** Subtitles have types of their own. */
const TEXT = /^(?:text\/(?:plain|vtt|srt)|application\/x-subrip)$/;
const TEXT_FORMATS: readonly (string | undefined)[] = ['text', 'srt', 'vtt'];
const LENIENT = { strictKeys: false };
const NULL_START = 0x6e;

// Scans are synchronous, so one scanner serves every answer of the process.
const scanner = new JsonScanner();

/**
 * Checks a whole answer, reads its usage, and tells it in the caller's format.
 * @param upstreamFormat what the upstream was asked in
 */
export function readWholeAnswer(call: ExchangeContext, upstreamFormat: WireFormat, mediaType: string, body: Buffer): WholeAnswer {
  if (upstreamFormat === 'trellis') return readMesh(body);
  if (call.definition.answers === 'bytes') return { kind: 'fault', reason: body.length === 0 ? 'empty' : 'not_sound' };
  if (TEXT.test(mediaType) && wantsText(call)) return { kind: 'answer', body, contentType: `${mediaType}; charset=utf-8`, usage: null, textBytes: body.length, told: null };
  if (!scanner.scan(body, 0, body.length, LENIENT)) return { kind: 'fault', reason: body.length === 0 ? 'empty' : 'invalid_json' };
  const error = scanner.findMember('error');
  if (error !== -1 && scanner.memberFirstByte(error) !== NULL_START) return { kind: 'error' };
  const { textBytes } = scanner;
  const usage = readScannedUsage(scanner, upstreamFormat) ?? readDuration(upstreamFormat);
  const isPassed = upstreamFormat === call.facts.format && call.speech.findConversion(upstreamFormat) === null;
  if (isPassed) return { kind: 'answer', body, contentType: JSON_TYPE, usage, textBytes, told: call.wantsTold ? readToldAnswer(scanner) : null };
  try {
    return { ...translate(call, upstreamFormat, body), textBytes };
  } catch (fault) {
    if (!(fault instanceof WeirError)) throw fault;
    return { kind: 'fault', reason: 'not_understood' };
  }
}

/** The one upstream whose answer is neither JSON nor a text. */
function readMesh(body: Buffer): WholeAnswer {
  try {
    checkGlb(body);
  } catch (fault) {
    if (!(fault instanceof WeirError)) throw fault;
    return { kind: 'fault', reason: body.length === 0 ? 'empty' : 'not_a_mesh' };
  }
  return { kind: 'answer', body, contentType: GLB_TYPE, usage: null, textBytes: 0, told: null };
}

/** Where JSON was asked for, text is some proxy's page. */
function wantsText({ definition, speech: { upload } }: ExchangeContext): boolean {
  return definition.answers === 'text' && upload !== null && TEXT_FORMATS.includes(toFieldMap(upload.fields).get('response_format'));
}

/** How long the sound was that a transcription is of: `verbose_json` says it, some servers as text, where they tell no usage. */
function readDuration(format: WireFormat): UsageUnits | null {
  if (format !== 'openai-transcriptions' && format !== 'openai-translations') return null;
  const member = scanner.findMember('duration');
  const seconds = member === -1 ? NaN : Number(scanner.parseMember(member) ?? NaN);
  return Number.isFinite(seconds) && seconds > 0 ? readFormatUsage(format, { type: 'duration', seconds }) : null;
}

/** @throws WeirError upstream_error */
function translate(call: ExchangeContext, upstreamFormat: WireFormat, body: Buffer): { kind: 'answer'; body: Buffer; contentType: string; usage: UsageUnits | null; told: ToldAnswer | null } {
  const { facts, speech } = call;
  const parsed = parseExactJson(body.toString('utf8'));
  const conversion = speech.findConversion(upstreamFormat);
  if (conversion !== null) {
    const told = conversion.toCaller(parsed, speech.body, facts.model);
    return { kind: 'answer', body: Buffer.from(JSON.stringify(told.body)), contentType: JSON_TYPE, usage: told.usage, told: null };
  }
  const dialect = isDialect(upstreamFormat) ? UPSTREAM_DIALECTS[upstreamFormat] : undefined;
  if (dialect === undefined) throw new Error(`nothing is read in ${upstreamFormat}`);
  const answer = dialect.readAnswer(parsed, speech);
  const text = CALLER_DIALECTS[speech.toDialect(facts.format)].writeAnswer(answer, speech);
  return { kind: 'answer', body: Buffer.from(text), contentType: JSON_TYPE, usage: answer.usage, told: { id: answer.id, model: answer.model, stopReason: answer.stopReason } };
}
