import { WeirError } from '@weir/kernel';
import { type ConversationRequest, readAnthropicRequest, readChatRequest, readGeminiRequest, writeAnthropicRequest, writeChatRequest, writeGeminiRequest } from '@weir/wire';

const SECRET = 'my secret prompt';
const hello = { role: 'user', parts: [{ text: SECRET }] };
const read = (body: unknown): ConversationRequest => readGeminiRequest(body, { model: 'm', isStream: false });
const gemini = (changes: object): ConversationRequest => read({ contents: [hello], ...changes });
const part = (said: object, role = 'user') => ({ contents: [{ role, parts: [{ text: SECRET }, said] }] });
const config = (generationConfig: object) => ({ generationConfig });
const chat = (changes: object): ConversationRequest => readChatRequest({ model: 'm', messages: [{ role: 'user', content: SECRET }], ...changes });
const file = (fileUri: string, mimeType?: string) => part({ fileData: { fileUri, mimeType } });

function expectRefusal(act: () => unknown, param: string | null): void {
  let refused: unknown = null;
  try {
    act();
  } catch (error) {
    refused = error;
  }
  if (!(refused instanceof WeirError)) throw new Error(`not refused: ${String(refused)}`);
  expect([refused.code, refused.param]).toEqual(['invalid_request', param]);
  expect(`${refused.message} ${refused.detail ?? ''} ${refused.param ?? ''}`).not.toContain(SECRET);
}

