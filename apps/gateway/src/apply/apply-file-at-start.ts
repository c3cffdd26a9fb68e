import { type Configuration, ConfigurationError, type WeirLogger } from '@weir/platform';
import { type KeyRing, UpstreamKeyVault } from '@weir/vault';
import { basename } from 'node:path';
import { toGpuBackends, toGpuPlace } from '../setup/import-gpu-services';
import { applyDeclaration } from './apply-declaration';
import { type ApplyParts } from './apply-run';
import { declareBackends, type DeclaredBackends } from './declare-backends';
import { type Declaration } from './declaration';
import { type ApplyReport } from './difference';
import { parseWeirFile } from './parse-weir-file';
import { readFileText } from './read-file-text';

/** What the start has made before there is a Nest application. */
export interface StartParts extends Omit<ApplyParts, 'vault'> {
  readonly configuration: Pick<Configuration, 'file' | 'gpu'>;
  readonly keyRing: KeyRing;
  readonly logger: Pick<WeirLogger, 'info'>;
}

const NOTHING: Declaration = { upstreams: [], models: [], organizations: [] };

/**
 * Applies weir.yaml, if there is one, and the GPU services that the environment names. Call it when
 * the database is migrated and before anything listens: what is wrong stops the start. Nothing is
 * deleted; that is for `apply --prune`, when somebody looks.
 * @returns null when there is neither
 * @throws ConfigurationError with one line that names the place
 */
export async function applyFileAtStart(parts: StartParts, environment: NodeJS.ProcessEnv): Promise<ApplyReport | null> {
  const { configuration, dataSource, clock, keyRing, logger } = parts;
  const file = await readDeclaration(configuration.file, environment);
  const services = await declareBackends(toGpuBackends(configuration), 'environment', toGpuPlace);
  const declaration = withServices(file ?? NOTHING, services);
  if (declaration.upstreams.length + declaration.models.length + declaration.organizations.length === 0) return null;
  const report = await applyDeclaration(declaration, { dataSource, clock, vault: new UpstreamKeyVault(dataSource.manager, keyRing) });
  if (report.differences.length > 0) {
    const count = report.differences.length;
    logger.info({ rows: count }, file === null ? 'applied the GPU services of the environment' : `applied ${basename(configuration.file.path)}`);
  }
  return report;
}

async function readDeclaration({ path, isNamed }: Configuration['file'], environment: NodeJS.ProcessEnv): Promise<Declaration | null> {
  const name = basename(path);
  const text = await readFileText(path, name);
  if (text === null && isNamed) throw new ConfigurationError(`WEIR_YAML: there is no file ${path}`);
  return text === null ? null : parseWeirFile(text, name, environment);
}

/** What the file says of an upstream or a model goes before what the environment says. */
function withServices(file: Declaration, services: DeclaredBackends): Declaration {
  const upstreams = new Set(file.upstreams.map(({ fields }) => fields.name.toLowerCase()));
  const models = new Set(file.models.map(({ fields }) => fields.name));
  const added = services.upstreams.filter(({ fields }) => !upstreams.has(fields.name));
  const kept = new Set(added.map(({ fields }) => fields.name));
  const offers = services.models.filter(({ fields, targets }) => !models.has(fields.name) && targets.every(({ upstream }) => kept.has(upstream)));
  return { ...file, upstreams: [...file.upstreams, ...added], models: [...file.models, ...offers] };
}
