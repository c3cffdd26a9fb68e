import 'reflect-metadata';
import { ConfigurationError } from '@weir/platform';
import { basename } from 'node:path';
import { parseLitellmConfig } from '../apps/gateway/src/apply/litellm/litellm-config';
import { toWeirFile } from '../apps/gateway/src/apply/litellm/to-weir-file';
import { parseForeignYaml } from '../apps/gateway/src/apply/parse-yaml';
import { readFileText } from '../apps/gateway/src/apply/read-file-text';
import { runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';

const USAGE = 'usage: import_litellm <config.yaml> (prints weir.yaml)';

/** Prints weir.yaml made from LiteLLM's configuration, and on stderr what is left to do. Never prints a key. */
export async function importLitellm({ args, print, tell }: ScriptInput): Promise<number> {
  const [path, ...others] = args;
  if (path === undefined || path.startsWith('-') || others.length > 0) throw new UsageError(USAGE);
  const name = basename(path);
  const text = await readFileText(path, name);
  if (text === null) throw new ConfigurationError(`there is no file ${path}`);
  const imported = toWeirFile(parseLitellmConfig(parseForeignYaml(text, name), name));
  print(imported.text);
  if (imported.madeVariables.length > 0) tell(`Set these variables to the keys that are written out in ${name}: ${imported.madeVariables.join(', ')}\n`);
  if (imported.notes.length > 0) tell(`${imported.notes.length} things are not as they were: see the comments.\n`);
  return SUCCEEDED;
}

if (require.main === module) void runScript('import_litellm', importLitellm);
