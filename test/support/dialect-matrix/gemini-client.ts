import { type Content, type FinishReason, type GenerateContentParameters, type GenerateContentResponse, type GenerateContentResponseUsageMetadata, type GoogleGenAI, type Part } from '@google/genai';
import { connectGoogle } from '../google-client';
import { type DialectClient, type Question, type SdkAnswer, type Stop, toGoodEnd, TOOLS } from './told';

/** Google's official client. */
export function connectGemini(url: string, apiKey: string): DialectClient {
  const client = connectGoogle(url, apiKey);
  return {
    name: 'gemini',
    async ask(model, question) {
      const request = toRequest(model, question);
      const answers = question.isStream ? await collect(client, request) : [await client.models.generateContent(request)];
      return toAnswer(answers);
    },
  };
}

async function collect(client: GoogleGenAI, request: GenerateContentParameters): Promise<GenerateContentResponse[]> {
  const answers: GenerateContentResponse[] = [];
  for await (const answer of await client.models.generateContentStream(request)) answers.push(answer);
  return answers;
}

function toRequest(model: string, question: Question): GenerateContentParameters {
  const { before, image, schema } = question;
  const picture: Part[] = image === undefined ? [] : [{ inlineData: { mimeType: 'image/png', data: image } }];
  const contents: Content[] = [{ role: 'user', parts: [{ text: question.text }, ...picture] }];
  if (before !== undefined) {
    contents.push(before.answer.replay as Content);
    contents.push({ role: 'user', parts: before.results.map(({ callId, name, text }) => ({ functionResponse: { ...(callId === '' ? {} : { id: callId }), name, response: { output: text } } })) });
  }
  return {
    model,
    contents,
    config: {
      ...(question.instructions === undefined ? {} : { systemInstruction: question.instructions }),
      ...(question.hasTools === true ? { tools: [{ functionDeclarations: TOOLS.map(({ name, description, schema: parameters }) => ({ name, description, ...(parameters === null ? {} : { parametersJsonSchema: parameters }) })) }] } : {}),
      ...(question.thinks === true ? { thinkingConfig: { includeThoughts: true, thinkingLevel: 'HIGH' as never } } : {}),
      ...(schema === undefined ? {} : { responseMimeType: 'application/json', responseJsonSchema: schema }),
      ...(question.outputCap === undefined ? {} : { maxOutputTokens: question.outputCap }),
    },
  };
}

function toAnswer(answers: readonly GenerateContentResponse[]): SdkAnswer {
  const parts = answers.flatMap((answer) => answer.candidates?.[0]?.content?.parts ?? []);
  const calls = parts.flatMap(({ functionCall }) => (functionCall === undefined ? [] : [functionCall]));
  const reason = answers.map((answer) => answer.candidates?.[0]?.finishReason).findLast((found) => found !== undefined);
  return {
    told: {
      text: parts.map((part) => (part.thought === true ? '' : (part.text ?? ''))).join(''),
      thinking: parts.map((part) => (part.thought === true ? (part.text ?? '') : '')).join(''),
      calls: calls.map(({ name = '', args }) => ({ name, args })),
      stop: toStop(reason, calls),
      // Google's client drops `finishMessage`.
      refusal: '',
      usage: toUsage(answers.map(({ usageMetadata }) => usageMetadata).findLast((found) => found !== undefined)),
    },
    callIds: calls.map(({ id }) => id ?? ''),
    replay: { role: 'model', parts } satisfies Content,
    headers: new Headers(answers.at(-1)?.sdkHttpResponse?.headers),
  };
}

function toStop(reason: FinishReason | undefined, calls: readonly unknown[]): Stop {
  switch (String(reason)) {
    case 'STOP':
      return toGoodEnd(calls);
    case 'MAX_TOKENS':
      return 'length';
    case 'SAFETY':
    case 'PROHIBITED_CONTENT':
      return 'refusal';
    default:
      return `other: ${reason}`;
  }
}

function toUsage(usage: GenerateContentResponseUsageMetadata | undefined): SdkAnswer['told']['usage'] {
  if (usage === undefined) throw new Error('the answer has no usage');
  const reasoning = usage.thoughtsTokenCount ?? 0;
  return {
    input: (usage.promptTokenCount ?? 0) + (usage.toolUsePromptTokenCount ?? 0),
    cached: usage.cachedContentTokenCount ?? 0,
    written: 0,
    output: (usage.candidatesTokenCount ?? 0) + reasoning,
    reasoning,
  };
}
