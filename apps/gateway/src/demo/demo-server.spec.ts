import OpenAI, { type APIError } from 'openai';
import { systemClock } from '@weir/kernel';
import { DEMO_MODEL } from '@weir/providers';
import { DemoServer } from './demo-server';

const model = DEMO_MODEL;
const messages = [{ role: 'user' as const, content: 'Say this back, please: žluťoučký 🐎' }];

describe('DemoServer, called by the official SDK', () => {
  const server = new DemoServer({ clock: systemClock, chunkDelayMs: 0, maxBodyBytes: 10_000 });
  let client: OpenAI;

  beforeAll(async () => {
    await server.start();
    client = new OpenAI({ baseURL: `${server.origin}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => server.stop());

  it('lists the demo model and finds it by its name', async () => {
    const models = await client.models.list();
    expect(models.data.map((one) => one.id)).toEqual([DEMO_MODEL]);
    await expect(client.models.retrieve(DEMO_MODEL)).resolves.toMatchObject({ id: DEMO_MODEL, object: 'model' });
  });

  it('chats', async () => {
    const answer = await client.chat.completions.create({ model, messages });
    expect(answer.choices[0].message.content).toBe(messages[0].content);
    expect(answer.usage?.total_tokens).toBe((answer.usage?.prompt_tokens ?? 0) * 2);
  });

  it('streams what it would have answered, with usage at the end', async () => {
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    let text = '';
    let usage;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe(messages[0].content);
    expect(usage).toEqual((await client.chat.completions.create({ model, messages })).usage);
  });

  it('satisfies the SDK\'s stream helper, which checks every chunk', async () => {
    const final = await client.chat.completions.stream({ model, messages, n: 2 }).finalChatCompletion();
    expect(final.choices.map((choice) => choice.message.content)).toEqual([messages[0].content, messages[0].content]);
  });

  it('streams the longest answers whole', async () => {
    const answer = await fetch(`${server.origin}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ model, prompt: 'a '.repeat(4000), n: 4, stream: true }),
    });
    const text = await answer.text();
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(text.match(/"finish_reason":"stop"/g)).toHaveLength(4);
  });

  it('completes and embeds', async () => {
    const completion = await client.completions.create({ model, prompt: 'abc' });
    expect(completion.choices[0].text).toBe('abc');
    // Without encoding_format the SDK asks for base64 and decodes it.
    const decoded = await client.embeddings.create({ model, input: 'abc', dimensions: 8 });
    const plain = await client.embeddings.create({ model, input: 'abc', dimensions: 8, encoding_format: 'float' });
    expect(decoded.data[0].embedding).toEqual(plain.data[0].embedding);
  });

  it.each([
    ['a field at fault', () => client.chat.completions.create({ model, messages: [] }), { status: 400, param: 'messages', code: 'invalid_request' }],
    ['an unknown path', () => client.moderations.create({ input: 'x' }), { status: 404, code: 'not_found' }],
    ['a body too large', () => client.completions.create({ model, prompt: 'x'.repeat(20_000) }), { status: 413, code: 'body_too_large' }],
  ])('refuses %s in OpenAI\'s shape', async (_what, call, expected) => {
    const error: APIError = await call().then(
      () => Promise.reject(new Error('was not refused')),
      (thrown: unknown) => thrown as APIError,
    );
    expect(error).toMatchObject({ ...expected, type: 'invalid_request_error' });
  });

  it('refuses what is not JSON without quoting it', async () => {
    const answer = await fetch(`${server.origin}/v1/completions`, { method: 'POST', body: 'canary{' });
    expect(answer.status).toBe(400);
    expect(await answer.text()).not.toContain('canary');
  });
});
