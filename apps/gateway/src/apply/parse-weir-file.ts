import { Secret } from '@weir/kernel';
import { ConfigurationError } from '@weir/platform';
import { type z } from 'zod';
import { toShownField } from '../admin/errors/to-validation-error';
import { CreateModel } from '../admin/models/model.dto';
import { CreateOrganization } from '../admin/organizations/organization.dto';
import { CreateProject } from '../admin/projects/project.dto';
import { CreateUpstream } from '../admin/upstreams/upstream.dto';
import { CreateUpstreamKey } from '../admin/upstreams/upstream-key.dto';
import { declareBackends, UNKNOWN_UPSTREAM } from './declare-backends';
import { type Declaration, type DeclaredKey, type DeclaredModel, type DeclaredOrganization, type DeclaredTarget, type DeclaredUpstream, type Place } from './declaration';
import { FILE_SCHEMA, type FileModel, type FileOrganization, type FileRoute, type FileUpstream, type WeirFile } from './file-schema';
import { parseFieldName, parseYaml, type Path, toFieldName, type YamlSource } from './parse-yaml';
import { toDto } from './to-dto';

/**
 * Understands weir.yaml. Every field is checked as the admin API checks it; what only the database
 * knows is left to the writers.
 * @param name how messages call the file
 * @throws ConfigurationError for the first thing that is wrong: `weir.yaml:12:5 (models[0].name): …`
 */
export async function parseWeirFile(text: string, name: string, environment: NodeJS.ProcessEnv): Promise<Declaration> {
  const source = parseYaml(text, name, environment);
  const file = parseFields(source);
  const upstreams: DeclaredUpstream[] = [];
  for (const [index, upstream] of (file.upstreams ?? []).entries()) upstreams.push(await declareUpstream(upstream, source, ['upstreams', index]));
  const backends = await declareBackends(file.backends ?? {}, 'file', (backend) => placeIn(source, ['backends', backend]));
  const models: DeclaredModel[] = [];
  for (const [index, model] of (file.models ?? []).entries()) models.push(await declareModel(model, source, ['models', index]));
  for (const [index, route] of (file.routes ?? []).entries()) models.push(await declareRoute(route, source, ['routes', index]));
  const organizations: DeclaredOrganization[] = [];
  for (const [index, organization] of (file.organizations ?? []).entries()) organizations.push(await declareOrganization(organization, source, ['organizations', index]));
  const declaration = { upstreams: [...upstreams, ...backends.upstreams], models: withOffered(models, backends.models), organizations };
  refuseRepeats(declaration);
  return declaration;
}

/** A model that is written out is made as it is written; a backend's offer of the same name adds nothing to it. */
function withOffered(declared: readonly DeclaredModel[], offered: readonly DeclaredModel[]): DeclaredModel[] {
  const names = new Set(declared.map(({ fields }) => fields.name));
  return [...declared, ...offered.filter(({ fields }) => !names.has(fields.name))];
}

function parseFields(source: YamlSource): WeirFile {
  const parsed = FILE_SCHEMA.safeParse(source.value ?? {});
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  // A misspelt field is also a missing one: the first says more.
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0];
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    const field = [...path, issue.keys[0]];
    const known = path.join('.') === 'backends' ? `; a service that is not known by name goes into upstreams and models` : '';
    throw new ConfigurationError(`${source.locate(field)}: the field ${toFieldName(field)} is not known${known}`);
  }
  const fault = isThere(source.value, path) ? toWords(issue) : 'is missing';
  throw new ConfigurationError(`${placeIn(source, path)(null)}: ${fault}`);
}

function isThere(value: unknown, path: Path): boolean {
  let part: unknown = value ?? {};
  for (const step of path) {
    if (typeof part !== 'object' || part === null) return false;
    part = Reflect.get(part, step);
  }
  return part !== undefined;
}

/** Our own words: nothing of what was written is repeated. */
function toWords(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${TYPE_WORDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be one of: ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `must ${SIZE_WORDS[issue.origin]?.(`at least ${issue.minimum}`) ?? `be at least ${issue.minimum}`}`;
    case 'too_big':
      return `must ${SIZE_WORDS[issue.origin]?.(`at most ${issue.maximum}`) ?? `be at most ${issue.maximum}`}`;
    case 'invalid_union':
      return 'must be a number or a text';
    default:
      return 'is not valid';
  }
}

