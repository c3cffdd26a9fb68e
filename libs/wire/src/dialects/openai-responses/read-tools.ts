import { type ConversationTool, type ToolChoice } from '../conversation';
import { type JsonObject } from '../json-object';

/**
 * Reads `tools` and `tool_choice`. Only functions: OpenAI's own tools run on its servers, and no other
 * dialect has custom ones. `strict` has to be said: that OpenAI makes a schema strict where it is left
 * out is work that others do not do. How a tool is found or called (`defer_loading`,
 * `allowed_callers`, `output_schema`) is dropped.
 * @throws WeirError invalid_request
 */
export function readResponsesTools(request: JsonObject): { tools: readonly ConversationTool[]; toolChoice: ToolChoice | null } {
  const tools = (request.findObjects('tools') ?? []).map(readTool);
  const choice = request.find('tool_choice');
  if (choice === null || typeof choice === 'string') {
    const type = request.findChoice('tool_choice', ['auto', 'none', 'required']);
    return { tools, toolChoice: type === null ? null : { type } };
  }
  const chosen = request.getObject('tool_choice');
  switch (chosen.findText('type')) {
    case 'function':
      return { tools, toolChoice: { type: 'tool', name: chosen.getText('name') } };
    case 'allowed_tools': {
      // No other dialect has a list beside the list: the tools that are not allowed are left out.
      const names = new Set((chosen.findObjects('tools') ?? []).map(readAllowedName));
      const mode = chosen.findChoice('mode', ['auto', 'required']) ?? 'auto';
      return { tools: tools.filter(({ name }) => names.has(name)), toolChoice: { type: mode } };
    }
    default:
      throw chosen.fault('type', 'must be function or allowed_tools: other tools cannot be translated for this model');
  }
}

function readTool(tool: JsonObject): ConversationTool {
  assertFunction(tool);
  return {
    name: tool.getText('name'),
    description: tool.findText('description'),
    schema: { type: 'object', ...(tool.findRecord('parameters') ?? { properties: {} }) },
    isStrict: tool.findFlag('strict') ?? false,
  };
}

function readAllowedName(tool: JsonObject): string {
  assertFunction(tool);
  return tool.getText('name');
}

function assertFunction(tool: JsonObject): void {
  if (tool.findText('type') === 'function') return;
  throw tool.fault('type', "must be function: OpenAI's own tools and custom tools cannot be translated for this model");
}
