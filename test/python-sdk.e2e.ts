import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chatEvents, respond } from '@weir/testing';
import { TestGateway } from './support/test-gateway';
import { addKey } from './support/weir';

const PYTHON = process.env.WEIR_TEST_PYTHON ?? 'python3';
const SCRIPT = join(__dirname, 'support', 'openai_client.py');
const TEXT = 'Grüß Gott, 👋 — from Python';
const REQUEST_ID = /^[0-9a-f-]{36}$/;

/** Whether there is a Python that knows the package; without it nothing here is tested, and the name says so. */
const isThere = spawnSync(PYTHON, ['-c', 'import openai'], { timeout: 20_000 }).status === 0;

describe('the official OpenAI package for Python', () => {
  if (!isThere) {
    it(`was left out: ${PYTHON} is missing or has no package "openai" (set WEIR_TEST_PYTHON)`, () => {
      expect(isThere).toBe(false);
    });
    return;
  }

  it('lists, chats, streams, embeds, and understands 401, 404, 429 and a broken stream', async () => {
    const gateway = await TestGateway.start();
    try {
      await gateway.addModel('gpt-python');
      await gateway.addModel('embed-python', { operation: 'embeddings' });
      const limited = await addKey(gateway.weir, { limits: { rpm: 1 } });
      // The calls in their order: two whole answers, two streams, and then the one that breaks off.
      gateway.simulator.enqueue(...Array.from({ length: 4 }, () => respond.echo()), respond.stream(...chatEvents(TEXT).slice(0, 4)));
      const { stdout } = await promisify(execFile)(PYTHON, [SCRIPT, `${gateway.weir.url}/v1`, gateway.key, limited.key, 'gpt-python', 'embed-python'], { env: { PATH: process.env.PATH } });
      const told = JSON.parse(stdout);
      expect(told).toEqual({
        models: expect.arrayContaining(['gpt-python', 'embed-python']),
        retrieved: 'gpt-python',
        chat: { text: TEXT, total_tokens: expect.any(Number), request_id: expect.stringMatching(REQUEST_ID) },
        stream: { text: TEXT, usages: [] },
        stream_with_usage: { text: TEXT, usages: [told.chat.total_tokens] },
        broken_stream: { ended: false, code: 'upstream_error' },
        floats: told.decoded,
        decoded: expect.any(Number),
        401: expect.objectContaining({ kind: 'AuthenticationError', status: 401, code: 'invalid_api_key', request_id: expect.stringMatching(REQUEST_ID) }),
        404: expect.objectContaining({ kind: 'NotFoundError', status: 404, code: 'model_not_found', param: 'model' }),
        429: expect.objectContaining({ kind: 'RateLimitError', status: 429, code: 'rate_limit_exceeded', type: 'requests', retry_after_ms: expect.stringMatching(/^\d+$/) }),
      });
    } finally {
      await gateway.stop();
    }
  });
});
