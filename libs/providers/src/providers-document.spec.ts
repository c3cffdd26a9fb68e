import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Operation, OPERATIONS } from '@weir/kernel';
import { findBodyConversion, type WireFormat } from '@weir/wire';
import { getProvider, PRESET_NAMES, PRESETS, type Preset, PROVIDER_NAMES, type ProviderName, toUpstreamFormat } from '@weir/providers';

const DOCUMENT = readFileSync(join(__dirname, '../../../docs/providers.md'), 'utf8');

/** What callers may speak, and what it asks for. */
const CALLERS: readonly (readonly [WireFormat, Operation])[] = [
  ['openai-chat', 'chat'],
  ['openai-responses', 'chat'],
  ['anthropic', 'chat'],
  ['anthropic-count-tokens', 'chat'],
  ['gemini', 'chat'],
  ['openai-completions', 'completions'],
  ['openai-embeddings', 'embeddings'],
  ['gemini-embed', 'embeddings'],
  ['gemini-embed-batch', 'embeddings'],
  ['openai-moderations', 'moderations'],
  ['rerank', 'rerank'],
  ['openai-speech', 'speech'],
  ['openai-transcriptions', 'transcriptions'],
  ['openai-translations', 'transcriptions'],
  ['openai-images', 'images'],
  ['openai-image-edits', 'images'],
  ['meshes', 'meshes'],
];
const DIALECTS: readonly WireFormat[] = ['openai-chat', 'openai-responses', 'anthropic', 'gemini'];
/** Written for each service by themselves. */
const WRITTEN: readonly WireFormat[] = ['vllm-omni-speech', 'index-tts-speech', 'trellis'];
/** The base paths of the document's examples. */
const BASE_PATHS: Readonly<Partial<Record<ProviderName, string>>> = { openai: '/v1', 'openai-compatible': '/v1', infinity: '/v1' };

type Way = 'passed' | 'translated' | 'refused';

function toWay(name: ProviderName, caller: WireFormat, operation: Operation): Way {
  const format = toUpstreamFormat(getProvider(name), operation, caller);
  if (format === null) return 'refused';
  const isWritten = WRITTEN.includes(format) || operation === 'meshes' || findBodyConversion(caller, format) !== null;
  if (isWritten || (caller !== format && DIALECTS.includes(caller) && DIALECTS.includes(format))) return 'translated';
  return caller === format ? 'passed' : 'refused';
}

function toCallerRow(caller: WireFormat, operation: Operation): string {
  const toCell = (way: Way): string => PROVIDER_NAMES.filter((name) => toWay(name, caller, operation) === way).join(', ') || '–';
  return `| \`${caller}\` | ${operation} | ${toCell('passed')} | ${toCell('translated')} |`;
}

function toPathsRow(name: ProviderName): string {
  const provider = getProvider(name);
  const address = { origin: 'http://host', basePath: BASE_PATHS[name] ?? '', options: {} };
  const formats = OPERATIONS.flatMap((operation) => provider.formats[operation] ?? []);
  return `| ${name} | ${formats.map((format) => `\`${format}\` ${provider.toPath(address, format, 'MODEL', false)}`).join(' · ')} |`;
}

function toPresetRow(name: string, preset: Preset): string {
  const { baseUrl, quirks, takesStreamOptions, healthPath, paths } = preset;
  const members = Object.entries(paths ?? {}).map(([format, path]) => `\`${format}\` at \`${path}\``);
  const cells = [
    `\`${name}\``,
    baseUrl === null ? 'your own' : baseUrl,
    `\`${quirks.outputCapMember ?? 'max_completion_tokens'}\``,
    toEffortsCell(preset),
    quirks.takesTopK === true ? 'yes' : 'no',
    toListCell(quirks.refusedMembers?.map((member) => `\`${member}\``)),
    toListCell([
      ...(takesStreamOptions === false ? ['is not asked for usage in streams'] : []),
      ...(quirks.refusesThinking === true ? ['gets no thinking of earlier turns'] : []),
      ...(quirks.keepsReasoning === true ? ['gets thinking of earlier turns back'] : []),
      ...members,
      ...(healthPath === undefined ? [] : [`health at \`${healthPath}\``]),
    ]),
  ];
  return `| ${cells.join(' | ')} |`;
}

function toEffortsCell({ quirks, effortsByModel }: Preset): string {
  if (effortsByModel !== undefined) return `${effortsByModel.map(([model, efforts]) => `\`${model.source.replaceAll('|', '\\|')}\`: ${efforts.join(', ')}`).join('; ')}; others none`;
  const efforts = quirks.reasoningEfforts;
  return efforts === undefined ? 'all' : toListCell(efforts.length === 0 ? ['takes none'] : efforts);
}

function toListCell(entries: readonly string[] = []): string {
  return entries.length === 0 ? '–' : entries.join(', ');
}

/** The lines that the document lacks. */
function findMissing(lines: readonly string[]): string[] {
  const known = new Set(DOCUMENT.split('\n'));
  return lines.filter((line) => !known.has(line));
}

describe('docs/providers.md', () => {
  it('tells of every provider', () => {
    expect(PROVIDER_NAMES.filter((name) => !DOCUMENT.includes(`\n| \`${name}\` | `))).toEqual([]);
  });

  it('tells for each format of callers who passes it and for whom it is translated', () => {
    expect(findMissing(CALLERS.map(([caller, operation]) => toCallerRow(caller, operation)))).toEqual([]);
  });

  it('tells where each provider is asked in each format that it speaks', () => {
    expect(findMissing(PROVIDER_NAMES.map(toPathsRow))).toEqual([]);
  });

  it('tells of every preset what it makes of the API', () => {
    expect(findMissing(PRESET_NAMES.map((name) => toPresetRow(name, PRESETS[name])))).toEqual([]);
  });

  it('tells of no provider or preset that is not there', () => {
    const rows = DOCUMENT.split('\n').filter((line) => /^\| (?:`[\w.-]+` \| (?:https:\S+|your own) \| `|[\w-]+ \| `[\w-]+` \/)/.test(line));
    const known = new Set([...PROVIDER_NAMES.map(toPathsRow), ...PRESET_NAMES.map((name) => toPresetRow(name, PRESETS[name]))]);
    expect(rows.length).toBe(known.size);
    expect(rows.filter((row) => !known.has(row))).toEqual([]);
  });
});
