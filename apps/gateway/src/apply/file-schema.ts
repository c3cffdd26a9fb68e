import { z } from 'zod';
import { PROVIDER_NAMES } from '@weir/providers';
import { CreateModel, TargetInput } from '../admin/models/model.dto';
import { CreateOrganization } from '../admin/organizations/organization.dto';
import { CreateProject } from '../admin/projects/project.dto';
import { CreateUpstream } from '../admin/upstreams/upstream.dto';
import { CreateUpstreamKey } from '../admin/upstreams/upstream-key.dto';
import { BACKEND_NAMES, type BackendName } from './known-backends';
import { toFieldSchemas } from './to-field-schemas';

const MOST_OF_A_KIND = 10_000;
const MOST_KEYS = 100;

const { upstream_id: _, ...TARGET_FIELDS } = toFieldSchemas(TargetInput);
const { organization_id: __, ...PROJECT_FIELDS } = toFieldSchemas(CreateProject);

const NAME = z.string().min(1);

const UPSTREAM_KEY = z.strictObject({
  ...toFieldSchemas(CreateUpstreamKey),
  secret: z.string().describe('The provider’s key: `${NAME}` takes it from the environment. Never shown.'),
  label: z.string().optional().describe('Tells the keys of an upstream apart. The variable’s name when not given; a secret that is written out needs one.'),
});

const UPSTREAM = z.strictObject({
  ...toFieldSchemas(CreateUpstream),
  name: NAME.describe('Whose row this is: an upstream of this name is changed, another one is made.'),
  keys: z.array(UPSTREAM_KEY).max(MOST_KEYS).optional().describe('Another secret under the same label takes the old one’s place.'),
});

const BACKEND = z.strictObject({
  enabled: z.boolean().optional().describe('False: it is not made, or switched off if it is there.'),
  url: z.string().optional().describe('`http://127.0.0.1:8019`. Where the service speaks OpenAI’s API, /v1 is added when the URL has no path.'),
  timeout: z.union([z.number(), z.string()]).optional().describe('How long a call may take: seconds, or a text such as 30s, 500ms or 2m.'),
  provider: z.enum(PROVIDER_NAMES).optional().describe('How the service is spoken to, where it is not what is usual.'),
  upstream_model: z.string().min(1).optional().describe('What the service calls its model.'),
  price: toFieldSchemas(CreateModel).price.optional().describe('Of its model when that is made. Free when not given: the machine is your own.'),
});

const TARGET = z.strictObject({
  ...TARGET_FIELDS,
  upstream: NAME.describe('An upstream or backend by its name.'),
  upstream_model: z.string().min(1).optional().describe('The upstream’s name for the model; the model’s own when not given.'),
});

const MODEL = z.strictObject({
  ...toFieldSchemas(CreateModel),
  name: NAME.describe('Whose row this is: a model of this name is changed, another one is made. With a `*` at its end it stands for every name that begins so.'),
  targets: z.array(TARGET).min(1).max(100).describe('Replaces all of them.'),
});

const ROUTE = z.strictObject({
  model: NAME.describe('The pattern of names: `gpt-*`, or `*` for all that have no model of their own.'),
  operation: toFieldSchemas(CreateModel).operation.optional().describe('chat when not given.'),
  targets: z
    .array(TARGET.extend({ upstream_model: z.string().min(1).optional().describe('With a `*` at its end: what the pattern’s `*` stood for. When not given, the pattern behind its last slash: `gpt-*` sends the name as it is, `openai/*` without `openai/`.') }))
    .min(1)
    .max(100),
});

const PROJECT = z.strictObject({ ...PROJECT_FIELDS, name: NAME });

const ORGANIZATION = z.strictObject({
  ...toFieldSchemas(CreateOrganization),
  name: NAME,
  projects: z.array(PROJECT).max(MOST_OF_A_KIND).optional(),
});

const BACKENDS = z.strictObject(
  Object.fromEntries(BACKEND_NAMES.map((name) => [name, BACKEND.optional()])) as Record<BackendName, z.ZodOptional<typeof BACKEND>>,
);

/** weir.yaml. What a section leaves out stays as it is; what is named is made so. */
export const FILE_SCHEMA = z
  .strictObject({
    $schema: z.string().optional().describe('For editors: where this schema is.'),
    upstreams: z.array(UPSTREAM).max(MOST_OF_A_KIND).optional(),
    backends: BACKENDS.optional().describe('GPU services that Weir knows by name: each is an upstream and a model.'),
    models: z.array(MODEL).max(MOST_OF_A_KIND).optional(),
    routes: z.array(ROUTE).max(MOST_OF_A_KIND).optional().describe('Models whose name is a pattern, in short.'),
    organizations: z.array(ORGANIZATION).max(MOST_OF_A_KIND).optional(),
  })
  .describe('What a Weir has, declared: docs/weir-yaml.md. Texts may hold ${NAME} and ${NAME:-default} from the environment.');

export type WeirFile = z.output<typeof FILE_SCHEMA>;
export type FileUpstream = NonNullable<WeirFile['upstreams']>[number];
export type FileModel = NonNullable<WeirFile['models']>[number];
export type FileRoute = NonNullable<WeirFile['routes']>[number];
export type FileOrganization = NonNullable<WeirFile['organizations']>[number];
export type Backend = z.output<typeof BACKEND>;
export type Backends = Partial<Record<BackendName, Backend>>;

/** The schema as editors read it: JSON Schema of what is written, before defaults. */
export function toPublishedSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(FILE_SCHEMA, { io: 'input' });
  return `${JSON.stringify({ $schema, title: 'weir.yaml', ...schema }, null, 2)}\n`;
}
