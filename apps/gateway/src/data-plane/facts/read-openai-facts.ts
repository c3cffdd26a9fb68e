import { type Operation, WeirError } from '@weir/kernel';
import { type JsonScanner, type Splice } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { parseChoiceCount, parseOutputCap, toOutputCap } from './output-cap';
import { type EmptyCap, type FactsPlace, NO_EMPTY_CAPS, type RequestFacts } from './request-facts';
import { parseModel, readMember, readModel, readStream, refuseOtherSpellings, scanBody } from './scan-body';

/** The members whose values Weir relies on. */
const CHECKED_MEMBERS = ['model', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'n', 'best_of', 'prompt'];
/** As much as estimates allow a token of text. */
const BYTES_PER_TOKEN_ID = 4;
/** Some servers ask other models than `model`, or instead of it: neither the key's list nor the price would know them. */
const OTHER_MODELS = ['models', 'fallbacks'];
/** Members with which a call costs more than its tokens do, or whose cap on output is another than the meter's. */
const UNPRICED_MEMBERS = ['web_search_options', 'search_parameters', 'plugins', 'audio', 'n_predict', 'max_new_tokens', 'max_output_tokens'];
const CAPS = ['max_tokens', 'max_completion_tokens'];
const USUAL_TIERS: readonly unknown[] = ['auto', 'default', 'flex', null];
const NULL_START = 0x6e;
const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;

/**
 * Checks a body as far as it is Weir's business and takes the facts from it.
 * @param place names the model where the path does; a `model` in the body then plays no part
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readOpenAiFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(CHECKED_MEMBERS);
  refuseOtherModels(scanner);
  const modelMember = scanner.findMember('model');
  const model = parseModel(place.model ?? readModel(modelMember));
  definition.checkBody?.(scanner);
  const isStream = readStream(definition.canStream);
  const maxCompletionTokens = parseOutputCap(readMember('max_completion_tokens'), 'max_completion_tokens');
  const maxTokens = parseOutputCap(readMember('max_tokens'), 'max_tokens');
  refuseOddCaps(definition.operation, maxCompletionTokens, maxTokens);
  const streamOptions = isStream ? readStreamOptions(scanner) : null;
  return {
    body,
    format: definition.format,
    model,
    isStream,
    wantsStreamUsage: streamOptions?.include_usage === true,
    operation: definition.operation,
    bodyBytes: body.length,
    textBytes: scanner.textBytes + BYTES_PER_TOKEN_ID * countTokenIds(scanner, body, definition.operation),
    outputCap: toOutputCap(maxCompletionTokens, maxTokens),
    hasMaxTokens: maxTokens !== null,
    unpricedMember: findUnpricedMember(scanner),
    choiceCount: Math.max(parseChoiceCount(readMember('n'), 'n'), parseChoiceCount(readMember('best_of'), 'best_of')),
    promptCount: definition.operation === 'completions' ? countPrompts(scanner) : 1,
    imageCount: scanner.imageCount,
    fileCount: scanner.fileCount,
    hasTools: scanner.findMember('tools') !== -1 || scanner.findMember('functions') !== -1,
    hasThinking: scanner.hasThinking,
    work: null,
    capHolder: null,
    membersEnd: scanner.memberValueEnd(scanner.memberCount - 1),
    emptyCaps: maxTokens === null ? findEmptyCaps(scanner) : NO_EMPTY_CAPS,
    modelStart: modelMember === -1 ? 0 : scanner.memberValueStart(modelMember),
    modelEnd: modelMember === -1 ? 0 : scanner.memberValueEnd(modelMember),
    streamUsageSplice: isStream ? toStreamUsageSplice(scanner, streamOptions) : null,
  };
}

function refuseOtherModels(scanner: JsonScanner): void {
  for (const name of OTHER_MODELS) {
    if (scanner.findMember(name) === -1) continue;
    throw new WeirError('invalid_request', { message: `The parameter '${name}' is not supported: a request is for one model.`, param: name });
  }
}

function findUnpricedMember(scanner: JsonScanner): string | null {
  for (const name of UNPRICED_MEMBERS) {
    const member = scanner.findMember(name);
    if (member !== -1 && scanner.memberFirstByte(member) !== NULL_START) return name;
  }
  const tier = scanner.findMember('service_tier');
  return tier === -1 || USUAL_TIERS.includes(scanner.parseMember(tier)) ? null : 'service_tier';
}

function findEmptyCaps(scanner: JsonScanner): readonly EmptyCap[] {
  let caps: EmptyCap[] | null = null;
  for (const name of CAPS) {
    const member = scanner.findMember(name);
    if (member !== -1 && scanner.memberFirstByte(member) === NULL_START) (caps ??= []).push({ name, start: scanner.memberValueStart(member), end: scanner.memberValueEnd(member) });
  }
  return caps ?? NO_EMPTY_CAPS;
}

/**
 * What is a cap to Weir and none to a server would be output that nobody holds money for: 0, which
 * many servers of chats take for absent, and `max_completion_tokens`, which completions do not have.
 */
