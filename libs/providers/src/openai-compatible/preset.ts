import { type ChatQuirks, type UpstreamAddress } from '../provider';
import { isPresetName, PRESET_NAMES, PRESETS, type Preset, type PresetName } from './presets';

/** The preset that an upstream's option `preset` names; null for what names none. */
export function parsePreset(value: unknown): PresetName | null {
  return isPresetName(value) ? value : null;
}

/** The service that is at an origin such as `https://api.groq.com`; null for servers that nobody here knows. */
export function findPresetByOrigin(origin: string): PresetName | null {
  return PRESET_NAMES.find((name) => PRESETS[name].baseUrl?.startsWith(`${origin}/`) === true || PRESETS[name].baseUrl === origin) ?? null;
}

/** What is known of an upstream by its preset; null without one, and for one of a newer version. */
export function findPreset({ options }: UpstreamAddress): Preset | null {
  const name = parsePreset(options.preset);
  return name === null ? null : PRESETS[name];
}

/**
 * Whether an upstream may be asked for the usage of streams (`stream_options`): as its option
 * `stream_usage` says, else as its preset does.
 */
export function streamsUsage(address: UpstreamAddress): boolean {
  const { stream_usage: said } = address.options;
  return typeof said === 'boolean' ? said : findPreset(address)?.takesStreamOptions !== false;
}

export function toPresetQuirks({ quirks, effortsByModel }: Preset, upstreamModel: string, dropsRefused = false): ChatQuirks {
  const known = dropsRefused ? { ...quirks, dropsRefused } : quirks;
  if (effortsByModel === undefined) return known;
  return { ...known, reasoningEfforts: effortsByModel.find(([model]) => model.test(upstreamModel))?.[1] ?? [] };
}
