import { type ConversationTool, type ToolChoice } from '../conversation';
import { type JsonObject } from '../json-object';
import { toJsonSchema } from './read-schema';
import { findCamelObject, findCamelObjects } from './to-camel-object';

export interface GeminiTools {
  readonly tools: readonly ConversationTool[];
  /** How the caller calls the name of each tool, for refusals. */
  readonly nameFields: readonly string[];
  readonly toolChoice: ToolChoice | null;
}

interface DeclaredTool {
  readonly tool: ConversationTool;
  readonly nameField: string;
}

const NAME_OF_TOOL = /^[A-Za-z]{1,64}$/;

/**
 * Reads `tools` and `toolConfig`. Google's own tools (search, code, URLs, …) are refused: nobody else
 * runs them.
 * @param request in camelCase
 * @throws WeirError invalid_request
 */
export function readGeminiTools(request: JsonObject): GeminiTools {
  const declared = findCamelObjects(request, 'tools').flatMap(readTool);
  const config = findCamelObject(request, 'toolConfig');
  if (config?.findFlag('includeServerSideToolInvocations') === true) throw config.fault('includeServerSideToolInvocations', 'cannot be translated for this model');
  const calling = config === null ? null : findCamelObject(config, 'functionCallingConfig');
  const allowed = calling === null ? null : readAllowed(calling, declared);
  const left = allowed === null ? declared : declared.filter(({ tool }) => allowed.includes(tool.name));
  return {
    tools: left.map(({ tool }) => tool),
    nameFields: left.map(({ nameField }) => nameField),
    toolChoice: calling === null ? null : readChoice(calling, allowed),
  };
}

function readTool(tool: JsonObject): DeclaredTool[] {
  for (const name of tool.names) {
    if (name === 'functionDeclarations' || !tool.has(name)) continue;
    throw tool.fault(NAME_OF_TOOL.test(name) ? name : '', "cannot be translated for this model: Google's own tools run on its servers only");
  }
  return findCamelObjects(tool, 'functionDeclarations').map(readDeclaration);
}

function readDeclaration(declaration: JsonObject): DeclaredTool {
  const jsonSchema = declaration.findRecord('parametersJsonSchema');
  const schema = declaration.findRecord('parameters');
  return {
    tool: {
      name: declaration.getText('name'),
      description: declaration.findText('description'),
      schema: { properties: {}, ...(jsonSchema ?? (schema === null ? {} : toJsonSchema(schema))), type: 'object' },
      isStrict: false,
    },
    nameField: declaration.pathOf('name'),
  };
}

function readAllowed(calling: JsonObject, declared: readonly DeclaredTool[]): readonly string[] | null {
  const allowed = calling.findTexts('allowedFunctionNames') ?? [];
  const unknown = allowed.findIndex((name) => !declared.some(({ tool }) => tool.name === name));
  if (unknown !== -1) throw calling.fault(`allowedFunctionNames[${unknown}]`, 'must be the name of a declared function');
  return allowed.length === 0 ? null : allowed;
}

/** VALIDATED is AUTO with a guarantee about arguments, which others give for some schemas only. */
function readChoice(calling: JsonObject, allowed: readonly string[] | null): ToolChoice | null {
  switch (calling.findChoice('mode', ['MODE_UNSPECIFIED', 'AUTO', 'ANY', 'NONE', 'VALIDATED'])) {
    case 'ANY':
      return allowed?.length === 1 ? { type: 'tool', name: allowed[0] } : { type: 'required' };
    case 'NONE':
      return { type: 'none' };
    case 'AUTO':
    case 'VALIDATED':
      return { type: 'auto' };
    case 'MODE_UNSPECIFIED':
    case null:
      return null;
  }
}
