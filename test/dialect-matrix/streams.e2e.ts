import { type Scene, speak, type StreamForm } from '@weir/testing';
import { addProviderModel, PAIRS, PROVIDERS } from '../support/dialect-matrix/matrix';
import { toBody, toPath } from '../support/dialect-matrix/raw-request';
import { TestGateway } from '../support/test-gateway';

const FORMS: readonly StreamForm[] = [
  { pieces: 'byte', lineEnd: 'lf' },
  { pieces: 'byte', lineEnd: 'crlf' },
  { pieces: 'random', lineEnd: 'lf' },
  { pieces: 'random', lineEnd: 'crlf' },
];
const SCENES: readonly Scene[] = ['text', 'tools', 'refusal'];

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
  for (const provider of PROVIDERS) await addProviderModel(gateway, `cut-${provider}`, provider);
});
afterAll(() => gateway.stop());
afterEach(() => gateway.simulator.reset());

describe.each(PAIRS)("a stream for %s's callers from %s", (dialect, provider) => {
  it('comes out the same byte for byte, however it is cut and its lines end', async () => {
    const model = `cut-${provider}`;
    const read = async (scene: Scene, form: StreamForm): Promise<string> => {
      gateway.simulator.default(speak.streamed(scene, form));
      const response = await gateway.weir.post(toPath(dialect, model, true), gateway.key, toBody(dialect, model, true));
      expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control')]).toEqual([200, 'text/event-stream; charset=utf-8', 'no-cache, no-transform']);
      return withoutNonce(await response.text(), response.headers.get('x-request-id'));
    };
    for (const scene of SCENES) {
      const whole = await read(scene, {});
      expect(whole).toMatch(/\n\n$/);
      expect(whole).not.toContain('\r');
      expect(whole).not.toContain('\uFFFD');
      for (const form of FORMS) expect([form, await read(scene, form)]).toEqual([form, whole]);
    }
  });
});

/** What is another in each call: its id, what is made of it, and the second. */
function withoutNonce(text: string, requestId: string | null): string {
  const nonce = (requestId ?? '').replaceAll('-', '');
  return text
    .replaceAll(requestId ?? '', 'REQUEST')
    .replaceAll(nonce, 'REQUEST')
    .replaceAll(/"(created|created_at)":\d+/g, '"$1":0');
}
