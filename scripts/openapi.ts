import 'reflect-metadata';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createOpenApiDocument } from '../apps/gateway/src/admin/create-open-api-document';

const DOCUMENT = resolve('docs/openapi.json');

/** Writes the admin API's OpenAPI document into the folder it is started in. Needs no database. */
async function main(): Promise<void> {
  await writeFile(DOCUMENT, `${JSON.stringify(await createOpenApiDocument(), null, 2)}\n`);
  process.stdout.write(`wrote ${DOCUMENT}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`openapi: ${error instanceof Error ? error.message : 'failed'}\n`);
  process.exitCode = 1;
});
