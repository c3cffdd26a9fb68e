import { MeterScene } from './support/meter-scene';

const MODEL = 'priced';

describe('POST /v1/explain', () => {
  let scene: MeterScene;

  beforeAll(async () => {
    scene = await MeterScene.start({ withRedis: false });
    await scene.makeModel(MODEL, { per_request_usd: 0 });
  });
  afterAll(() => scene.stop());

  it('calls an upstream by its name, as the ledger does', async () => {
    const { key } = await scene.makeKey(MODEL);
    const response = await scene.weir.post('/v1/explain', key, { request: { model: MODEL, messages: [{ role: 'user', content: 'Hi' }] } });
    expect(await response.json()).toMatchObject({ route: { targets: [{ upstream: `upstream of ${MODEL}` }] } });
  });
});
