import { type UpstreamId } from '@weir/kernel';
import { getEncryptionKeys } from '@weir/platform';
import { BaseUrlError, parseBaseUrl, UpstreamEntity } from '@weir/upstreams';
import { KeyRing, type RotationReport, UpstreamKeyVault } from '@weir/vault';
import { type DataSource } from 'typeorm';
import { FAILED, runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';
import { withDatabase } from './with-database';

const USAGE = 'usage: rotate_encryption_key (no arguments; put the new key first in ENCRYPTION_KEYS, keep the old ones behind it)';

/**
 * Re-encrypts every upstream key that the first key of the ring has not written. Safe while Weir
 * serves, once every process has the new ring; after an interruption run it again.
 */
export async function rotateEncryptionKey({ args, environment, print, tell }: ScriptInput): Promise<number> {
  if (args.length > 0) throw new UsageError(USAGE);
  return withDatabase(environment, async ({ configuration, server, dataSource }) => {
    const ring = KeyRing.parse(await getEncryptionKeys(configuration, server.dataDirectory));
    const report = await new UpstreamKeyVault(dataSource.manager, ring).rotateAll({
      findOrigin: (upstreamId) => findOrigin(dataSource, upstreamId),
      onProgress: ({ rotated, remaining }) => tell(`${rotated} re-encrypted, ${remaining} to go\n`),
    });
    print(toText(report, ring));
    return report.remaining === 0 ? SUCCEEDED : FAILED;
  });
}

async function findOrigin(dataSource: DataSource, upstreamId: UpstreamId): Promise<string | null> {
  const upstream = await dataSource.manager.findOneBy(UpstreamEntity, { id: upstreamId });
  if (upstream === null) return null;
  try {
    return parseBaseUrl(upstream.baseUrl).origin;
  } catch (error) {
    if (error instanceof BaseUrlError) return null;
    throw error;
  }
}

function toText({ rotated, skipped, failures, remaining }: RotationReport, ring: KeyRing): string {
  const lines = [`Upstream keys re-encrypted with "${ring.writingKeyId}": ${rotated}; changed by others meanwhile: ${skipped}.`];
  for (const { upstreamKeyId, reason } of failures) lines.push(`Upstream key ${upstreamKeyId} was left as it is: ${reason}.`);
  if (remaining > 0) lines.push(`Upstream keys that still need an older key: ${remaining}. Keep the older keys in the ring.`);
  else if (ring.all().length > 1) lines.push('No row needs the older keys any more. They may leave the ring once every process writes with the new one.');
  else lines.push('To rotate, put a new key in front: ENCRYPTION_KEYS=<new id>:<64 hex digits>,<the present entry>.');
  return lines.join('\n') + '\n';
}

if (require.main === module) void runScript('rotate_encryption_key', rotateEncryptionKey);
