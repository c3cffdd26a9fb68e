import { type Operation, WeirError } from '@weir/kernel';
import { type JsonFault, JsonScanner, MAX_JSON_DEPTH, type Splice } from '@weir/wire';
import { type OperationDefinition, toKind } from '../operations';
import { type EstimateFacts } from './estimate';
import { parseChoiceCount, parseOutputCap, toOutputCap } from './output-cap';

/** What the road needs to know of a request's body; the body itself stays bytes. */
export interface RequestFacts extends EstimateFacts {
  readonly body: Buffer;
  /** The model that the caller asks for. */
  readonly model: string;
  readonly isStream: boolean;
  /** The caller wants the usage chunk at the end of its stream. */
  readonly wantsStreamUsage: boolean;
  readonly operation: Operation;
  readonly bodyBytes: number;
  /** Bytes of language in the request, for estimates; ids of tokens count as so much language. */
  readonly textBytes: number;
  /** The caller's cap of a choice's output, in tokens; null when it set none. */
  readonly outputCap: number | null;
  /** It is set as `max_tokens`, which every server knows. */
  readonly hasMaxTokens: boolean;
  /** The first member that buys what the price of tokens does not cover; null when there is none. */
  readonly unpricedMember: string | null;
  readonly choiceCount: number;
  readonly promptCount: number;
  readonly imageCount: number;
  readonly fileCount: number;
  readonly hasTools: boolean;
  /** Behind the last member: where another one can be put in. */
  readonly membersEnd: number;
  /** Members that name an output cap without setting one: their `null` gives way to a number. */
  readonly emptyCaps: readonly EmptyCap[];
  /** Where the model's value stands, quotes included; both 0 when the body names none. */
  readonly modelStart: number;
  readonly modelEnd: number;
  /** What makes an upstream report usage in a stream; null when nothing has to change. */
  readonly streamUsageSplice: Splice | null;
}

