/** Also without this the servers end with Jest (see spawnTethered); here they end tidily. */
export default async function globalTeardown(): Promise<void> {
  const servers = globalThis.weirTestServers;
  if (servers !== undefined) await Promise.all([servers.postgres.destroy(), servers.redis.stop()]);
}
