import { type SimulatorCall, type SpokenFormat } from '@weir/testing';

// A test's own reading of what the provider was sent: loose, because nothing is decided by it but the test.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Loose = any;

/** What a provider was asked, however its dialect writes it. */
export interface Heard {
  readonly instructions: string;
  readonly userTexts: readonly string[];
  /** Base64. */
  readonly images: readonly string[];
  readonly calls: readonly { readonly name: string; readonly args: unknown }[];
  /** Texts of results, by the call that they answer. */
  readonly results: readonly (readonly [name: string, text: string])[];
  readonly tools: readonly (readonly [name: string, schema: unknown])[];
  readonly schema: unknown;
  readonly outputCap: number | undefined;
  readonly isStream: boolean;
  /** Whether it was asked to think. */
  readonly thinks: boolean;
}

export function toHeard(format: SpokenFormat, call: SimulatorCall): Heard {
  const body: Loose = call.json;
  switch (format) {
    case 'openai-chat':
      return hearChat(body);
    case 'openai-responses':
      return hearResponses(body);
    case 'anthropic':
      return hearAnthropic(body);
    case 'gemini':
      return hearGemini(body, call.path);
  }
}

const NO_SCHEMA = null;
/** A tool without parameters has no schema, or an object's without members. */
const toToolSchema = (schema: Loose): unknown => (schema === undefined || schema === null || Object.keys(schema.properties ?? {}).length === 0 ? NO_SCHEMA : schema);
const toTexts = (content: Loose): string[] => (typeof content === 'string' ? [content] : (content ?? []).flatMap(({ text }: Loose) => (text === undefined ? [] : [text])));

function hearChat(body: Loose): Heard {
  const of = (...roles: string[]): Loose[] => body.messages.filter(({ role }: Loose) => roles.includes(role));
  const calls: Loose[] = of('assistant').flatMap(({ tool_calls }) => tool_calls ?? []);
  const name = (id: string): string => calls.find((call) => call.id === id)?.function.name;
  return {
    instructions: of('system', 'developer').flatMap(({ content }) => toTexts(content)).join(''),
    userTexts: of('user').flatMap(({ content }) => toTexts(content)),
    images: of('user').flatMap(({ content }) => (Array.isArray(content) ? content.flatMap(({ image_url }: Loose) => (image_url === undefined ? [] : [toBase64(image_url.url)])) : [])),
    calls: calls.map(({ function: called }) => ({ name: called.name, args: JSON.parse(called.arguments === '' ? '{}' : called.arguments) as unknown })),
    results: of('tool').map(({ tool_call_id, content }) => [name(tool_call_id), toTexts(content).join('')] as const),
    tools: (body.tools ?? []).map(({ function: tool }: Loose) => [tool.name, toToolSchema(tool.parameters)] as const),
    schema: body.response_format?.json_schema?.schema ?? NO_SCHEMA,
    outputCap: body.max_completion_tokens ?? body.max_tokens,
    isStream: body.stream === true,
    thinks: body.reasoning_effort !== undefined,
  };
}

function hearResponses(body: Loose): Heard {
  const items: Loose[] = typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : body.input;
  const users = items.filter(({ role }) => role === 'user');
  const calls = items.filter(({ type }) => type === 'function_call');
  return {
    instructions: body.instructions ?? '',
    userTexts: users.flatMap(({ content }) => toTexts(content)),
    images: users.flatMap(({ content }) => (Array.isArray(content) ? content.flatMap(({ image_url }: Loose) => (image_url === undefined ? [] : [toBase64(image_url)])) : [])),
    calls: calls.map(({ name, arguments: json }) => ({ name, args: JSON.parse(json) as unknown })),
    results: items.filter(({ type }) => type === 'function_call_output').map(({ call_id, output }) => [calls.find((call) => call.call_id === call_id)?.name, output] as const),
    tools: (body.tools ?? []).map(({ name, parameters }: Loose) => [name, toToolSchema(parameters)] as const),
    schema: body.text?.format?.schema ?? NO_SCHEMA,
    outputCap: body.max_output_tokens,
    isStream: body.stream === true,
    thinks: body.reasoning?.effort !== undefined,
  };
}

function hearAnthropic(body: Loose): Heard {
  const of = (role: string): Loose[] => body.messages.filter((message: Loose) => message.role === role).flatMap(({ content }: Loose) => (typeof content === 'string' ? [{ type: 'text', text: content }] : content));
  const calls = of('assistant').filter(({ type }) => type === 'tool_use');
  return {
    instructions: toTexts(body.system).join(''),
    userTexts: of('user').flatMap(({ type, text }) => (type === 'text' ? [text] : [])),
    images: of('user').flatMap(({ type, source }) => (type === 'image' ? [source.data] : [])),
    calls: calls.map(({ name, input }) => ({ name, args: input })),
    results: of('user').flatMap(({ type, tool_use_id, content }) => (type === 'tool_result' ? [[calls.find(({ id }) => id === tool_use_id)?.name, toTexts(content).join('')] as const] : [])),
    tools: (body.tools ?? []).map(({ name, input_schema }: Loose) => [name, toToolSchema(input_schema)] as const),
    schema: body.output_config?.format?.schema ?? NO_SCHEMA,
    outputCap: body.max_tokens,
    isStream: body.stream === true,
    thinks: body.thinking?.type === 'adaptive' || body.thinking?.type === 'enabled',
  };
}

function hearGemini(body: Loose, path: string): Heard {
  const of = (isModel: boolean): Loose[] => body.contents.filter(({ role }: Loose) => (role === 'model') === isModel).flatMap(({ parts }: Loose) => parts);
  const config: Loose = body.generationConfig ?? {};
  const calls = of(true).filter(({ functionCall }) => functionCall !== undefined);
  return {
    instructions: toTexts(body.systemInstruction?.parts).join(''),
    userTexts: of(false).flatMap(({ text }) => (text === undefined ? [] : [text])),
    images: of(false).flatMap(({ inlineData }) => (inlineData === undefined ? [] : [inlineData.data])),
    calls: calls.map(({ functionCall: { name, args } }) => ({ name, args: args ?? {} })),
    results: of(false).flatMap(({ functionResponse }) => (functionResponse === undefined ? [] : [[functionResponse.name, functionResponse.response.output ?? functionResponse.response.result] as const])),
    tools: (body.tools ?? []).flatMap(({ functionDeclarations }: Loose) => functionDeclarations.map(({ name, parametersJsonSchema }: Loose) => [name, toToolSchema(parametersJsonSchema)] as const)),
    schema: config.responseJsonSchema ?? NO_SCHEMA,
    outputCap: config.maxOutputTokens,
    isStream: path.includes(':streamGenerateContent'),
    thinks: config.thinkingConfig !== undefined,
  };
}

function toBase64(url: string): string {
  return url.replace(/^data:image\/png;base64,/, '');
}