describe('a Gemini request that cannot be translated is refused with its field, and without its words:', () => {
  it.each<[string, object, string | null]>([
    ['no contents', { contents: undefined }, 'contents'],
    ['nothing but empty contents', { contents: [{ parts: [{ text: '' }] }, { role: 'model', parts: [] }] }, 'contents'],
    ['contents that are a text', { contents: SECRET }, 'contents'],
    ['a role that is not known', { contents: [{ role: SECRET, parts: [] }] }, 'contents[0].role'],
    ['parts that are a text', { contents: [{ parts: SECRET }] }, 'contents[0].parts'],
    ['a part of nothing', part({}), 'contents[0].parts[1]'],
    ['a part whose name is a prompt', part({ [SECRET]: 1 }), 'contents[0].parts[1]'],
    ['a text that is a number', part({ text: 5 }), 'contents[0].parts[1].text'],
    ['sound', part({ inlineData: { mimeType: 'audio/mp3', data: 'AAAA' } }), 'contents[0].parts[1].inlineData.mimeType'],
    ['a film', part({ inline_data: { mime_type: 'video/mp4', data: 'AAAA' } }), 'contents[0].parts[1].inlineData.mimeType'],
    ['a picture that lies about its type', part({ inlineData: { mimeType: 'image/jpeg', data: 'iVBORw0KGgo=' } }), 'contents[0].parts[1].inlineData.data'],
    ['a picture that is no base64', part({ inlineData: { mimeType: 'image/jpeg', data: SECRET } }), 'contents[0].parts[1].inlineData.data'],
    ['a picture from the disk', file('file:///etc/passwd', 'image/png'), 'contents[0].parts[1].fileData.fileUri'],
    ["a picture in Google's store", file('gs://bucket/a.png', 'image/png'), 'contents[0].parts[1].fileData.fileUri'],
    ['an uploaded file', file('https://generativelanguage.googleapis.com/v1beta/files/abc', 'image/png'), 'contents[0].parts[1].fileData.fileUri'],
    ['a film elsewhere', file('https://www.youtube.com/watch?v=1', 'video/mp4'), 'contents[0].parts[1].fileData.mimeType'],
    ['a file of no type', file('https://www.youtube.com/watch?v=1'), 'contents[0].parts[1].fileData.mimeType'],
    ['a call of the user', part({ functionCall: { name: 'f' } }), 'contents[0].parts[1].functionCall'],
    ['code that Google ran', part({ executableCode: { code: SECRET } }, 'model'), 'contents[0].parts[1].executableCode'],
    ["a call of Google's own tool", part({ toolCall: {} }, 'model'), 'contents[0].parts[1].toolCall'],
    ['a picture of the model', part({ inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } }, 'model'), 'contents[0].parts[1].inlineData'],
    ['a call without a name', part({ functionCall: { args: {} } }, 'model'), 'contents[0].parts[1].functionCall.name'],
    ['arguments that are no object', part({ functionCall: { name: 'f', args: SECRET } }, 'model'), 'contents[0].parts[1].functionCall.args'],
    ['a result without a call', part({ functionResponse: { name: SECRET, response: {} } }), 'contents[0].parts[1].functionResponse.name'],
    ['a result that is a text', { contents: [{ role: 'model', parts: [{ functionCall: { name: 'f' } }] }, { parts: [{ functionResponse: { name: 'f', response: SECRET } }] }] }, 'contents[1].parts[0].functionResponse.response'],
    ['a picture as instructions', { systemInstruction: { parts: [{ inlineData: {} }] } }, 'systemInstruction.parts[0].text'],
    ['instructions that are a text', { systemInstruction: SECRET }, 'systemInstruction'],
    ['a search of the web', { tools: [{ googleSearch: {} }] }, 'tools[0].googleSearch'],
    ['code to run', { tools: [{ code_execution: {} }] }, 'tools[0].codeExecution'],
    ['URLs to read', { tools: [{ urlContext: {} }] }, 'tools[0].urlContext'],
    ['a tool whose name is a prompt', { tools: [{ [SECRET]: {} }] }, 'tools[0]'],
    ['a function without a name', { tools: [{ functionDeclarations: [{}] }] }, 'tools[0].functionDeclarations[0].name'],
    ['a choice that is not known', { toolConfig: { functionCallingConfig: { mode: SECRET } } }, 'toolConfig.functionCallingConfig.mode'],
    ['a choice of a function that is not there', { toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: [SECRET] } } }, 'toolConfig.functionCallingConfig.allowedFunctionNames[0]'],
    ["news of Google's own tools", { toolConfig: { includeServerSideToolInvocations: true } }, 'toolConfig.includeServerSideToolInvocations'],
    ['a cache', { cachedContent: 'cachedContents/1' }, 'cachedContent'],
    ['a cache, in the other spelling', { cached_content: 'cachedContents/1' }, 'cached_content'],
    ['a token to go on', { continuationToken: 'x' }, 'continuationToken'],
    ['a member that is not known', { generation_confi: {} }, 'generation_confi'],
    ['a member whose name is a prompt', { [SECRET]: 1 }, null],
    ['two answers', config({ candidateCount: 2 }), 'generationConfig.candidateCount'],
    ['log probabilities', config({ responseLogprobs: true }), 'generationConfig.responseLogprobs'],
    ['pictures as output', config({ responseModalities: ['TEXT', 'IMAGE'] }), 'generationConfig.responseModalities'],
    ['speech', config({ speechConfig: {} }), 'generationConfig.speechConfig'],
    ['a setting that is not known', config({ temperatur: 1 }), 'temperatur'],
    ['a setting whose name is a prompt', config({ [SECRET]: 1 }), null],
    ['a temperature out of bounds', config({ temperature: 2.1 }), 'generationConfig.temperature'],
    ['a temperature that is a text', config({ temperature: SECRET }), 'generationConfig.temperature'],
    ['a cap of nothing', config({ maxOutputTokens: 0 }), 'generationConfig.maxOutputTokens'],
    ['stops that are a text', config({ stopSequences: SECRET }), 'generationConfig.stopSequences'],
    ['a choice out of a list as output', config({ responseMimeType: 'text/x.enum' }), 'generationConfig.responseMimeType'],
    ['a schema for a text', config({ responseSchema: { type: 'STRING' } }), 'generationConfig.responseMimeType'],
    ['a schema that is a text', config({ responseMimeType: 'application/json', responseSchema: SECRET }), 'generationConfig.responseSchema'],
    ['sound as a format', config({ responseFormat: [{ audio: {} }] }), 'generationConfig.responseFormat'],
    ['a level that is not known', config({ thinkingConfig: { thinkingLevel: SECRET } }), 'generationConfig.thinkingConfig.thinkingLevel'],
    ['a budget below any', config({ thinkingConfig: { thinkingBudget: -2 } }), 'generationConfig.thinkingConfig.thinkingBudget'],
    ['labels that are numbers', { labels: { a: 5 } }, 'labels.a'],
  ])('%s', (_, changes, param) => {
    expectRefusal(() => gemini(changes), param);
  });

  it.each([[null], [5], ['text'], [[]]])('a body that is %j', (body) => {
    expectRefusal(() => read(body), null);
  });

  it.each<[string, object, string]>([
    ['a penalty (for Anthropic)', config({ frequencyPenalty: 0.5 }), 'generationConfig.frequencyPenalty'],
    ['any JSON (for Anthropic)', config({ responseMimeType: 'application/json' }), 'generationConfig.responseSchema'],
    ['a stop of white space (for Anthropic)', config({ stopSequences: ['\n'] }), 'generationConfig.stopSequences'],
    ['a picture of another kind (for Anthropic)', part({ inlineData: { mimeType: 'image/heic', data: 'AAAA' } }), 'contents[0].parts[1]'],
  ])('%s', (_, changes, param) => {
    expectRefusal(() => writeAnthropicRequest(gemini(changes), { model: 'claude-opus-4-8', defaultOutputCap: 5 }), param);
  });

  it.each<[string, object, string]>([
    ['an answer that was begun (for chat)', { contents: [hello, { role: 'model', parts: [{ text: SECRET }] }] }, 'contents'],
    ['a long name of a tool (for chat)', { tools: [{ functionDeclarations: [{ name: 'a' }] }, { functionDeclarations: [{ name: 'b'.repeat(65) }] }] }, 'tools[1].functionDeclarations[0].name'],
  ])('%s', (_, changes, param) => {
    expectRefusal(() => writeChatRequest(gemini(changes), { model: 'm' }), param);
  });

  it('but not what asks for nothing', () => {
    const settings = { candidateCount: 1, responseLogprobs: false, logprobs: 0, responseModalities: ['TEXT'], mediaResolution: 'MEDIA_RESOLUTION_LOW', unknown: null };
    const body = gemini({ ...config(settings), safetySettings: [{}], serviceTier: 'flex', store: true, model: 'models/x', cachedContent: null, unknown: null });
    expect(JSON.parse(writeChatRequest(body, { model: 'm' }))).toEqual({ model: 'm', messages: [{ role: 'user', content: SECRET }] });
  });
});

