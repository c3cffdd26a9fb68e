import { type BodyConversion } from './body-conversion';
import { geminiBatchEmbedToBatch, geminiBatchEmbedToOpenAi, geminiEmbedToBatch, geminiEmbedToOpenAi, openAiToGeminiEmbeddings } from './embeddings/embedding-conversions';
import {
  geminiBatchEmbedToSiglip2,
  geminiBatchEmbedToTeiEmbed,
  geminiEmbedToSiglip2,
  geminiEmbedToTeiEmbed,
  openAiToSiglip2,
  openAiToTeiEmbed,
} from './embeddings/gpu-embedding-conversions';
import { vllmOmniImages } from './images/vllm-omni-images';
import { rerankToRerank, rerankToTeiRerank } from './rerank/rerank-conversions';
import { type WireFormat } from './wire-format';

const CONVERSIONS: Readonly<Partial<Record<WireFormat, Readonly<Partial<Record<WireFormat, BodyConversion>>>>>> = {
  'openai-embeddings': { 'gemini-embed-batch': openAiToGeminiEmbeddings, 'tei-embed': openAiToTeiEmbed, 'siglip2-embed': openAiToSiglip2 },
  'gemini-embed': { 'gemini-embed-batch': geminiEmbedToBatch, 'openai-embeddings': geminiEmbedToOpenAi, 'tei-embed': geminiEmbedToTeiEmbed, 'siglip2-embed': geminiEmbedToSiglip2 },
  'gemini-embed-batch': { 'gemini-embed-batch': geminiBatchEmbedToBatch, 'openai-embeddings': geminiBatchEmbedToOpenAi, 'tei-embed': geminiBatchEmbedToTeiEmbed, 'siglip2-embed': geminiBatchEmbedToSiglip2 },
  'openai-images': { 'vllm-omni-images': vllmOmniImages },
  // Servers that speak Cohere's shape answer in a dozen ways, so their answers are made one too.
  rerank: { rerank: rerankToRerank, 'tei-rerank': rerankToTeiRerank },
};

/**
 * How a JSON body in a caller's format, other than chat's, is said in an upstream's, and its answer
 * brought back. Null where there is nothing to convert: bytes pass, or no upstream offers the pair.
 *
 * Not in here: speech (toUpstreamSpeech) and meshes for TRELLIS (toTrellisRequest), whose answers are no
 * JSON.
 */
export function findBodyConversion(caller: WireFormat, upstream: WireFormat): BodyConversion | null {
  return CONVERSIONS[caller]?.[upstream] ?? null;
}
