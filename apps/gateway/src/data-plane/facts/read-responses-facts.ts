import { WeirError } from '@weir/kernel';
import { type JsonScanner } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { parseOutputCap } from './output-cap';
import { type EmptyCap, type FactsPlace, NO_EMPTY_CAPS, type RequestFacts } from './request-facts';
import { hasMember, parseModel, readMember, readModel, readStream, refuseOtherSpellings, scanBody } from './scan-body';

const CHECKED_MEMBERS = ['model', 'stream', 'max_output_tokens', 'background'];
/** They bring in what is stored at the provider: its tokens are charged, and nobody knows how many. */
const STORED_INPUT = ['previous_response_id', 'conversation', 'prompt'];
const USUAL_TIERS: readonly unknown[] = ['auto', 'default', 'flex', null];
const CALLERS_TOOLS: readonly unknown[] = ['function', 'custom'];

/**
 * The facts of a request to OpenAI's `POST /v1/responses`
 * (https://platform.openai.com/docs/api-reference/responses/create).
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readResponsesFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(CHECKED_MEMBERS);
  const modelMember = scanner.findMember('model');
  const model = parseModel(place.model ?? readModel(modelMember));
  // Its work goes on when the call is over: no row would tell what it cost.
  if ((readMember('background') ?? false) !== false) throw new WeirError('invalid_request', { message: "Invalid 'background': it must not be true.", param: 'background' });
  return {
    body,
    format: definition.format,
    model,
    isStream: readStream(definition.canStream),
    wantsStreamUsage: true,
    operation: definition.operation,
    bodyBytes: body.length,
    textBytes: scanner.textBytes,
    outputCap: readOutputCap(),
    hasMaxTokens: true,
    unpricedMember: findUnpricedMember(scanner, body),
    choiceCount: 1,
    promptCount: 1,
    imageCount: scanner.imageCount,
    fileCount: scanner.fileCount,
    hasTools: scanner.findMember('tools') !== -1,
    hasThinking: false,
    work: null,
    capHolder: null,
    membersEnd: scanner.memberValueEnd(scanner.memberCount - 1),
    emptyCaps: findEmptyCap(scanner),
    modelStart: modelMember === -1 ? 0 : scanner.memberValueStart(modelMember),
    modelEnd: modelMember === -1 ? 0 : scanner.memberValueEnd(modelMember),
    streamUsageSplice: null,
  };
}

function readOutputCap(): number | null {
  const cap = parseOutputCap(readMember('max_output_tokens'), 'max_output_tokens');
  if (cap === 0) throw new WeirError('invalid_request', { message: "Invalid 'max_output_tokens': it must be at least 1.", param: 'max_output_tokens' });
  return cap;
}

function findEmptyCap(scanner: JsonScanner): readonly EmptyCap[] {
  const member = scanner.findMember('max_output_tokens');
  if (member === -1 || hasMember('max_output_tokens')) return NO_EMPTY_CAPS;
  return [{ name: 'max_output_tokens', start: scanner.memberValueStart(member), end: scanner.memberValueEnd(member) }];
}

/** Items that only name what is stored at the provider: by their type, or with an id and nothing that is said. */
function hasStoredItem(scanner: JsonScanner, body: Buffer): boolean {
  if (!body.includes('"id"') && !body.includes('\\u00')) return false;
  const member = scanner.findMember('input');
  const input: unknown = member === -1 ? null : scanner.parseMember(member);
  return Array.isArray(input) && input.some(isReference);
}

function isReference(item: unknown): boolean {
  if (typeof item !== 'object' || item === null) return false;
  const type: unknown = Reflect.get(item, 'type') ?? null;
  return type === 'item_reference' || (type === null && Reflect.get(item, 'role') === undefined);
}

function findUnpricedMember(scanner: JsonScanner, body: Buffer): string | null {
  for (const name of STORED_INPUT) if (hasMember(name)) return name;
  if (hasStoredItem(scanner, body)) return 'input';
  if (!USUAL_TIERS.includes(readMember('service_tier') ?? null)) return 'service_tier';
  const member = scanner.findMember('tools');
  const tools: unknown = member === -1 ? [] : (scanner.parseMember(member) ?? []);
  if (!Array.isArray(tools)) return 'tools';
  // Tools that OpenAI runs itself have prices of their own.
  return tools.some((tool: unknown) => !CALLERS_TOOLS.includes(typeof tool === 'object' && tool !== null ? Reflect.get(tool, 'type') : null)) ? 'tools' : null;
}
