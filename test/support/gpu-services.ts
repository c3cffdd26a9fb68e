import { Reply, respond, type SimulatorCall, type UpstreamSimulator } from '@weir/testing';

/** One pixel, as it goes into a data URI. */
export const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
export const PNG_URI = `data:image/png;base64,${PNG}`;

/** Where every GPU service is that the environment can name: all of them in one simulator. */
export function toGpuEnvironment({ origin }: UpstreamSimulator): Readonly<Record<string, string>> {
  const { hostname, port } = new URL(origin);
  const ports = ['PORT_SIGLIP2', 'PORT_EMBED_4B', 'PORT_EMBED_BGE', 'PORT_RERANK_4B', 'PORT_ZIMAGE', 'PORT_EMBED_8B', 'PORT_RERANK_8B', 'PORT_VLM', 'PORT_TRELLIS'];
  return {
    EMBED_SERVER_1: hostname,
    EMBED_SERVER_2: hostname,
    VLM_HOST: hostname,
    TRELLIS_HOST: hostname,
    QWEN3_TTS_URL: origin,
    INDEXTTS_URL: origin,
    ...Object.fromEntries(ports.map((name) => [name, port])),
  };
}

/** Answers each call by what it asks. */
export function byCall(choose: (call: SimulatorCall) => Reply): Reply {
  return new Reply(async (exchange) => choose(exchange.call).play(exchange));
}

/** A vector that tells which text it is of. */
export function toVector(text: string): number[] {
  return [text.length, 0.5, -0.25];
}

/** OpenAI's embeddings, as TEI, vLLM and Infinity answer them: as numbers, or as base64 where that is asked. */
export const openAiEmbeddings = byCall(({ json }) => {
  const inputs: string[] = Array.isArray(json.input) ? json.input : [json.input];
  return respond.json({
    object: 'list',
    model: json.model,
    data: inputs.map((text, index) => ({ object: 'embedding', index, embedding: json.encoding_format === 'base64' ? toBase64(toVector(text)) : toVector(text) })),
    usage: { prompt_tokens: 7 * inputs.length, total_tokens: 7 * inputs.length },
  });
});

function toBase64(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64');
}

/** Pictures and texts, as Infinity embeds them. */
export const siglip2Embeddings = byCall(({ json }) =>
  respond.json({ object: 'list', data: json.input.map((text: string, index: number) => ({ object: 'embedding', index, embedding: toVector(text) })), usage: { prompt_tokens: 0, total_tokens: 0 } }),
);

/** The second document fits best, then the first. */
const scoreOf = (index: number): number => [0.25, 0.5][index] ?? 1 / 2 ** (index + 1);

/** Rerank answers of the servers that are in use, each for the request that it got. */
export const rerankAnswers = {
  vllm: byCall(({ json }) =>
    respond.json({
      id: 'rerank-1',
      model: json.model,
      usage: { total_tokens: 56 },
      results: json.documents.map((text: string, index: number) => ({ index, document: { text }, relevance_score: scoreOf(index) })),
    }),
  ),
  llamaCpp: byCall(({ json }) =>
    respond.json({ model: 'm', object: 'list', usage: { prompt_tokens: 56, total_tokens: 56 }, results: json.documents.map((_: string, index: number) => ({ index, relevance_score: scoreOf(index) })) }),
  ),
  infinity: byCall(({ json }) =>
    respond.json({ object: 'rerank', results: json.documents.map((_: string, index: number) => ({ index, relevance_score: scoreOf(index), document: null })), usage: { prompt_tokens: 56, total_tokens: 56 }, id: 'infinity-1', created: 1 }),
  ),
  sglang: byCall(({ json }) =>
    respond.json(json.documents.map((document: string, index: number) => ({ score: scoreOf(index), document, index, meta_info: { id: 'a', prompt_tokens: 28 } })).sort((one: { score: number }, other: { score: number }) => other.score - one.score)),
  ),
  tei: byCall(({ json }) => respond.json(json.texts.map((_: string, index: number) => ({ index, score: scoreOf(index) }))).withHeaders({ 'x-compute-tokens': '56' })),
};

export const omniImages = byCall(({ json }) =>
  respond.json({ created: 1_700_000_000, data: Array.from({ length: json.n ?? 1 }, () => ({ b64_json: PNG, url: null, revised_prompt: null })), output_format: 'png', size: json.size ?? '1024x1024' }),
);

/** A small binary glTF 2 that is whole. */
export const GLB = Buffer.from([0x67, 0x6c, 0x54, 0x46, 2, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0x4a, 0x53, 0x4f, 0x4e]);

/** Every GPU service at its own path, well and awake. */
export function wakeGpuServices(simulator: UpstreamSimulator): void {
  simulator.forPath('/v1/embeddings', openAiEmbeddings);
  simulator.forPath('/embeddings', siglip2Embeddings);
  simulator.forPath('/v1/rerank', rerankAnswers.vllm);
  simulator.forPath('/v1/images/generations', omniImages);
  simulator.forPath('/health', respond.json({}));
  simulator.forPath('/generate', respond.pieces('model/gltf-binary', GLB));
}
