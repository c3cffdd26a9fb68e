/**
 * The baseline: the least that a Node process can do to pass a request on, node:http in front and
 * undici `dispatch` behind: the body as it came, the headers as they came but for those of the
 * connection, both ways. No key, no limit, no usage, no log.
 * Environment: PORT (0 = any), UPSTREAM (origin). Prints `listening <port>`.
 */
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Agent, type Dispatcher } from 'undici';

const upstream = process.env.UPSTREAM ?? '';
const agent = new Agent({ pipelining: 1, keepAliveTimeout: 60_000 });

/** RFC 9110 §7.6.1. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'trailer', 'host', 'expect']);

class Pass implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;

  constructor(private readonly response: ServerResponse) {
    response.on('drain', () => this.controller?.resume());
    response.on('close', () => {
      if (!response.writableFinished) this.controller?.abort(new Error('left'));
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    const out: string[] = [];
    for (const name of Object.keys(headers)) {
      const value = headers[name];
      if (typeof value === 'string' && !HOP_BY_HOP.has(name)) out.push(name, value);
    }
    this.response.writeHead(status, out);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.response.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.response.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, _error: Error): void {
    if (!this.response.headersSent) this.response.writeHead(502);
    this.response.end();
  }
}

function toForwarded(raw: readonly string[]): string[] {
  const headers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index].toLowerCase();
    if (name !== 'content-length' && !HOP_BY_HOP.has(name)) headers.push(raw[index], raw[index + 1]);
  }
  return headers;
}

const server = createServer({ keepAliveTimeout: 90_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    agent.dispatch(
      { origin: upstream, method: 'POST', path: request.url ?? '/', headers: toForwarded(request.rawHeaders), body },
      new Pass(response),
    );
  });
});
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => console.log(`listening ${(server.address() as AddressInfo).port}`));
