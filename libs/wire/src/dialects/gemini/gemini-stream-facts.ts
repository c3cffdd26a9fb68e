import { type UsageUnits } from '@weir/kernel';
import { type JsonScanner } from '../../json-scanner';
import { isJsonObject } from '../json-object';
import { readGeminiUsage } from './read-usage';

/** What a relay that passes a stream of Gemini's as bytes must know of one event. */
export interface GeminiEventFacts {
  /** The stream has failed; nothing good follows. */
  readonly isError: boolean;
  /** A snapshot of the whole answer's usage: the last one counts. Null where the event has none. */
  readonly usage: UsageUnits | null;
  /**
   * The answer is whole with this event: it has a reason to finish, or the prompt was blocked. There
   * is no `[DONE]`: an end of the stream without such an event is an end before its time.
   */
  readonly endsWell: boolean;
  /** Bytes of language, for an estimate where no usage comes; without the arguments of calls. */
  readonly textBytes: number;
}

const FINISH_REASON = Buffer.from('"finishReason"');
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const NULL_START = 0x6e;

/**
 * The facts of one event. Its answer is not parsed, but for the event that seems to be the last.
 * @param scanner has scanned the event's data
 * @param bytes what it has scanned
 */
export function readGeminiEventFacts(scanner: JsonScanner, bytes: Buffer): GeminiEventFacts {
  const error = scanner.findMember('error');
  const usage = scanner.findMember('usageMetadata');
  return {
    isError: error !== -1 && scanner.memberFirstByte(error) !== NULL_START,
    usage: usage === -1 ? null : readGeminiUsage(scanner.parseMember(usage)),
    endsWell: hasFinishReason(scanner, bytes) || isBlocked(scanner),
    textBytes: scanner.textBytes,
  };
}

function hasFinishReason(scanner: JsonScanner, bytes: Buffer): boolean {
  const member = scanner.findMember('candidates');
  if (member === -1 || scanner.memberFirstByte(member) !== OPEN_BRACKET) return false;
  if (!bytes.subarray(scanner.memberValueStart(member), scanner.memberValueEnd(member)).includes(FINISH_REASON)) return false;
  // The name may also be a tool's argument.
  const candidates = scanner.parseMember(member);
  return Array.isArray(candidates) && candidates.some((candidate) => isJsonObject(candidate) && isReason(candidate.finishReason));
}

function isBlocked(scanner: JsonScanner): boolean {
  const member = scanner.findMember('promptFeedback');
  if (member === -1 || scanner.memberFirstByte(member) !== OPEN_BRACE) return false;
  const feedback = scanner.parseMember(member);
  return isJsonObject(feedback) && isReason(feedback.blockReason);
}

function isReason(reason: unknown): boolean {
  return typeof reason === 'string' && reason !== '' && !reason.endsWith('_UNSPECIFIED');
}
