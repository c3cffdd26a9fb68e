import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toPublishedSchema } from '../apps/gateway/src/apply/file-schema';
import { runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';

const SCHEMA = 'weir.schema.json';

/** Writes weir.yaml's schema for editors into the folder it is started in. Needs no database. */
export async function weirSchema({ args, print }: ScriptInput): Promise<number> {
  if (args.length > 0) throw new UsageError('usage: weir_schema');
  await writeFile(resolve(SCHEMA), toPublishedSchema());
  print(`wrote ${SCHEMA}\n`);
  return SUCCEEDED;
}

if (require.main === module) void runScript('weir_schema', weirSchema);
