import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a client and Redis. */
export interface RedisProxy {
  readonly url: string;
  /** Connections that are open now carry nothing more, in either direction, and stay open. */
  silence(): void;
  /** From now on what is sent is done, and the connection ends instead of carrying an answer; until `heal`. */
  loseAnswers(): void;
  heal(): void;
  close(): void;
}

export async function startRedisProxy(targetUrl: string): Promise<RedisProxy> {
  const target = new URL(targetUrl);
  const pairs = new Set<readonly [near: Socket, far: Socket]>();
  let losesAnswers = false;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    near.on('error', () => far.destroy()).on('close', () => far.end());
    far.on('error', () => near.destroy()).on('close', () => near.end());
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => (losesAnswers ? near.destroy() : near.write(bytes)));
    pairs.add([near, far]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${port}${target.pathname}`,
    silence: () => {
      for (const pair of pairs) for (const socket of pair) socket.removeAllListeners('data').pause();
    },
    loseAnswers: () => {
      losesAnswers = true;
    },
    heal: () => {
      losesAnswers = false;
    },
    close: () => {
      for (const pair of pairs) for (const socket of pair) socket.destroy();
      server.close();
    },
  };
}
