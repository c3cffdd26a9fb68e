import { type SimulatedProvider, type SpokenFormat } from '@weir/testing';
import { type TestGateway, type TestModel } from '../test-gateway';
import { connectAnthropic } from './anthropic-client';
import { connectChat } from './chat-client';
import { connectGemini } from './gemini-client';
import { connectResponses } from './responses-client';
import { DIALECT_NAMES, type DialectClient, type DialectName, type ToldUsage } from './told';

export const PROVIDERS: readonly SimulatedProvider[] = ['openai', 'azure', 'openai-compatible', 'anthropic', 'gemini'];

/** Each dialect with each provider. */
export const PAIRS: readonly (readonly [dialect: DialectName, provider: SimulatedProvider])[] = DIALECT_NAMES.flatMap((dialect) =>
  PROVIDERS.map((provider) => [dialect, provider] as const),
);

/** What each provider calls the model behind Weir: by its name it is told what it takes. */
const UPSTREAM_MODELS: Readonly<Record<SimulatedProvider, string>> = {
  openai: 'gpt-5.4',
  azure: 'gpt-5.4',
  'openai-compatible': 'qwen3',
  anthropic: 'claude-opus-4-8',
  gemini: 'gemini-3.1-pro-preview',
};

const FORMATS: Readonly<Record<DialectName, SpokenFormat>> = { chat: 'openai-chat', responses: 'openai-responses', anthropic: 'anthropic', gemini: 'gemini' };

/** What Weir speaks to the provider for callers of the dialect: their own where the provider has it. */
export function toSpokenFormat(dialect: DialectName, provider: SimulatedProvider): SpokenFormat {
  if (provider === 'anthropic' || provider === 'gemini') return provider;
  return dialect === 'responses' && provider !== 'openai-compatible' ? 'openai-responses' : 'openai-chat';
}

/** Whether bytes pass, as far as Weir has nothing to change in them. */
export function isPassed(dialect: DialectName, provider: SimulatedProvider): boolean {
  return FORMATS[dialect] === toSpokenFormat(dialect, provider);
}

const CONNECT: Readonly<Record<DialectName, (url: string, apiKey: string) => DialectClient>> = {
  chat: connectChat,
  responses: connectResponses,
  anthropic: connectAnthropic,
  gemini: connectGemini,
};

export function connect(dialect: DialectName, url: string, apiKey: string): DialectClient {
  return CONNECT[dialect](url, apiKey);
}

const NATIVE: Readonly<Record<SpokenFormat, DialectName>> = { 'openai-chat': 'chat', 'openai-responses': 'responses', anthropic: 'anthropic', gemini: 'gemini' };

/** The client that the vendor made for what Weir speaks to the provider, in front of the provider itself: what it reads is the truth. */
export function connectNative(gateway: TestGateway, dialect: DialectName, provider: SimulatedProvider): { client: DialectClient; model: string } {
  return { client: connect(NATIVE[toSpokenFormat(dialect, provider)], gateway.simulator.origin, 'sk-native'), model: UPSTREAM_MODELS[provider] };
}

/** Dollars for a million tokens. */
export const PRICE = { input_per_million_usd: 2, cached_input_per_million_usd: 0.5, cache_write_per_million_usd: 4, output_per_million_usd: 10 };

export interface ModelOptions {
  /** Null: what the table says. */
  readonly price?: object | null;
  readonly secrets?: readonly string[];
}

/** A model at a provider, with an upstream and keys of its own. */
export function addProviderModel(gateway: TestGateway, name: string, provider: SimulatedProvider, { price = PRICE, secrets }: ModelOptions = {}): Promise<TestModel> {
  const { origin, baseUrl } = gateway.simulator;
  const hasVersion = provider === 'openai' || provider === 'openai-compatible';
  return gateway.addModel(name, { provider, baseUrl: hasVersion ? baseUrl : origin, upstreamModel: UPSTREAM_MODELS[provider], price: price ?? undefined, ...(secrets === undefined ? {} : { secrets }) });
}

/** Nano-dollars of an answer at PRICE; a dollar for a million tokens is a thousand of them for each. */
export function toCostNanos({ input, cached, written, output }: ToldUsage): number {
  return (input - cached - written) * 2_000 + cached * 500 + written * 4_000 + output * 10_000;
}
