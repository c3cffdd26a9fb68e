/** What an answer says, however its dialect writes it. */
export interface Told {
  readonly text: string;
  /** Thinking that the caller is shown. */
  readonly thinking: string;
  readonly calls: readonly ToldCall[];
  readonly stop: Stop;
  /** Why it would not answer, in words. */
  readonly refusal: string;
  readonly usage: ToldUsage;
}

export interface ToldCall {
  readonly name: string;
  readonly args: unknown;
}

/** `tools` is also a good end behind calls, where a dialect does not tell these apart. */
export type Stop = 'end' | 'tools' | 'length' | 'refusal' | `other: ${string}`;

/** In Weir's convention: the cache is inside the input, thinking inside the output. */
export interface ToldUsage {
  readonly input: number;
  readonly cached: number;
  /** Written to the cache; 0 where the dialect has no word for it. */
  readonly written: number;
  readonly output: number;
  readonly reasoning: number;
}

/** An answer as an official client hands it to its user. */
export interface SdkAnswer {
  readonly told: Told;
  /** The names of the calls' ids, in their order; empty where the dialect needs none. */
  readonly callIds: readonly string[];
  /** What the user puts into the next request as this answer, in the client's own types. */
  readonly replay: unknown;
  /** Of the HTTP answer. */
  readonly headers: Headers;
}

export interface ToolResult {
  readonly callId: string;
  readonly name: string;
  readonly text: string;
}

/** A question, as each client's user would ask it. */
export interface Question {
  readonly text: string;
  readonly isStream: boolean;
  /** Asked before, with the client's own answer and the results of its calls. */
  readonly before?: { readonly answer: SdkAnswer; readonly results: readonly ToolResult[] };
  readonly instructions?: string;
  /** Base64 of a PNG. */
  readonly image?: string;
  readonly hasTools?: boolean;
  readonly thinks?: boolean;
  /** JSON Schema of the answer. */
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly outputCap?: number;
}

/** An official client. */
export interface DialectClient {
  readonly name: DialectName;
  ask(model: string, question: Question): Promise<SdkAnswer>;
}

export const DIALECT_NAMES = ['chat', 'responses', 'anthropic', 'gemini'] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

export const WEATHER_SCHEMA = { type: 'object', properties: { location: { type: 'string', description: 'The city' } }, required: ['location'], additionalProperties: false };
/** One tool with arguments, one without. */
export const TOOLS = [
  { name: 'get_weather', description: 'The weather in a city', schema: WEATHER_SCHEMA },
  { name: 'get_time', description: 'What time it is', schema: null },
] as const;

/** A good end; calls before it mean that it waits for their results. */
export function toGoodEnd(calls: readonly unknown[]): Stop {
  return calls.length > 0 ? 'tools' : 'end';
}

/** A fetch that keeps the head of its last answer. */
export function keepHeaders(): { readonly fetch: typeof fetch; readonly last: () => Headers } {
  let headers = new Headers();
  const keeping: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    ({ headers } = response);
    return response;
  };
  return { fetch: keeping, last: () => headers };
}
