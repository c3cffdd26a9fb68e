import { isJsonObject } from '../json-object';
import { toCamelName } from './to-camel-object';

type Schema = Readonly<Record<string, unknown>>;

/** Members of a schema that hold schemas: one, a list, or one for each name. */
const ONE = ['items', 'not', 'additionalProperties'];
const LIST = ['anyOf', 'oneOf', 'allOf', 'prefixItems'];
const NAMED = ['properties', '$defs', 'definitions'];

/** Numbers that Google writes as texts: they are of 64 bits there. */
const COUNTS = new Set(['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties']);
/** Google's own members, which mean nothing in a JSON Schema, and those that are translated below. */
const OWN = new Set(['nullable', 'propertyOrdering', 'example', 'type', 'format', 'properties', 'enum', 'anyOf']);

/**
 * Google's `Schema` (a subset of OpenAPI 3.0: `{type: "STRING", nullable: true}`) as a JSON Schema.
 * Members that JSON Schema knows, too, pass. The order of properties is kept where it was said.
 */
export function toJsonSchema(schema: Schema): Schema {
  const said: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(schema)) said[name.startsWith('$') ? name : toCamelName(name)] = value;
  const isNullable = said.nullable === true;
  const result: Record<string, unknown> = { ...toType(said.type, isNullable) };
  for (const [name, value] of Object.entries(said)) {
    if (!OWN.has(name) && value !== null) result[name] = COUNTS.has(name) ? toCount(value) : toInner(name, value);
  }
  // "enum" is how Google marks an enumeration; it is no format elsewhere.
  if (typeof said.format === 'string' && said.format !== 'enum') result.format = said.format;
  if (Array.isArray(said.enum)) result.enum = isNullable ? [...(said.enum as unknown[]), null] : said.enum;
  if (Array.isArray(said.anyOf)) result.anyOf = [...said.anyOf.map(toDeepSchema), ...(isNullable ? [{ type: 'null' }] : [])];
  if (said.example !== undefined) result.examples = [said.example];
  if (isJsonObject(said.properties)) result.properties = toProperties(said.properties, said.propertyOrdering);
  return result;
}

function toType(type: unknown, isNullable: boolean): Schema {
  if (Array.isArray(type)) return { type: type.map(toTypeName) };
  if (typeof type !== 'string' || type === 'TYPE_UNSPECIFIED') return {};
  const name = toTypeName(type);
  return { type: isNullable && name !== 'null' ? [name, 'null'] : name };
}

function toTypeName(type: unknown): unknown {
  return typeof type === 'string' ? type.toLowerCase() : type;
}

function toCount(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
}

/** What holds schemas is translated, too; a default or an example is data. */
function toInner(name: string, value: unknown): unknown {
  if (ONE.includes(name)) return toDeepSchema(value);
  if (LIST.includes(name) && Array.isArray(value)) return value.map(toDeepSchema);
  return NAMED.includes(name) && isJsonObject(value) ? toProperties(value, null) : value;
}

function toDeepSchema(value: unknown): unknown {
  return isJsonObject(value) ? toJsonSchema(value) : value;
}

/** Names of properties are the caller's own, in whichever spelling. */
function toProperties(properties: Schema, ordering: unknown): Schema {
  const first = Array.isArray(ordering) ? ordering.filter((name): name is string => typeof name === 'string' && Object.hasOwn(properties, name)) : [];
  const names = new Set([...first, ...Object.keys(properties)]);
  return Object.fromEntries([...names].map((name) => [name, toDeepSchema(properties[name])]));
}

/**
 * Says in a schema of an answer what Gemini does anyway: an object has no other properties than those
 * that are listed. Other providers want it said.
 */
export function toClosedSchema(schema: Schema): Schema {
  const result: Record<string, unknown> = { ...schema };
  for (const name of ONE) if (isJsonObject(schema[name])) result[name] = toClosedSchema(schema[name]);
  for (const name of LIST) if (Array.isArray(schema[name])) result[name] = schema[name].map((item: unknown) => (isJsonObject(item) ? toClosedSchema(item) : item));
  for (const name of NAMED) {
    const named = schema[name];
    if (isJsonObject(named)) result[name] = Object.fromEntries(Object.entries(named).map(([key, item]) => [key, isJsonObject(item) ? toClosedSchema(item) : item]));
  }
  if (isJsonObject(schema.properties) && schema.additionalProperties === undefined) result.additionalProperties = false;
  return result;
}

/** Whether all objects in a closed schema demand all their properties: only then OpenAI guarantees it. */
export function demandsAll(schema: Schema): boolean {
  const { properties, required, additionalProperties } = schema;
  if (isJsonObject(properties)) {
    if (additionalProperties !== false) return false;
    const demanded = new Set<unknown>(Array.isArray(required) ? required : []);
    if (Object.keys(properties).some((name) => !demanded.has(name))) return false;
  }
  const lists = LIST.flatMap((name) => (Array.isArray(schema[name]) ? (schema[name] as unknown[]) : []));
  const named = NAMED.flatMap((name) => Object.values(isJsonObject(schema[name]) ? schema[name] : {}));
  const inner = [...ONE.map((name) => schema[name]), ...lists, ...named];
  return inner.every((item) => !isJsonObject(item) || demandsAll(item));
}
