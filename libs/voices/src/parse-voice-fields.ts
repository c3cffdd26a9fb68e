import { WeirError } from '@weir/kernel';
import { isVoiceId } from './voice';

/** What a caller says of a voice. */
export interface VoiceFields {
  readonly name: string;
  readonly consent: string;
  /** What is said in the recording; null when the caller did not say. */
  readonly refText: string | null;
}

const MAX_NAME_CHARACTERS = 64;
const MAX_CONSENT_CHARACTERS = 256;
const MAX_REF_TEXT_CHARACTERS = 4096;
/** Letters of any script, digits, and `.`, `_`, `-` and single spaces between them. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]*(?: [\p{L}\p{M}\p{N}._-]+)*$/u;
/** Also the marks that turn the direction of text, which make a name look like another. */
const CONTROL = /[\p{Cc}\p{Cf}]/u;
const CONTROL_BUT_LINES = /[^\P{Cc}\t\r\n]/u;

/**
 * Checks the fields that came with a recording.
 * @throws WeirError invalid_request that names the field
 */
export function parseVoiceFields(given: { name?: string; consent?: string; refText?: string; type?: string }): VoiceFields {
  if (given.type !== undefined && given.type !== 'audio_sample') {
    throw invalid('type', "Invalid 'type': Weir makes voices from recordings only, so it must be audio_sample.");
  }
  return { name: parseVoiceName(given.name), consent: parseConsent(given.consent), refText: parseRefText(given.refText) };
}

/** @throws WeirError invalid_request that names `name` */
export function parseVoiceName(given: string | undefined): string {
  if (given === undefined) throw invalid('name', "Missing required parameter: 'name'.");
  const name = given.normalize('NFC');
  if (name.length > MAX_NAME_CHARACTERS || !NAME.test(name)) {
    throw invalid('name', `Invalid 'name': 1 to ${MAX_NAME_CHARACTERS} letters, digits, '.', '_', '-' and single spaces, beginning with a letter or a digit.`);
  }
  // Whoever asks for a voice may give its id or its name.
  if (isVoiceId(name.toLowerCase())) throw invalid('name', "Invalid 'name': it looks like the id of a voice.");
  return name;
}

/** Two names with the same key are the same name. */
export function toNameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

function parseConsent(given: string | undefined): string {
  if (given === undefined) throw invalid('consent', "Missing required parameter: 'consent'.");
  const consent = given.trim();
  if (consent === '' || consent.length > MAX_CONSENT_CHARACTERS || CONTROL.test(consent)) {
    throw invalid('consent', `Invalid 'consent': 1 to ${MAX_CONSENT_CHARACTERS} characters in one line.`);
  }
  return consent;
}

function parseRefText(given: string | undefined): string | null {
  const text = given?.trim() ?? '';
  if (text === '') return null;
  if (text.length > MAX_REF_TEXT_CHARACTERS || CONTROL_BUT_LINES.test(text)) {
    throw invalid('ref_text', `Invalid 'ref_text': at most ${MAX_REF_TEXT_CHARACTERS} characters of text.`);
  }
  return text;
}

function invalid(param: string, message: string): WeirError {
  return new WeirError('invalid_request', { message, param });
}
