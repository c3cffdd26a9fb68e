import { WeirError } from '@weir/kernel';

/** demo/echo's largest output: bounds what one request makes the process hold. */
export const DEMO_LARGEST_OUTPUT_TOKENS = 4096;
const LARGEST_CHOICE_COUNT = 128;
const LARGEST_STOP_COUNT = 4;

/** What chat and completions have in common, checked. */
export interface DemoGenerationOptions {
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly largestOutputTokens: number;
  readonly choiceCount: number;
  readonly stops: readonly string[];
}

/** What an answer carries besides its content; handed in, so that the answer is a pure function. */
export interface DemoStamp {
  readonly id: string;
  readonly createdSeconds: number;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function invalid(param: string, message: string): WeirError {
  return new WeirError('invalid_request', { message, param });
}

export function parseObject(body: unknown): JsonObject {
  if (!isJsonObject(body)) throw new WeirError('invalid_request', { message: 'The body must be a JSON object.' });
  return body;
}

export function parseModel(body: JsonObject): string {
  if (typeof body.model !== 'string' || body.model === '') throw invalid('model', 'you must provide a model parameter');
  return body.model;
}

/** An integer of a range; null where the caller left it out. */
export function parseOptionalInteger(body: JsonObject, name: string, smallest: number, largest: number): number | null {
  const value = body[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < smallest || value > largest) {
    throw invalid(name, `'${name}' must be an integer from ${smallest} to ${largest}.`);
  }
  return value;
}

function parseOptionalBoolean(body: JsonObject, name: string, param = name): boolean {
  const value = body[name];
  if (value === undefined || value === null) return false;
  if (typeof value !== 'boolean') throw invalid(param, `'${param}' must be a boolean.`);
  return value;
}

function parseIncludeUsage(body: JsonObject, stream: boolean): boolean {
  const options = body.stream_options;
  if (options === undefined || options === null) return false;
  if (!stream) throw invalid('stream_options', "'stream_options' is only allowed when 'stream' is true.");
  if (!isJsonObject(options)) throw invalid('stream_options', "'stream_options' must be an object.");
  return parseOptionalBoolean(options, 'include_usage', 'stream_options.include_usage');
}

function parseStops(stop: unknown): string[] {
  if (stop === undefined || stop === null) return [];
  const stops: unknown[] = Array.isArray(stop) ? stop : [stop];
  if (stops.length > LARGEST_STOP_COUNT) throw invalid('stop', `'stop' takes at most ${LARGEST_STOP_COUNT} sequences.`);
  return stops.map((one) => {
    if (typeof one !== 'string') throw invalid('stop', "'stop' must be a string or an array of strings.");
    return one;
  });
}

export function parseGenerationOptions(body: JsonObject, outputLimits: readonly string[]): DemoGenerationOptions {
  const stream = parseOptionalBoolean(body, 'stream');
  const limits = outputLimits.map((name) => parseOptionalInteger(body, name, 1, Number.MAX_SAFE_INTEGER));
  return {
    model: parseModel(body),
    stream,
    includeUsage: parseIncludeUsage(body, stream),
    largestOutputTokens: Math.min(DEMO_LARGEST_OUTPUT_TOKENS, ...limits.filter((limit) => limit !== null)),
    choiceCount: parseOptionalInteger(body, 'n', 1, LARGEST_CHOICE_COUNT) ?? 1,
    stops: parseStops(body.stop),
  };
}