describe('what Gemini cannot be asked is refused with the field of the caller:', () => {
  const toGemini = (request: ConversationRequest, model = 'gemini-4-argon') => writeGeminiRequest(request, { model });

  it.each<[string, object, string]>([
    ['a penalty', { frequency_penalty: 0.5 }, 'frequency_penalty'],
    ['another penalty', { presence_penalty: -0.5 }, 'presence_penalty'],
    ['more stops than five', { stop: ['a', 'b', 'c', 'd', 'e', 'f'] }, 'stop'],
    ['a name of a tool that begins with a digit', { tools: [{ type: 'function', function: { name: '1f' } }] }, 'tools[0].function.name'],
    ['only instructions', { messages: [{ role: 'system', content: SECRET }] }, 'messages'],
    ['an answer that was begun', { messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: SECRET }] }, 'messages'],
    ['a result of no call', { messages: [{ role: 'tool', tool_call_id: SECRET, content: SECRET }] }, 'messages'],
    ['a picture of another kind', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/gif;base64,R0lGODdh' } }] }] }, 'messages[0].content[0]'],
    ['a file of another kind', { messages: [{ role: 'user', content: [{ type: 'file', file: { file_data: 'data:application/zip;base64,AAAA' } }] }] }, 'messages[0].content[0]'],
  ])('%s', (_, changes, param) => {
    expectRefusal(() => toGemini(chat(changes)), param);
  });

  it('a name of a tool (of Anthropic)', () => {
    expectRefusal(() => toGemini(readAnthropicRequest({ model: 'm', max_tokens: 5, messages: [{ role: 'user', content: SECRET }], tools: [{ name: 'a b', input_schema: {} }] })), 'tools[0].name');
  });

  it('but older models take more', () => {
    const body = JSON.parse(toGemini(chat({ frequency_penalty: 0.5, messages: [{ role: 'user', content: 'x' }, { role: 'assistant', content: 'y' }] }), 'gemini-2.5-flash'));
    expect(body).toMatchObject({ generationConfig: { frequencyPenalty: 0.5 }, contents: [{}, { role: 'model' }] });
  });
});
