/**
 * providers owns what Weir knows of each vendor: one folder a vendor, pure functions that build a
 * request and understand an error. Nothing here opens a connection.
 */
export * from './provider';
export * from './get-provider';
export * from './is-missing-model';
export * from './is-own-server';
export { parseRetryAfter } from './retry-after';
export { ANTHROPIC_DEFAULT_MODELS } from './anthropic/default-models';
export { GEMINI_DEFAULT_MODELS } from './gemini/default-models';
export { OPENAI_DEFAULT_MODELS } from './openai/default-models';
export { DEFAULT_ANTHROPIC_VERSION } from './anthropic/anthropic';
export { DEFAULT_AZURE_API_VERSION } from './azure/azure';
export { findPresetByOrigin, parsePreset, streamsUsage } from './openai-compatible/preset';
export { PRESET_NAMES, PRESETS, type Preset, type PresetName } from './openai-compatible/presets';
export { toIndexTtsVoicesPath } from './index-tts/index-tts';
export { toVllmOmniVoicesPath } from './vllm-omni/vllm-omni';
export * from './demo';
