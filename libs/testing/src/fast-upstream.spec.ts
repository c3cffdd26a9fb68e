import { FastUpstream, RawClient } from '@weir/testing';

async function withUpstream(options: ConstructorParameters<typeof FastUpstream>[0], use: (port: number) => Promise<void>): Promise<void> {
  const upstream = new FastUpstream(options);
  const port = await upstream.start();
  try {
    await use(port);
  } finally {
    await upstream.stop();
  }
}

const post = (port: number, body: object) =>
  fetch(`http://127.0.0.1:${port}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(body) });

describe('FastUpstream', () => {
  it('answers a body of exactly the size asked for, again and again on one connection', () =>
    withUpstream({ answerBytes: 700 }, async (port) => {
      for (let call = 0; call < 3; call++) {
        const answer = await post(port, { model: 'm' });
        const text = await answer.text();
        expect(Buffer.byteLength(text)).toBe(700);
        expect(JSON.parse(text)).toMatchObject({ object: 'chat.completion', usage: { total_tokens: 150 } });
      }
    }));

  it.each([0, 1])('streams the number of chunks asked for, %i ms apart', (streamGapMs) =>
    withUpstream({ streamChunks: 20, streamGapMs }, async (port) => {
      const text = await (await post(port, { stream: true })).text();
      expect(text.match(/"content":"word "/g)).toHaveLength(20);
      expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    }));

  it('understands requests cut anywhere and several in one packet', () =>
    withUpstream({ answerBytes: 300 }, async (port) => {
      const client = await RawClient.connect(port);
      const request = 'POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc';
      client.send(request.slice(0, 30));
      client.send(request.slice(30) + request + 'GET / HTTP/1.1\r\n\r\n');
      await client.readUntil('HTTP/1.1 200 OK', 3);
      client.leave();
    }));
});
