import { type UpstreamId } from '@weir/kernel';
import { getEncryptionKeys } from '@weir/platform';
import { BaseUrlError, parseBaseUrl, UpstreamEntity } from '@weir/upstreams';
import { KeyRing, type RotationReport, SealedTexts, UpstreamKeyVault } from '@weir/vault';
import { type DataSource } from 'typeorm';
import { rotateAlertWebhooks, type WebhookRotation } from '../apps/gateway/src/admin/organizations/rotate-alert-webhooks';
import { FAILED, runScript, type ScriptInput, SUCCEEDED, UsageError } from './run-script';
import { withDatabase } from './with-database';

const USAGE = 'usage: rotate_encryption_key (no arguments; put the new key first in ENCRYPTION_KEYS, keep the old ones behind it)';

/**
 * Re-encrypts every upstream key and webhook secret that the first key of the ring has not written. Safe while Weir
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
    const webhooks = await rotateAlertWebhooks(dataSource.manager, new SealedTexts(ring));
    print(toText(report, webhooks, ring, await countPassing(dataSource, ring)));
    return report.remaining === 0 && webhooks.unreadable.length === 0 ? SUCCEEDED : FAILED;
  });
}

const PASSING = `
  SELECT count(*)::int AS count
  FROM (SELECT body AS sealed FROM idempotency_records WHERE body IS NOT NULL AND expires_at > now() UNION ALL SELECT request FROM mesh_jobs WHERE request IS NOT NULL) AS kept
  WHERE octet_length(sealed) > 2 AND encode(substring(sealed FROM 3 FOR get_byte(sealed, 1)), 'escape') <> $1`;

/** What is sealed for a short time is not written anew: answers that are kept for repeats, and requests of meshes that are not made yet. */
async function countPassing(dataSource: DataSource, ring: KeyRing): Promise<number> {
  const [{ count }] = await dataSource.query<{ count: number }[]>(PASSING, [ring.writingKeyId]);
  return count;
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

function toText({ rotated, skipped, failures, remaining }: RotationReport, webhooks: WebhookRotation, ring: KeyRing, passing: number): string {
  const lines = [`Upstream keys re-encrypted with "${ring.writingKeyId}": ${rotated}; changed by others meanwhile: ${skipped}.`];
  for (const { upstreamKeyId, reason } of failures) lines.push(`Upstream key ${upstreamKeyId} was left as it is: ${reason}.`);
  lines.push(`Webhook secrets re-encrypted: ${webhooks.rotated}.`);
  for (const id of webhooks.unreadable) lines.push(`The webhook secret of organization ${id} does not open: set its alert webhook anew.`);
  if (remaining > 0) lines.push(`Upstream keys that still need an older key: ${remaining}. Keep the older keys in the ring.`);
  else if (webhooks.unreadable.length > 0) lines.push('Keep the older keys in the ring until the webhooks are set anew.');
  else if (passing > 0) lines.push(`Answers kept for repeats, and meshes to be made, that still need an older key: ${passing}. They go by themselves, mostly within a day: until then keep the older keys in the ring.`);
  else if (ring.all().length > 1) lines.push('No row needs the older keys any more. They may leave the ring once every process writes with the new one.');
  else lines.push('To rotate, put a new key in front: ENCRYPTION_KEYS=<new id>:<64 hex digits>,<the present entry>.');
  return lines.join('\n') + '\n';
}

if (require.main === module) void runScript('rotate_encryption_key', rotateEncryptionKey);
