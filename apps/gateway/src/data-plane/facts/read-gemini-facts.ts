import { WeirError } from '@weir/kernel';
import { type JsonScanner } from '@weir/wire';
import { type OperationDefinition } from '../../operations/operation-definition';
import { countMedia } from './count-media';
import { parseChoiceCount, parseOutputCap } from './output-cap';
import { type CapHolder, type FactsPlace, NO_EMPTY_CAPS, type RequestFacts } from './request-facts';
import { hasMember, parseModel, readMember, refuseOtherSpellings, requireMemberOf, scanBody } from './scan-body';

const CONFIG_NAMES = ['generationConfig', 'generation_config'] as const;
/** Tools that run here are declared as functions; the others are Google's own, with prices of their own. */
const CALLERS_TOOLS = ['functionDeclarations', 'function_declarations'];
const USUAL_TIERS: readonly unknown[] = ['standard', 'unspecified', 'flex', null];
const TEXT_ONLY: readonly unknown[] = ['TEXT', 'text'];

/**
 * The facts of a request to Google's `:generateContent` and `:streamGenerateContent`
 * (https://ai.google.dev/api/generate-content). Members may be written in camel or in snake case.
 * @throws WeirError invalid_json or invalid_request that names the field
 */
export function readGeminiFacts(body: Buffer, definition: OperationDefinition, place: FactsPlace): RequestFacts {
  const scanner = scanBody(body);
  // The path names the model; another one in the body would be asked for by some servers.
  refuseOtherSpellings(['model', 'contents']);
  const model = parseModel(place.model ?? '');
  requireMemberOf(scanner, 'contents', 'array');
  const config = readConfig(scanner);
  const media = countMedia(scanner, body);
  return {
    body,
    format: definition.format,
    model,
    isStream: place.isStream === true,
    wantsStreamUsage: true,
    operation: definition.operation,
    bodyBytes: body.length,
    textBytes: scanner.textBytes,
    outputCap: toCap(parseOutputCap(config.find('maxOutputTokens', 'max_output_tokens'), 'generationConfig.maxOutputTokens')),
    hasMaxTokens: true,
    unpricedMember: findUnpricedMember(scanner, config),
    choiceCount: parseChoiceCount(config.find('candidateCount', 'candidate_count'), 'generationConfig.candidateCount'),
    promptCount: 1,
    imageCount: media.imageCount,
    fileCount: media.fileCount,
    hasTools: scanner.findMember('tools') !== -1,
    hasThinking: false,
    work: null,
    capHolder: config,
    membersEnd: scanner.memberValueEnd(scanner.memberCount - 1),
    emptyCaps: NO_EMPTY_CAPS,
    modelStart: 0,
    modelEnd: 0,
    streamUsageSplice: null,
  };
}

/** 0 is as good as absent at Google. */
function toCap(cap: number | null): number | null {
  return cap === 0 ? null : cap;
}

/** What the body says of how to generate: the cap stands in it. */
interface GenerationConfig extends CapHolder {
  find(camel: string, snake: string): unknown;
}

/** @throws WeirError invalid_request where it is said twice or is no object */
function readConfig(scanner: JsonScanner): GenerationConfig {
  const named = CONFIG_NAMES.filter((name) => scanner.findMember(name) !== -1);
  if (named.length > 1) throw refuse(named[1], `must not be said beside '${named[0]}'`);
  const member = named.length === 0 ? -1 : scanner.findMember(named[0]);
  const config: unknown = (member === -1 ? null : scanner.parseMember(member)) ?? {};
  if (typeof config !== 'object' || config === null || Array.isArray(config)) throw refuse('generationConfig', 'must be an object');
  const membersEnd = scanner.memberValueEnd(scanner.memberCount - 1);
  const [start, end] = member === -1 ? [membersEnd, membersEnd] : [scanner.memberValueStart(member), scanner.memberValueEnd(member)];
  return {
    find(camel, snake) {
      const one: unknown = Reflect.get(config, camel);
      const other: unknown = Reflect.get(config, snake);
      if (one !== undefined && other !== undefined) throw refuse(`generationConfig.${snake}`, `must not be said beside '${camel}'`);
      return one ?? other;
    },
    toSplice(cap) {
      const text = JSON.stringify({ ...config, max_output_tokens: undefined, maxOutputTokens: cap });
      return { start, end, text: member === -1 ? `,"generationConfig":${text}` : text };
    },
  };
}

function findUnpricedMember(scanner: JsonScanner, config: GenerationConfig): string | null {
  for (const name of ['cachedContent', 'cached_content']) if (hasMember(name)) return name;
  const tier = readMember('serviceTier') ?? readMember('service_tier') ?? null;
  if (!USUAL_TIERS.includes(typeof tier === 'string' ? tier.toLowerCase() : tier)) return 'serviceTier';
  const modalities = config.find('responseModalities', 'response_modalities') ?? [];
  if (!Array.isArray(modalities) || modalities.some((modality: unknown) => !TEXT_ONLY.includes(modality))) return 'generationConfig.responseModalities';
  return hasVendorTool(scanner) ? 'tools' : null;
}

function hasVendorTool(scanner: JsonScanner): boolean {
  const member = scanner.findMember('tools');
  const tools: unknown = member === -1 ? [] : (scanner.parseMember(member) ?? []);
  if (!Array.isArray(tools)) return true;
  return tools.some((tool: unknown) => typeof tool === 'object' && tool !== null && Object.keys(tool).some((key) => !CALLERS_TOOLS.includes(key)));
}

function refuse(param: string, expected: string): WeirError {
  return new WeirError('invalid_request', { message: `Invalid '${param}': it ${expected}.`, param });
}
