import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { waitFor } from '../../../../test/support/wait-for';
import { IdleConnections, KEEP_ALIVE_MS } from './idle-connections';

describe('IdleConnections', () => {
  let nowMs: number;
  let server: Server;
  let connections: IdleConnections;
  let client: Socket;
  /** Requests that wait for their answers. */
  let open: ServerResponse[];

  beforeEach(async () => {
    nowMs = 1_000;
    open = [];
    server = createServer({ keepAliveTimeout: 0 }, (request: IncomingMessage, response: ServerResponse) => {
      connections.note(request, response);
      open.push(response);
    });
    connections = new IdleConnections(server, { monotonicMs: () => nowMs });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => undefined);
    client.resume();
    await once(client, 'connect');
  });
  afterEach(async () => {
    client.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  async function ask(): Promise<ServerResponse> {
    client.write('GET / HTTP/1.1\r\nhost: weir\r\n\r\n');
    await waitFor(() => open.length > 0, { what: 'the request' });
    const [response] = open.splice(0);
    return response;
  }

  async function answer(response: ServerResponse): Promise<void> {
    response.end('done');
    await once(response, 'finish');
  }

  async function countConnections(): Promise<number> {
    return new Promise((resolve, reject) => server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))));
  }

  it('closes a connection on which nothing was asked for long enough, and not before', async () => {
    await answer(await ask());
    connections.sweep();
    nowMs += KEEP_ALIVE_MS - 1;
    connections.sweep();
    expect(await countConnections()).toBe(1);
    nowMs += 1;
    connections.sweep();
    await waitFor(async () => (await countConnections()) === 0, { what: 'the connection to be closed' });
  });

  it('leaves a connection open whose answer takes as long as it likes', async () => {
    const response = await ask();
    for (let look = 0; look < 10; look++) {
      nowMs += KEEP_ALIVE_MS;
      connections.sweep();
    }
    expect(await countConnections()).toBe(1);
    await answer(response);
    connections.sweep();
    nowMs += KEEP_ALIVE_MS - 1;
    connections.sweep();
    expect(await countConnections()).toBe(1);
  });

  it('counts anew from each request', async () => {
    for (let request = 0; request < 3; request++) {
      await answer(await ask());
      connections.sweep();
      nowMs += KEEP_ALIVE_MS - 1;
      connections.sweep();
    }
    await answer(await ask());
    connections.sweep();
    expect(await countConnections()).toBe(1);
  });

  it('leaves a connection without a request to the time limit of the server', async () => {
    await waitFor(async () => (await countConnections()) === 1, { what: 'the connection' });
    nowMs += 10 * KEEP_ALIVE_MS;
    connections.sweep();
    expect(await countConnections()).toBe(1);
  });
});
