import { getEncryptionKeys } from '@weir/platform';
import { KeyRing, UpstreamKeyVault } from '@weir/vault';
import { importUpstreamKeys, type ImportReport } from '../apps/gateway/src/setup/import-upstream-keys';
import { FAILED, runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';
import { withDatabase } from './with-database';

const USAGE = 'usage: init_upstream_keys (reads UPSTREAM_TYPE, OPENAI_API_KEYS, AZURE_API_KEYS, … from the environment)';

/** Imports every provider key of the environment that is not held yet, and says what it did. Never prints a key. */
export async function initUpstreamKeys({ args, environment, print }: ScriptInput): Promise<number> {
  if (args.length > 0) throw new UsageError(USAGE);
  const reports = await withDatabase(environment, async ({ configuration, server, dataSource }) => {
    const ring = KeyRing.parse(await getEncryptionKeys(configuration, server.dataDirectory));
    return importUpstreamKeys(environment, dataSource, new UpstreamKeyVault(dataSource.manager, ring));
  });
  print(reports.length === 0 ? 'The environment holds no provider keys; nothing was done.\n' : reports.map(toText).join(''));
  return reports.some(({ hasOtherAddress }) => hasOtherAddress) ? FAILED : SUCCEEDED;
}

function toText({ upstream, madeUpstream, importedKeys, heldKeys, madeModels, hasOtherAddress }: ImportReport): string {
  if (hasOtherAddress) {
    return `${upstream}: left alone: it has another address than the environment; change that by the admin API, which asks for its keys again\n`;
  }
  const models = madeModels.length === 0 ? '' : `\n  offers ${madeModels.join(', ')}`;
  return `${upstream}: ${madeUpstream ? 'made; ' : ''}${importedKeys} imported, ${heldKeys} held already${models}\n`;
}

if (require.main === module) void runScript('init_upstream_keys', initUpstreamKeys);
