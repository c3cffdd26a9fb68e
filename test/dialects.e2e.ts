import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { connectGoogle } from './support/google-client';
import { TestGateway } from './support/test-gateway';

const TEXT = 'Grüß Gott 👋 — "quoted", \\ and a line\nbreak';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
  await gateway.addModel('demo/echo', { baseUrl: 'http://demo.weir.internal/v1', provider: 'openai-compatible', options: { no_key: true }, secrets: [], upstreamModel: 'demo/echo' });
});
afterAll(() => gateway.stop());
afterEach(() => gateway.simulator.reset());

describe('a model behind OpenAI chat answers', () => {
  it("Anthropic's official SDK", async () => {
    const anthropic = new Anthropic({ baseURL: gateway.weir.url, apiKey: gateway.key, maxRetries: 0 });
    const request = { model: 'demo/echo', max_tokens: 100, messages: [{ role: 'user' as const, content: TEXT }] };
    const answer = await anthropic.messages.create(request);
    expect(answer).toMatchObject({ type: 'message', role: 'assistant', content: [{ type: 'text', text: TEXT }], stop_reason: 'end_turn' });
    expect(answer.usage.input_tokens).toBeGreaterThan(0);
    const streamed = await anthropic.messages.stream(request).finalMessage();
    expect(streamed.content).toMatchObject([{ type: 'text', text: TEXT }]);
    expect(streamed.usage.output_tokens).toBe(answer.usage.output_tokens);
  });

  it("Google's official SDK", async () => {
    const google = connectGoogle(gateway.weir.url, gateway.key);
    const answer = await google.models.generateContent({ model: 'demo/echo', contents: TEXT });
    expect(answer.text).toBe(TEXT);
    let text = '';
    for await (const chunk of await google.models.generateContentStream({ model: 'demo/echo', contents: TEXT })) text += chunk.text ?? '';
    expect(text).toBe(TEXT);
  });

  it("OpenAI's official SDK in responses", async () => {
    const openai = new OpenAI({ baseURL: `${gateway.weir.url}/v1`, apiKey: gateway.key, maxRetries: 0 });
    const answer = await openai.responses.create({ model: 'demo/echo', input: TEXT });
    expect(answer.output_text).toBe(TEXT);
    const final = await openai.responses.stream({ model: 'demo/echo', input: TEXT }).finalResponse();
    expect(final.output_text).toBe(TEXT);
    expect(final.status).toBe('completed');
  });
});
