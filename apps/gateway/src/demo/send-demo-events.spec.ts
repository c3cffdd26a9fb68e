import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { sendDemoEvents } from './send-demo-events';

function* endlessEvents(): Generator<string, void> {
  for (;;) yield `data: ${'x'.repeat(1000)}\n\n`;
}

describe('sendDemoEvents', () => {
  const server = createServer();
  let socket: Socket;

  async function openResponse(): Promise<ServerResponse> {
    socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    return response;
  }

  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => server.close());

  it('waits for a caller that does not read, and ends when it leaves', async () => {
    const sending = sendDemoEvents(await openResponse(), endlessEvents(), 0);
    // Reached only because sending waits for room: without that, the endless events never yield.
    socket.destroy();
    await expect(sending).rejects.toThrow('the caller went away');
  });

  it('ends in the middle of a pause when the caller leaves', async () => {
    const sending = sendDemoEvents(await openResponse(), endlessEvents(), 3_600_000);
    socket.destroy();
    await expect(sending).rejects.toThrow('the caller went away');
  });
});
