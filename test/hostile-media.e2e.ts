import { chat, waitForUsageRows } from './support/chat';
import { greedy } from './support/greedy-upstream';
import { MeterScene } from './support/meter-scene';

const MODEL = 'priced';

describe('a caller that names sound, film or a document elsewhere', () => {
  let scene: MeterScene;

  beforeAll(async () => {
    scene = await MeterScene.start({ withRedis: false });
    // A hosted service fetches for its callers; one's own server would fetch from inside, and is not let to.
    await scene.makeModel(MODEL, { input_per_million_usd: 10, output_per_million_usd: 1000 }, {}, { preset: 'openrouter' });
  });
  afterAll(() => scene.stop());
  beforeEach(() => scene.simulator.reset());

  const user = (part: object): object[] => [{ role: 'user', content: [{ type: 'text', text: 'Hi' }, part] }];

  it.each<[string, object[]]>([
    ['as OpenAI has files', user({ type: 'file', file: { file_id: 'file-abc' } })],
    ['as OpenAI has sound that it said before', [{ role: 'assistant', audio: { id: 'audio_abc123' } }, { role: 'user', content: 'What did you say?' }]],
    ['as Alibaba has sound', user({ type: 'input_audio', input_audio: { data: 'https://example.com/long.mp3', format: 'mp3' } })],
    ['as Alibaba has frames of a film', user({ type: 'video', video: ['https://example.com/1.jpg', 'https://example.com/2.jpg'] })],
    ['as Mistral has sound', user({ type: 'input_audio', input_audio: 'https://example.com/long.mp3' })],
    ['as Mistral has documents', user({ type: 'document_url', document_url: 'https://example.com/long.pdf' })],
    ['as vLLM has film', user({ type: 'video_url', video_url: { url: 'https://example.com/long.mp4' } })],
  ])('%s: is refused by a small budget, and pays within a large one', async (_what, messages) => {
    const small = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.05', period: 'month' }] });
    const large = await scene.makeKey(MODEL, { budgets: [{ amount_usd: 10, period: 'month' }] });
    scene.simulator.always(greedy);
    const refused = await chat(scene.weir, small.key, MODEL, { fields: { messages, max_tokens: 1 } });
    expect([refused.status, scene.simulator.calls.length]).toEqual([429, 0]);
    expect((await chat(scene.weir, large.key, MODEL, { fields: { messages, max_tokens: 1 } })).status).toBe(200);
    expect(await waitForUsageRows(scene.weir, `key_id=${large.id}`, 1)).toMatchObject([{ error_code: null }]);
  });

  it('in its own bytes: is held as one elsewhere, and pays for what it is', async () => {
    const { id, key } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: 10, period: 'month' }] });
    const messages = user({ type: 'input_audio', input_audio: { data: Buffer.alloc(900).toString('base64'), format: 'wav' } });
    expect((await chat(scene.weir, key, MODEL, { fields: { messages, max_tokens: 1 } })).status).toBe(200);
    expect(await waitForUsageRows(scene.weir, `key_id=${id}`, 1)).toMatchObject([{ error_code: null }]);
  });
});

describe('a caller that caps its output by a name that the upstream does not know', () => {
  let scene: MeterScene;

  beforeAll(async () => {
    scene = await MeterScene.start({ withRedis: false });
    await scene.makeModel(MODEL, { output_per_million_usd: 1000 });
  });
  afterAll(() => scene.stop());

  it.each([{ max_completion_tokens: 3 }, { max_completion_tokens: 3, max_tokens: null }, { max_completion_tokens: 2, max_tokens: 3 }])('%j: the upstream is told by the name that it knows', async (fields) => {
    const { key } = await scene.makeKey(MODEL, { budgets: [{ amount_usd: '0.05', period: 'month' }] });
    scene.simulator.reset();
    expect((await chat(scene.weir, key, MODEL, { fields })).status).toBe(200);
    const [{ json, text }] = scene.simulator.calls;
    expect(json.max_tokens).toBe(3);
    expect(text.split('"max_tokens"')).toHaveLength(2);
  });
});
