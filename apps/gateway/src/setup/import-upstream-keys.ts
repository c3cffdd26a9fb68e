import { newId, type ModelId, type Operation, OPERATIONS, Secret, type UpstreamId, WeirError } from '@weir/kernel';
import { ANTHROPIC_DEFAULT_MODELS, findPresetByOrigin, GEMINI_DEFAULT_MODELS, OPENAI_DEFAULT_MODELS, type ProviderName } from '@weir/providers';
import { ModelEntity, ModelTargetEntity, parseBaseUrl, UpstreamEntity } from '@weir/upstreams';
import { type UpstreamKeyVault } from '@weir/vault';
import { type DataSource, type EntityManager } from 'typeorm';

/** What an import did. Counts and names only: never a key. */
export interface ImportReport {
  readonly upstream: string;
  readonly madeUpstream: boolean;
  readonly importedKeys: number;
  readonly heldKeys: number;
  readonly madeModels: readonly string[];
  /** The upstream of that name has another address than the environment says: nothing was done to it. */
  readonly hasOtherAddress: boolean;
}

type ModelNames = Readonly<Partial<Record<Operation, readonly string[]>>>;

/** An upstream as the environment describes it. */
interface UpstreamPlan {
  readonly name: string;
  readonly provider: ProviderName;
  readonly baseUrl: string;
  readonly options: Record<string, unknown>;
  readonly keys: readonly string[];
  readonly models: ModelNames;
  /** The name under which every other model of the upstream is reached, such as `openai/*`. */
  readonly wildcard: string | null;
}

const OPENAI_BASE_URL = 'https://api.openai.com/v1';

/** Providers of which the environment says no more than keys and, if it is another, the address. */
const VENDORS = {
  anthropic: { variable: 'ANTHROPIC', baseUrl: 'https://api.anthropic.com', models: ANTHROPIC_DEFAULT_MODELS },
  gemini: { variable: 'GEMINI', baseUrl: 'https://generativelanguage.googleapis.com', models: GEMINI_DEFAULT_MODELS },
} as const;

/**
 * Imports the keys that the environment holds (OPENAI_API_KEYS, AZURE_API_KEYS, ANTHROPIC_API_KEYS,
 * GEMINI_API_KEYS; UPSTREAM_TYPE says of which providers). Idempotent: a key that is held already is left alone, and so is
 * whatever an admin has changed since.
 * @throws WeirError invalid_request whose message names the variable
 */
export async function importUpstreamKeys(
  environment: NodeJS.ProcessEnv,
  dataSource: DataSource,
  vault: UpstreamKeyVault,
): Promise<ImportReport[]> {
  const reports: ImportReport[] = [];
  for (const plan of toPlans(environment)) {
    if (plan.keys.length === 0) continue;
    reports.push(await dataSource.transaction((manager) => importPlan(plan, manager, vault.within(manager))));
  }
  return reports;
}

function toPlans(environment: NodeJS.ProcessEnv): UpstreamPlan[] {
  const types = toList(toText(environment.UPSTREAM_TYPE) || 'openai');
  return types.map((type) => {
    switch (type) {
      case 'openai':
        return toOpenAiPlan(environment);
      case 'azure':
        return toAzurePlan(environment);
      case 'anthropic':
      case 'gemini':
        return toVendorPlan(type, environment);
      default:
        throw new WeirError('invalid_request', { message: `UPSTREAM_TYPE: '${type}' is not one of openai, azure, anthropic, gemini`, param: 'UPSTREAM_TYPE' });
    }
  });
}

function toOpenAiPlan(environment: NodeJS.ProcessEnv): UpstreamPlan {
  const baseUrl = toUrl(toText(environment.OPENAI_BASE_URL) || OPENAI_BASE_URL, 'OPENAI_BASE_URL');
  const isOpenAi = isSameHost(baseUrl, OPENAI_BASE_URL);
  const preset = isOpenAi ? null : findPresetByOrigin(parseBaseUrl(baseUrl).origin);
  return {
    name: 'openai',
    provider: isOpenAi ? 'openai' : 'openai-compatible',
    baseUrl,
    options: preset === null ? {} : { preset },
    keys: toKeys(environment, 'OPENAI_API_KEYS', 'OPENAI_API_KEY'),
    models: isOpenAi ? OPENAI_DEFAULT_MODELS : {},
    wildcard: 'openai/*',
  };
}

function toVendorPlan(name: keyof typeof VENDORS, environment: NodeJS.ProcessEnv): UpstreamPlan {
  const vendor = VENDORS[name];
  const baseUrl = toUrl(toText(environment[`${vendor.variable}_BASE_URL`]) || vendor.baseUrl, `${vendor.variable}_BASE_URL`);
  return {
    name,
    provider: name,
    baseUrl,
    options: {},
    keys: toKeys(environment, `${vendor.variable}_API_KEYS`, `${vendor.variable}_API_KEY`),
    // Another server that speaks the vendor's API has models of its own.
    models: isSameHost(baseUrl, vendor.baseUrl) ? vendor.models : {},
    wildcard: `${name}/*`,
  };
}