const SIZE_WORDS: Readonly<Record<string, (count: string) => string>> = {
  string: (count) => `have ${count} characters`,
  array: (count) => `have ${count} entries`,
};

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'fields with values',
  record: 'fields with values',
};

function placeIn(source: YamlSource, base: Path): Place {
  return (field) => {
    const path = field === null ? base : [...base, ...parseFieldName(field)];
    return path.length === 0 ? source.locate(path) : `${source.locate(path)} (${toFieldName(path)})`;
  };
}

async function declareUpstream({ keys = [], ...written }: FileUpstream, source: YamlSource, path: Path): Promise<DeclaredUpstream> {
  const place = placeIn(source, path);
  const fields = await toDto(CreateUpstream, written, place);
  const declared: DeclaredKey[] = [];
  for (const [index, key] of keys.entries()) declared.push(await declareKey(key, source, [...path, 'keys', index]));
  refuseRepeated(declared.map(({ label, place: where }) => [label, where]), 'label', 'label');
  return { fields, keys: declared, isWanted: true, origin: 'file', place };
}

async function declareKey(written: NonNullable<FileUpstream['keys']>[number], source: YamlSource, path: Path): Promise<DeclaredKey> {
  const place = placeIn(source, path);
  const { secret, label = source.findVariable([...path, 'secret']) ?? '' } = await toDto(CreateUpstreamKey, written, place);
  if (secret === '') throw new ConfigurationError(`${place('secret')}: must not be empty`);
  if (label === '') throw new ConfigurationError(`${place('label')}: is missing: a secret that is written out needs one`);
  return { label, secret: new Secret(secret), place };
}

async function declareModel({ targets, ...written }: FileModel, source: YamlSource, path: Path): Promise<DeclaredModel> {
  const place = placeIn(source, path);
  const named = targets.map(({ upstream_model = written.name, ...target }) => ({ ...target, upstream_model }));
  const unplaced = named.map(({ upstream: _, ...target }) => ({ ...target, upstream_id: UNKNOWN_UPSTREAM }));
  const { targets: checked, ...fields } = await toDto(CreateModel, { ...written, targets: unplaced }, place);
  const declared = checked.map(
    ({ upstream_model, weight, priority }, index): DeclaredTarget => ({ upstream: named[index].upstream, upstreamModel: upstream_model, weight, priority }),
  );
  return { fields, targets: declared, manner: 'declared', origin: 'file', place };
}

function declareRoute({ model, operation = 'chat', targets }: FileRoute, source: YamlSource, path: Path): Promise<DeclaredModel> {
  if (!model.endsWith('*')) throw new ConfigurationError(`${placeIn(source, [...path, 'model'])(null)}: must end in *; a name of its own goes into models`);
  // `openai/*` names a vendor, which is not part of the name there; `gpt-*` does not.
  const pattern = model.slice(model.lastIndexOf('/') + 1);
  const named = targets.map(({ upstream_model = pattern, ...target }) => ({ ...target, upstream_model }));
  const written: FileModel & { readonly operation: unknown } = { name: model, operation, targets: named };
  return declareModel(written, source, path);
}

async function declareOrganization({ projects = [], ...written }: FileOrganization, source: YamlSource, path: Path): Promise<DeclaredOrganization> {
  const place = placeIn(source, path);
  const fields = await toDto(CreateOrganization, written, place);
  const declared = [];
  for (const [index, project] of projects.entries()) {
    const where = placeIn(source, [...path, 'projects', index]);
    declared.push({ fields: await toDto(CreateProject, project, where), origin: 'file', place: where } as const);
  }
  refuseRepeated(declared.map(({ fields: { name }, place: where }) => [name.toLowerCase(), where]), 'name', 'project');
  return { fields, projects: declared, origin: 'file', place };
}

function refuseRepeats({ upstreams, models, organizations }: Declaration): void {
  refuseRepeated(upstreams.map(({ fields, place }) => [fields.name.toLowerCase(), place]), null, 'upstream or backend');
  refuseRepeated(models.map(({ fields, place }) => [fields.name, place]), null, 'model or route');
  refuseRepeated(organizations.map(({ fields, place }) => [fields.name.toLowerCase(), place]), 'name', 'organization');
}

function refuseRepeated(names: readonly (readonly [string, Place])[], field: string | null, what: string): void {
  const seen = new Set<string>();
  for (const [name, place] of names) {
    if (seen.has(name)) throw new ConfigurationError(`${place(field)}: there is another ${what} called ${toShownField(name)} in the file`);
    seen.add(name);
  }
}
