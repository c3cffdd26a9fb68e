import { DataDirectory, EmbeddedPostgres } from '@weir/platform';

/**
 * A process that does what Weir does with its data folder: takes it, serves the embedded database
 * from it, says so in one JSON line, and stops on SIGTERM.
 */
async function main(): Promise<void> {
  const [, , folder] = process.argv;
  const dataDirectory = await DataDirectory.open(folder);
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const server = await EmbeddedPostgres.start({ dataDirectory: dataDirectory.path, logger, durable: false });
  process.once('SIGTERM', () => {
    void server.stop().then(() => {
      dataDirectory.close();
      process.exit(0);
    });
  });
  console.log(JSON.stringify({ url: server.url, account: server.accountName }));
  setInterval(() => undefined, 60_000);
}

main().catch((error: unknown) => {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : 'unknown' }));
  process.exit(1);
});
