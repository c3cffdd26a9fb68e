import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { ApiError, FunctionCallingConfigMode, type GenerateContentConfig, GoogleGenAI, ThinkingLevel, Type } from '@google/genai';
import { WeirError } from '@weir/kernel';
import {
  AnthropicStreamReader, type ConversationRequest, type EmbeddingRequest, GeminiStreamWriter, parseExactJson, readAnthropicAnswer, readGeminiEmbedRequest, readGeminiRequest, toConversationError, writeAnthropicRequest,
  writeGeminiAnswer, writeGeminiEmbedAnswer, writeGeminiError,
} from '@weir/wire';
import { loadFixture, parseFixture, readEvents, writeEvents } from '../fixtures/harness';

/** A server that reads what Google's own client sends, and answers what Weir writes. */
class WrittenGemini {
  readonly requests: ConversationRequest[] = [];
  readonly embeddings: EmbeddingRequest[] = [];
  status = 200;
  /** The whole answer, or the events of a stream. */
  answer = '';
  /** How many bytes are sent at once. */
  pieceBytes = 1 << 20;
  private readonly server: Server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const [, model, method] = /^\/v1(?:beta)?\/models\/([^:]+):(\w+)/.exec(request.url ?? '') ?? [];
      const body = parseExactJson(Buffer.concat(pieces).toString());
      const isStream = method === 'streamGenerateContent';
      if (method === 'batchEmbedContents') this.embeddings.push(readGeminiEmbedRequest(body, { model, isBatch: true }));
      else this.requests.push(readGeminiRequest(body, { model, isStream }));
      response.writeHead(this.status, { 'content-type': isStream && this.status === 200 ? 'text/event-stream' : 'application/json' });
      const bytes = Buffer.from(this.answer);
      for (let start = 0; start < bytes.length; start += this.pieceBytes) response.write(bytes.subarray(start, start + this.pieceBytes));
      response.end();
    });
  });

  async listen(): Promise<GoogleGenAI> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const { port } = this.server.address() as AddressInfo;
    return new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl: `http://127.0.0.1:${port}`, fetch: (url, init) => fetch(url, init) } });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const anthropicStream = (): string => writeEvents(new GeminiStreamWriter({ model: 'my-model' }), readEvents(new AnthropicStreamReader(), loadFixture('anthropic-tools.reference.sse')));
const anthropicAnswer = (): string => writeGeminiAnswer(readAnthropicAnswer(parseFixture('anthropic-answer.reference.json')), { model: 'my-model' });

