import { WeirError } from '@weir/kernel';
import { type JsonFault, JsonScanner, MAX_JSON_DEPTH, type Splice } from '@weir/wire';
import { type OperationDefinition, toKind } from '../operations';

/** What the road needs to know of a request's body; the body itself stays bytes. */
export interface RequestFacts {
  readonly body: Buffer;
  /** The model that the caller asks for. */
  readonly model: string;
  readonly isStream: boolean;
  /** The caller wants the usage chunk at the end of its stream. */
  readonly wantsStreamUsage: boolean;
  /** Bytes of language in the request, for an estimate where the upstream reports no usage. */
  readonly textBytes: number;
  /** Where the model's value stands, quotes included; both 0 when the body names none. */
  readonly modelStart: number;
  readonly modelEnd: number;
  /** What makes an upstream report usage in a stream; null when nothing has to change. */
  readonly streamUsageSplice: Splice | null;
}

const MAX_MODEL_CHARACTERS = 256;
/** The members whose values Weir relies on. */
const CHECKED_MEMBERS = ['model', 'stream', 'stream_options'];
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
  const modelMember = scanner.findMember('model');
  const model = parseModel(deployment ?? readModel(modelMember));
  definition.checkBody(scanner);
  const isStream = readStream(definition);
  const streamOptions = isStream ? readStreamOptions() : null;
  return {
    body,
    model,
    isStream,
    wantsStreamUsage: streamOptions?.include_usage === true,
    textBytes: scanner.textBytes,
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
