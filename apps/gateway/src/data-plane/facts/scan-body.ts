import { WeirError } from '@weir/kernel';
import { type JsonFault, JsonScanner, MAX_JSON_DEPTH } from '@weir/wire';
import { requireMember, toKind } from './require-member';

const MAX_MODEL_CHARACTERS = 256;
const NULL_START = 0x6e;
const DOT_SEGMENT = /(?:^|[/\\])\.{1,2}(?:[/\\]|$)/;

/** Scans are synchronous, so one scanner serves every request of the process: its results hold until the next scan. */
const scanner = new JsonScanner();

/**
 * Checks that a body is one JSON object which nobody can read in two ways.
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function scanBody(body: Buffer): JsonScanner {
  if (!scanner.scan(body, 0, body.length, { strictKeys: true })) throw toJsonError(scanner.fault, body.length);
  if (body[scanner.valueStart] !== 0x7b) throw new WeirError('invalid_request', { message: 'The body must be a JSON object.' });
  return scanner;
}

/**
 * Servers written in Go take `Model` for `model`: beside the name that is held against the key's
 * list, another spelling could name another model, or switch the usage off.
 */
export function refuseOtherSpellings(names: readonly string[]): void {
  const name = scanner.findOtherSpelling(names);
  if (name !== null) throw new WeirError('invalid_request', { message: `The key '${name}' must be written in lower case.`, param: name });
}

/** Whether the body has a member that is not null. */
export function hasMember(name: string): boolean {
  const member = scanner.findMember(name);
  return member !== -1 && scanner.memberFirstByte(member) !== NULL_START;
}

/** A member's value; undefined when it is absent. For small ones. */
export function readMember(name: string): unknown {
  const member = scanner.findMember(name);
  return member === -1 ? undefined : scanner.parseMember(member);
}

/** The model's name as the body says it. */
export function readModel(member: number): string {
  if (member === -1) throw new WeirError('invalid_request', { message: "Missing required parameter: 'model'.", param: 'model' });
  const kind = toKind(scanner.memberFirstByte(member));
  const model = kind === 'string' ? scanner.stringMember(member) : null;
  if (model === null) throw new WeirError('invalid_request', { message: `Invalid type for 'model': expected string, but got ${kind}.`, param: 'model' });
  return model;
}

/** The name that was found good last: callers ask for the same again and again. */
let lastModel: string | null = null;

/** @throws WeirError invalid_request or model_not_found for what can be no model's name */
export function parseModel(model: string): string {
  if (model === lastModel) return model;
  if (model === '' || model.length > MAX_MODEL_CHARACTERS) {
    throw new WeirError('invalid_request', { message: `Invalid 'model': it must have 1 to ${MAX_MODEL_CHARACTERS} characters.`, param: 'model' });
  }
  // Half a surrogate pair cannot be written into a path, and a dot segment would lead out of Azure's deployments.
  if (!model.isWellFormed() || DOT_SEGMENT.test(model)) {
    throw new WeirError('model_not_found', { message: 'The model does not exist: this is no name of one.', param: 'model' });
  }
  lastModel = model;
  return model;
}

/** @throws WeirError invalid_request where the operation does not stream, but should */
export function readStream(canStream: boolean): boolean {
  const member = scanner.findMember('stream');
  if (member === -1) return false;
  const kind = toKind(scanner.memberFirstByte(member));
  if (kind !== 'boolean' && kind !== 'null') {
    throw new WeirError('invalid_request', { message: `Invalid type for 'stream': expected boolean, but got ${kind}.`, param: 'stream' });
  }
  const isStream = scanner.memberFirstByte(member) === 0x74;
  if (isStream && !canStream) {
    throw new WeirError('invalid_request', { message: "Invalid 'stream': this operation does not stream.", param: 'stream' });
  }
  return isStream;
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

/** @throws WeirError invalid_request when the member is absent, of another kind, or an empty array */
export function requireMemberOf(body: JsonScanner, name: string, kind: 'array' | 'object'): void {
  requireMember(body, name, [kind]);
}