describe("Google's own client", () => {
  const server = new WrittenGemini();
  let client: GoogleGenAI;

  beforeAll(async () => {
    client = await server.listen();
  });
  beforeEach(() => {
    server.requests.length = 0;
    server.status = 200;
    server.pieceBytes = 1 << 20;
  });
  afterAll(() => server.close());

  it('parses an answer', async () => {
    server.answer = anthropicAnswer();
    const answer = await client.models.generateContent({ model: 'my-model', contents: 'Hi' });
    expect(answer.candidates?.[0]).toMatchObject({ finishReason: 'STOP' });
    expect(answer.functionCalls).toMatchObject([{ id: 'toolu_01D7FLrfh4GYq7yT1ULFeyMV', name: 'get_stock_price' }, { name: 'get_time', args: {} }]);
    expect(answer.usageMetadata).toMatchObject({ promptTokenCount: 1209, thoughtsTokenCount: 120 });
    expect(server.requests[0]).toMatchObject({ model: 'my-model', isStream: false, turns: [{ role: 'user', parts: [{ text: 'Hi' }] }] });
  });

  it.each([1, 13, 1 << 20])('parses a stream in pieces of %i bytes', async (pieceBytes) => {
    server.answer = anthropicStream();
    server.pieceBytes = pieceBytes;
    let text = '';
    const calls: unknown[] = [];
    for await (const piece of await client.models.generateContentStream({ model: 'my-model', contents: 'Hi' })) {
      text += piece.candidates?.[0].content?.parts?.map((part) => (part.thought === true ? '' : (part.text ?? ''))).join('') ?? '';
      calls.push(...(piece.functionCalls ?? []));
    }
    expect(text).toBe("Okay, let's see: é 🦆");
    expect(calls).toEqual([{ id: 'toolu_01T1x1fJ34qAmk2tNTrN7Up6', name: 'get_weather', args: { location: 'San Francisco' } }, { id: 'toolu_02', name: 'get_time', args: {} }]);
    expect(server.requests[0].isStream).toBe(true);
  });

  it('sends a streamed answer back so that Anthropic gets its thinking as it was', async () => {
    server.answer = anthropicStream();
    const chat = client.chats.create({ model: 'my-model' });
    for await (const _ of await chat.sendMessageStream({ message: 'Hi' })) continue;
    const responses = [{ functionResponse: { id: 'toolu_02', name: 'get_time', response: { output: '14:05' } } }];
    for await (const _ of await chat.sendMessageStream({ message: responses })) continue;
    const { messages } = JSON.parse(writeAnthropicRequest(server.requests[1], { model: 'claude-opus-4-8', defaultOutputCap: 1 }));
    expect(messages[1].content.slice(0, 2)).toEqual([
      { type: 'thinking', thinking: 'Weather and time.', signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' },
      { type: 'redacted_thinking', data: 'EmwKAhgBEgy3va3pzix/LafPsn4' },
    ]);
    expect(messages[2].content).toEqual([{ type: 'tool_result', tool_use_id: 'toolu_02', content: [{ type: 'text', text: '14:05' }] }]);
  });

  it('has its requests read', async () => {
    server.answer = anthropicAnswer();
    const config: GenerateContentConfig = {
      systemInstruction: 'Be kind.',
      temperature: 0.5,
      maxOutputTokens: 100,
      stopSequences: ['END'],
      safetySettings: [],
      responseMimeType: 'application/json',
      responseSchema: { type: Type.OBJECT, properties: { a: { type: Type.STRING, nullable: true } }, required: ['a'] },
      thinkingConfig: { thinkingLevel: ThinkingLevel.LOW, includeThoughts: true },
      tools: [{ functionDeclarations: [{ name: 'f', parameters: { type: Type.OBJECT, properties: { x: { type: Type.NUMBER } } } }] }],
      toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['f'] } },
    };
    const contents = [{ role: 'user', parts: [{ text: 'Hi' }, { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } }] }];
    await client.models.generateContent({ model: 'my-model', contents, config });
    expect(server.requests[0]).toMatchObject({
      system: [{ text: 'Be kind.' }],
      turns: [{ parts: [{ text: 'Hi' }, { type: 'image', source: { mediaType: 'image/png' } }] }],
      temperature: 0.5,
      outputCap: 100,
      stopSequences: ['END'],
      outputFormat: { schema: { type: 'object', properties: { a: { type: ['string', 'null'] } } }, isStrict: true },
      reasoning: { mode: 'on', effort: 'low' },
      wantsThoughts: true,
      tools: [{ name: 'f', schema: { type: 'object', properties: { x: { type: 'number' } } } }],
      toolChoice: { type: 'tool', name: 'f' },
    });
  });

  it('throws an error of Weir as its own', async () => {
    server.status = 429;
    server.answer = writeGeminiError(toConversationError(new WeirError('budget_exceeded')), { httpStatus: 429 });
    const error: unknown = await client.models.generateContent({ model: 'my-model', contents: 'Hi' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 429, message: expect.stringContaining('A budget is spent.') });
  });

  it('throws an error in the middle of a stream', async () => {
    server.answer = writeEvents(new GeminiStreamWriter({ model: 'm' }), readEvents(new AnthropicStreamReader(), loadFixture('anthropic-error.reference.sse')));
    const read = async (): Promise<void> => {
      for await (const _ of await client.models.generateContentStream({ model: 'my-model', contents: 'Hi' })) continue;
    };
    await expect(read()).rejects.toMatchObject({ status: 503 });
  });

  it('asks for embeddings and gets them', async () => {
    server.answer = JSON.stringify(writeGeminiEmbedAnswer({ vectors: [[0.5, 0.25], [1, 0]], usage: null }, { isBatch: true }));
    const { embeddings } = await client.models.embedContent({ model: 'my-embedder', contents: ['one', 'two'], config: { taskType: 'RETRIEVAL_QUERY', outputDimensionality: 2 } });
    expect(embeddings?.map(({ values }) => values)).toEqual([[0.5, 0.25], [1, 0]]);
    expect(server.embeddings[0]).toMatchObject({ model: 'my-embedder', inputs: ['one', 'two'], dimensions: 2, taskType: 'RETRIEVAL_QUERY' });
  });
});