function toAzurePlan(environment: NodeJS.ProcessEnv): UpstreamPlan {
  const keys = toKeys(environment, 'AZURE_API_KEYS', 'AZURE_API_KEY');
  const endpoint = toText(environment.AZURE_ENDPOINT);
  if (keys.length > 0 && endpoint === '') {
    throw new WeirError('invalid_request', { message: 'AZURE_ENDPOINT is missing: AZURE_API_KEYS are set', param: 'AZURE_ENDPOINT' });
  }
  const version = toText(environment.AZURE_API_VERSION);
  const deployments = toList(toText(environment.AZURE_DEPLOYMENT_NAMES) || toText(environment.AZURE_DEPLOYMENT_NAME));
  return {
    name: 'azure',
    provider: 'azure',
    baseUrl: endpoint === '' ? '' : toUrl(endpoint, 'AZURE_ENDPOINT'),
    options: version === '' ? {} : { api_version: version },
    keys,
    models: Object.groupBy(deployments, toOperation),
    wildcard: 'azure/*',
  };
}

async function importPlan(plan: UpstreamPlan, manager: EntityManager, vault: UpstreamKeyVault): Promise<ImportReport> {
  const { origin } = parseBaseUrl(plan.baseUrl);
  const held = await manager.findOneBy(UpstreamEntity, { name: plan.name });
  if (held !== null && parseBaseUrl(held.baseUrl).origin !== origin) {
    // An admin may have moved it on purpose: a key of the environment is not for that host.
    return { upstream: plan.name, madeUpstream: false, importedKeys: 0, heldKeys: 0, madeModels: [], hasOtherAddress: true };
  }
  const upstreamId = held?.id ?? (await makeUpstream(plan, manager));
  const { imported, already } = await importKeys(plan, upstreamId, origin, vault);
  const madeModels = held === null ? await makeModels(plan, upstreamId, manager) : [];
  return { upstream: plan.name, madeUpstream: held === null, importedKeys: imported, heldKeys: already, madeModels, hasOtherAddress: false };
}

async function makeUpstream(plan: UpstreamPlan, manager: EntityManager): Promise<UpstreamId> {
  const id = newId<UpstreamId>();
  await manager.save(UpstreamEntity, { id, name: plan.name, provider: plan.provider, baseUrl: plan.baseUrl, options: plan.options });
  return id;
}

async function importKeys(plan: UpstreamPlan, upstreamId: UpstreamId, origin: string, vault: UpstreamKeyVault): Promise<{ imported: number; already: number }> {
  let imported = 0;
  for (const [index, key] of plan.keys.entries()) {
    const secret = new Secret(key);
    if ((await vault.findHeld(upstreamId, secret)) !== null) continue;
    await vault.add({ upstreamId, origin, label: `environment ${index + 1}`, secret });
    imported += 1;
  }
  return { imported, already: plan.keys.length - imported };
}

async function makeModels(plan: UpstreamPlan, upstreamId: UpstreamId, manager: EntityManager): Promise<string[]> {
  const made: string[] = [];
  for (const operation of OPERATIONS) {
    for (const name of plan.models[operation] ?? []) made.push(await offerModel(name, operation, name, upstreamId, manager));
  }
  if (plan.wildcard !== null) made.push(await offerModel(plan.wildcard, 'chat', '*', upstreamId, manager));
  return made;
}

/**
 * Makes a model, or adds the new upstream to one of the same name: two providers of one model share its load.
 * @param price of a model that is made now; null leaves it to the price table
 */
export async function offerModel(
  name: string,
  operation: Operation,
  upstreamModel: string,
  upstreamId: UpstreamId,
  manager: EntityManager,
  price: ModelEntity['price'] = null,
): Promise<string> {
  const held = await manager.findOneBy(ModelEntity, { name });
  if (held !== null && held.operation !== operation) return name;
  const modelId = held?.id ?? newId<ModelId>();
  if (held === null) await manager.save(manager.create(ModelEntity, { id: modelId, name, operation, price }));
  await manager.insert(ModelTargetEntity, { id: newId(), modelId, upstreamId, upstreamModel });
  return name;
}

function toUrl(url: string, variable: string): string {
  try {
    parseBaseUrl(url);
    return url;
  } catch (error) {
    throw new WeirError('invalid_request', { message: `${variable}: ${error instanceof Error ? error.message : 'not a URL'}`, param: variable });
  }
}

/** As everywhere in the environment, empty means not set. */
function toText(value: string | undefined): string {
  return value?.trim() ?? '';
}

function toKeys(environment: NodeJS.ProcessEnv, plural: string, singular: string): string[] {
  return [...new Set([...toList(environment[plural] ?? ''), ...toList(environment[singular] ?? '')])];
}

function toList(text: string): string[] {
  return text.split(',').map((entry) => entry.trim()).filter((entry) => entry !== '');
}

function isSameHost(url: string, other: string): boolean {
  return new URL(url).host === new URL(other).host;
}

/** A deployment's name is free; by custom it is its model's, and tells what that does. */
function toOperation(deployment: string): Operation {
  if (/embed|ada-002/i.test(deployment)) return 'embeddings';
  if (/whisper|transcribe/i.test(deployment)) return 'transcriptions';
  if (/\btts\b/i.test(deployment)) return 'speech';
  return /dall-e|gpt-image/i.test(deployment) ? 'images' : 'chat';
}
