import { isJsonObject, JsonObject } from '../json-object';

/**
 * What an answer of Responses repeats of its request, as the JSON text of an object: made once, as a
 * stream says it three times. What the caller did not say is what OpenAI takes for it, or null.
 * `store` is false, whatever the caller said: nothing is stored.
 * @param body the parsed JSON (parseExactJson) that readResponsesRequest accepted
 */
export function toResponsesEchoJson(body: unknown): string {
  const request = JsonObject.of(body, '', 'caller');
  const user = request.find('user');
  return JSON.stringify({
    instructions: request.find('instructions'),
    max_output_tokens: request.find('max_output_tokens'),
    metadata: request.find('metadata') ?? {},
    parallel_tool_calls: request.find('parallel_tool_calls') ?? true,
    reasoning: { effort: null, summary: null, ...request.findRecord('reasoning') },
    safety_identifier: request.find('safety_identifier'),
    store: false,
    temperature: request.find('temperature'),
    text: { format: { type: 'text' }, ...withoutNulls(request.findRecord('text')) },
    tool_choice: request.find('tool_choice') ?? 'auto',
    tools: (request.findList('tools') ?? []).map(toEchoedTool),
    top_p: request.find('top_p'),
    ...(user === null ? {} : { user }),
    // What Weir has not, or refuses.
    access_programs: null,
    background: false,
    max_tool_calls: null,
    previous_response_id: null,
    top_logprobs: 0,
    truncation: 'disabled',
  });
}

/** Clients expect both members in what an answer repeats, though a request may leave them out. */
function toEchoedTool(tool: unknown): unknown {
  return isJsonObject(tool) ? { ...tool, parameters: tool.parameters ?? null, strict: tool.strict ?? false } : tool;
}

function withoutNulls(record: Readonly<Record<string, unknown>> | null): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(record ?? {}).filter(([, value]) => value !== null));
}
