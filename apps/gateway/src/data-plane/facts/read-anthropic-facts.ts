import { WeirError, zeroUsage } from '@weir/kernel';
import { type JsonScanner } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { type Work } from '../estimate';
import { countMedia } from './count-media';
import { parseOutputCap } from './output-cap';
import { NO_EMPTY_CAPS, type RequestFacts } from './request-facts';
import { hasMember, parseModel, readMember, readModel, readStream, refuseOtherSpellings, requireMemberOf, scanBody } from './scan-body';

const CHECKED_MEMBERS = ['model', 'stream', 'max_tokens'];
/** Members with which a call costs more than its tokens at their usual price. */
const UNPRICED_MEMBERS = ['mcp_servers', 'container', 'inference_geo', 'speed'];
const USUAL_TIERS: readonly unknown[] = ['auto', 'standard_only', null];
/** Cache writes for an hour cost more than those for five minutes, which the price is for. */
const USUAL_CACHE_TTL: readonly unknown[] = ['5m', null, undefined];
const TTL_KEY = Buffer.from('"ttl"');
/** A key may be written with escapes, which no byte search finds. */
const ESCAPE = Buffer.from('\\u00');

/**
 * The facts of a request to Anthropic's `POST /v1/messages`
 * (https://docs.anthropic.com/en/api/messages) or `/v1/messages/count_tokens`.
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readAnthropicFacts(body: Buffer, definition: OperationDefinition): RequestFacts {
  const scanner = scanBody(body);
  refuseOtherSpellings(CHECKED_MEMBERS);
  const modelMember = scanner.findMember('model');
  const model = parseModel(readModel(modelMember));
  requireMemberOf(scanner, 'messages', 'array');
  const isCount = definition.format === 'anthropic-count-tokens';
  const outputCap = isCount ? 0 : readOutputCap();
  const media = countMedia(scanner, body);
  return {
    body,
    format: definition.format,
    model,
    isStream: !isCount && readStream(definition.canStream),
    wantsStreamUsage: true,
    operation: definition.operation,
    bodyBytes: body.length,
    textBytes: scanner.textBytes,
    outputCap,
    hasMaxTokens: true,
    unpricedMember: isCount ? null : findUnpricedMember(scanner, body),
    choiceCount: 1,
    promptCount: 1,
    imageCount: media.imageCount,
    fileCount: media.fileCount,
    hasTools: scanner.findMember('tools') !== -1,
    hasThinking: false,
    // A count costs nothing, and tells no usage.
    work: isCount ? NO_WORK : null,
    capHolder: null,
    membersEnd: scanner.memberValueEnd(scanner.memberCount - 1),
    emptyCaps: NO_EMPTY_CAPS,
    modelStart: scanner.memberValueStart(modelMember),
    modelEnd: scanner.memberValueEnd(modelMember),
    streamUsageSplice: null,
  };
}

const NO_WORK: Work = { known: zeroUsage(), usual: zeroUsage(), worst: zeroUsage() };

/** Anthropic demands it; 0 only warms the cache there. */
function readOutputCap(): number {
  const cap = parseOutputCap(readMember('max_tokens'), 'max_tokens');
  if (cap === null) throw new WeirError('invalid_request', { message: "Missing required parameter: 'max_tokens'.", param: 'max_tokens' });
  return cap;
}

function findUnpricedMember(scanner: JsonScanner, body: Buffer): string | null {
  for (const name of UNPRICED_MEMBERS) if (hasMember(name)) return name;
  if (!USUAL_TIERS.includes(readMember('service_tier') ?? null)) return 'service_tier';
  if ((body.includes(TTL_KEY) || body.includes(ESCAPE)) && hasLongCache(JSON.parse(body.toString('utf8')))) return 'cache_control.ttl';
  return hasServerTool(scanner) ? 'tools' : null;
}

/** Anywhere, because cache marks may stand at each block; the scan has bounded the depth. */
function hasLongCache(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(hasLongCache);
  return Object.entries(value).some(([key, entry]: [string, unknown]) => (key === 'cache_control' && hasOtherTtl(entry)) || hasLongCache(entry));
}

function hasOtherTtl(mark: unknown): boolean {
  return typeof mark === 'object' && mark !== null && !USUAL_CACHE_TTL.includes(Reflect.get(mark, 'ttl'));
}

/** Tools that Anthropic runs itself have prices of their own; a caller's have no type, or the type `custom`. */
function hasServerTool(scanner: JsonScanner): boolean {
  const member = scanner.findMember('tools');
  const tools: unknown = member === -1 ? [] : scanner.parseMember(member);
  if (!Array.isArray(tools)) return false;
  return tools.some((tool: unknown) => {
    const type: unknown = typeof tool === 'object' && tool !== null ? Reflect.get(tool, 'type') : null;
    return type !== undefined && type !== null && type !== 'custom';
  });
}