/** A member such as `"max_tokens": null`, and where its value stands. */
export interface EmptyCap {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const MAX_MODEL_CHARACTERS = 256;
/** The members whose values Weir relies on. */
const CHECKED_MEMBERS = ['model', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'n', 'best_of', 'prompt'];
/** As much as estimates allow a token of text. */
const BYTES_PER_TOKEN_ID = 4;
/** Some servers ask other models than `model`, or instead of it: neither the key's list nor the price would know them. */
const OTHER_MODELS = ['models', 'fallbacks'];
/** Members with which a call costs more than its tokens do, or whose cap on output is another than the meter's. */
const UNPRICED_MEMBERS = ['web_search_options', 'search_parameters', 'plugins', 'audio', 'n_predict', 'max_new_tokens', 'max_output_tokens'];
const USUAL_TIERS: readonly unknown[] = ['auto', 'default', 'flex', null];
const NULL_START = 0x6e;
const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const NO_EMPTY_CAPS: readonly EmptyCap[] = [];
const DOT_SEGMENT = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/;
const scanner = new JsonScanner();

/**
 * Checks a body as far as it is Weir's business and takes the facts from it.
 * @param deployment the model, where the path names it; a `model` in the body then plays no part
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function parseRequestFacts(body: Buffer, definition: OperationDefinition, deployment: string | null): RequestFacts {
  if (!scanner.scan(body, 0, body.length, { strictKeys: true })) throw toJsonError(scanner.fault, body.length);
  if (body[scanner.valueStart] !== 0x7b) {
    throw new WeirError('invalid_request', { message: 'The body must be a JSON object.' });
  }
  refuseOtherSpellings();
  refuseOtherModels();
  const modelMember = scanner.findMember('model');
  const model = parseModel(deployment ?? readModel(modelMember));
  definition.checkBody(scanner);
  const isStream = readStream(definition);
  const maxCompletionTokens = parseOutputCap(readMember('max_completion_tokens'), 'max_completion_tokens');
  const maxTokens = parseOutputCap(readMember('max_tokens'), 'max_tokens');
  refuseOddCaps(definition.operation, maxCompletionTokens, maxTokens);
  const streamOptions = isStream ? readStreamOptions() : null;
  return {
    body,
    model,
    isStream,
    wantsStreamUsage: streamOptions?.include_usage === true,
    operation: definition.operation,
    bodyBytes: body.length,
    textBytes: scanner.textBytes + BYTES_PER_TOKEN_ID * countTokenIds(body, definition.operation),
    outputCap: toOutputCap(maxCompletionTokens, maxTokens),
    hasMaxTokens: maxTokens !== null,
    unpricedMember: findUnpricedMember(),
    choiceCount: Math.max(parseChoiceCount(readMember('n'), 'n'), parseChoiceCount(readMember('best_of'), 'best_of')),
    promptCount: definition.operation === 'completions' ? countPrompts() : 1,
    imageCount: scanner.imageCount,
    fileCount: scanner.fileCount,
    hasTools: scanner.findMember('tools') !== -1 || scanner.findMember('functions') !== -1,
    membersEnd: scanner.memberValueEnd(scanner.memberCount - 1),
    emptyCaps: maxTokens === null ? findEmptyCaps() : NO_EMPTY_CAPS,
    modelStart: modelMember === -1 ? 0 : scanner.memberValueStart(modelMember),
    modelEnd: modelMember === -1 ? 0 : scanner.memberValueEnd(modelMember),
    streamUsageSplice: isStream ? toStreamUsageSplice(streamOptions) : null,
  };
}

/** The splice that gives a body its upstream's model name; null when it has it already. */
export function toModelSplice(facts: RequestFacts, upstreamModelJson: string): Splice | null {
  if (facts.modelEnd === 0) {
    const start = facts.body.indexOf(0x7b) + 1;
    return { start, end: start, text: `"model":${upstreamModelJson},` };
  }
  const isSame = facts.body.toString('utf8', facts.modelStart, facts.modelEnd) === upstreamModelJson;
  return isSame ? null : { start: facts.modelStart, end: facts.modelEnd, text: upstreamModelJson };
}

/** The splice that sets the cap of a choice's output; `name` is what the upstream calls it. */
export function toCapSplice(facts: RequestFacts, name: string, cap: number): Splice {
  const empty = facts.emptyCaps.find((member) => member.name === name);
  if (empty !== undefined) return { start: empty.start, end: empty.end, text: String(cap) };
  return { start: facts.membersEnd, end: facts.membersEnd, text: `,"${name}":${cap}` };
}

function refuseOtherModels(): void {
  for (const name of OTHER_MODELS) {
    if (scanner.findMember(name) === -1) continue;
    throw new WeirError('invalid_request', { message: `The parameter '${name}' is not supported: a request is for one model.`, param: name });
  }
}

function findUnpricedMember(): string | null {
  for (const name of UNPRICED_MEMBERS) {
    const member = scanner.findMember(name);
    if (member !== -1 && scanner.memberFirstByte(member) !== NULL_START) return name;
  }
  const tier = scanner.findMember('service_tier');
  return tier === -1 || USUAL_TIERS.includes(scanner.parseMember(tier)) ? null : 'service_tier';
}

/** A member's value; undefined when it is absent. For small ones. */
function readMember(name: string): unknown {
  const member = scanner.findMember(name);
  return member === -1 ? undefined : scanner.parseMember(member);
}

function findEmptyCaps(): readonly EmptyCap[] {
  const caps: EmptyCap[] = [];
  for (const name of ['max_tokens', 'max_completion_tokens']) {
    const member = scanner.findMember(name);
    if (member !== -1 && scanner.memberFirstByte(member) === NULL_START) caps.push({ name, start: scanner.memberValueStart(member), end: scanner.memberValueEnd(member) });
  }
  return caps.length === 0 ? NO_EMPTY_CAPS : caps;
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
function countTokenIds(body: Buffer, operation: Operation): number {
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
function countPrompts(): number {
  const member = scanner.findMember('prompt');
  // A text may be long: it is not made a string for this.
  if (member === -1 || scanner.memberFirstByte(member) !== OPEN_BRACKET) return 1;
  const prompts = scanner.parseMember(member);
  return Array.isArray(prompts) && typeof prompts[0] !== 'number' ? Math.max(1, prompts.length) : 1;
}

function readModel(member: number): string {
  if (member === -1) throw new WeirError('invalid_request', { message: "Missing required parameter: 'model'.", param: 'model' });
  const kind = toKind(scanner.memberFirstByte(member));
  const model = kind === 'string' ? scanner.stringMember(member) : null;
  if (model === null) throw new WeirError('invalid_request', { message: `Invalid type for 'model': expected string, but got ${kind}.`, param: 'model' });
  return model;
}

/** @throws WeirError invalid_request or model_not_found for what can be no model's name */
function parseModel(model: string): string {
  if (model === '' || model.length > MAX_MODEL_CHARACTERS) {
    throw new WeirError('invalid_request', { message: `Invalid 'model': it must have 1 to ${MAX_MODEL_CHARACTERS} characters.`, param: 'model' });
  }
  // Half a surrogate pair cannot be written into a path, and a dot segment would lead out of Azure's deployments.
  if (!model.isWellFormed() || DOT_SEGMENT.test(model)) {
    throw new WeirError('model_not_found', { message: 'The model does not exist: this is no name of one.', param: 'model' });
  }
  return model;
}

/**
 * Servers written in Go take `Model` for `model`: beside the name that is held against the key's
 * list, another spelling could name another model, or switch the usage off.
 */
function refuseOtherSpellings(): void {
  for (const name of CHECKED_MEMBERS) {
    if (scanner.hasOtherSpelling(name)) {
      throw new WeirError('invalid_request', { message: `The key '${name}' must be written in lower case.`, param: name });
    }
  }
}

function readStream(definition: OperationDefinition): boolean {
  const member = scanner.findMember('stream');
  if (member === -1) return false;
  const kind = toKind(scanner.memberFirstByte(member));
  if (kind !== 'boolean' && kind !== 'null') {
    throw new WeirError('invalid_request', { message: `Invalid type for 'stream': expected boolean, but got ${kind}.`, param: 'stream' });
  }
  const isStream = scanner.memberFirstByte(member) === 0x74;
  if (isStream && !definition.canStream) {
    throw new WeirError('invalid_request', { message: "Invalid 'stream': this operation does not stream.", param: 'stream' });
  }
  return isStream;
}

function readStreamOptions(): Record<string, unknown> | null {
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
function toStreamUsageSplice(options: Record<string, unknown> | null): Splice | null {
  if (options?.include_usage === true) return null;
  const text = JSON.stringify({ ...options, include_usage: true });
  const member = scanner.findMember('stream_options');
  if (member !== -1) return { start: scanner.memberValueStart(member), end: scanner.memberValueEnd(member), text };
  const end = scanner.memberValueEnd(scanner.memberCount - 1);
  return { start: end, end, text: `,"stream_options":${text}` };
}

function toJsonError(fault: JsonFault | null, length: number): WeirError {
  const param = fault?.path === '' || fault === null ? undefined : fault.path;
  switch (fault?.reason) {
    case 'duplicate_key':
      return new WeirError('invalid_request', { message: `The key '${param}' is said twice.`, param });
    case 'forbidden_key':
      return new WeirError('invalid_request', { message: "The key '__proto__' is not allowed.", param });
    case 'too_deep':
      return new WeirError('invalid_request', { message: `The body is nested deeper than ${MAX_JSON_DEPTH} levels.`, param });
    case 'too_many_keys':
      return new WeirError('invalid_request', { message: 'An object of the body has too many keys.', param });
    case 'invalid_utf8':
      return new WeirError('invalid_json', { message: 'The body is not valid UTF-8.' });
    case 'syntax':
    case undefined:
      return new WeirError('invalid_json', {
        message: length === 0 ? 'The body is empty; a JSON object is expected.' : `The body is not valid JSON (at byte ${fault?.offset ?? 0}).`,
        param,
      });
  }
}