function refuseOddCaps(operation: Operation, maxCompletionTokens: number | null, maxTokens: number | null): void {
  if (operation === 'completions' && maxCompletionTokens !== null) {
    throw new WeirError('invalid_request', { message: "Unknown parameter: 'max_completion_tokens'. Use 'max_tokens' here.", param: 'max_completion_tokens' });
  }
  if (operation !== 'chat' || (maxCompletionTokens !== 0 && maxTokens !== 0)) return;
  const param = maxCompletionTokens === 0 ? 'max_completion_tokens' : 'max_tokens';
  throw new WeirError('invalid_request', { message: `Invalid '${param}': it must be at least 1.`, param });
}

/** Ids of tokens in place of language: in a list, or in a list of lists. */
function countTokenIds(scanner: JsonScanner, body: Buffer, operation: Operation): number {
  if (operation === 'chat') return 0;
  const member = scanner.findMember(operation === 'completions' ? 'prompt' : 'input');
  if (member === -1 || scanner.memberFirstByte(member) !== OPEN_BRACKET) return 0;
  const end = scanner.memberValueEnd(member);
  let count = 0;
  let isInNumber = false;
  for (let position = scanner.memberValueStart(member); position < end; position += 1) {
    const byte = body[position];
    if (byte === QUOTE) return count;
    const isDigit = byte >= 0x30 && byte <= 0x39;
    if (isDigit && !isInNumber) count += 1;
    isInNumber = isDigit;
  }
  return count;
}

/** How many prompts a completion has: a list of strings, or of lists of token ids. One list of ids is one prompt. */
function countPrompts(scanner: JsonScanner): number {
  const member = scanner.findMember('prompt');
  // A text may be long: it is not made a string for this.
  if (member === -1 || scanner.memberFirstByte(member) !== OPEN_BRACKET) return 1;
  const prompts = scanner.parseMember(member);
  return Array.isArray(prompts) && typeof prompts[0] !== 'number' ? Math.max(1, prompts.length) : 1;
}

function readStreamOptions(scanner: JsonScanner): Record<string, unknown> | null {
  const member = scanner.findMember('stream_options');
  if (member === -1) return null;
  const options = scanner.parseMember(member);
  if (options === null) return null;
  if (typeof options !== 'object' || Array.isArray(options)) {
    throw new WeirError('invalid_request', { message: "Invalid type for 'stream_options': expected object.", param: 'stream_options' });
  }
  const entries: Record<string, unknown> = Object.fromEntries(Object.entries(options));
  if (Object.keys(entries).some((key) => key !== 'include_usage' && key.toUpperCase() === 'INCLUDE_USAGE')) {
    throw new WeirError('invalid_request', { message: "The key 'include_usage' must be written in lower case.", param: 'stream_options.include_usage' });
  }
  if (entries.include_usage != null && typeof entries.include_usage !== 'boolean') {
    throw new WeirError('invalid_request', {
      message: "Invalid type for 'stream_options.include_usage': expected boolean.",
      param: 'stream_options.include_usage',
    });
  }
  return entries;
}

/** Usage is always asked for: a stream without it could only be estimated. */
function toStreamUsageSplice(scanner: JsonScanner, options: Record<string, unknown> | null): Splice | null {
  if (options?.include_usage === true) return null;
  const text = JSON.stringify({ ...options, include_usage: true });
  const member = scanner.findMember('stream_options');
  if (member !== -1) return { start: scanner.memberValueStart(member), end: scanner.memberValueEnd(member), text };
  const end = scanner.memberValueEnd(scanner.memberCount - 1);
  return { start: end, end, text: `,"stream_options":${text}` };
}

