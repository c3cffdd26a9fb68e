/** As extract-kubernetes-schemas.mjs writes them. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
}

export type Schemas = Readonly<Record<string, Schema>>;

/**
 * What of an object is not as its schema wants it: members that are unknown or missing, other types, other words. An
 * unknown member is a fault although Kubernetes takes it: misspelt, it would silently do nothing.
 * @returns one line each, with the path
 */
export function findSchemaFaults(value: unknown, schema: Schema, schemas: Schemas, path = ''): string[] {
  if (schema.$ref !== undefined) {
    const target = schemas[schema.$ref];
    return target === undefined ? [`${path}: there is no schema ${schema.$ref}`] : findSchemaFaults(value, target, schemas, path);
  }
  if (!hasType(value, schema)) return [`${path}: ${JSON.stringify(value)} is no ${schema.type}`];
  if (schema.enum !== undefined && !schema.enum.some((word) => word === value)) return [`${path}: ${JSON.stringify(value)} is none of ${schema.enum.join(', ')}`];
  const { items } = schema;
  if (Array.isArray(value) && items !== undefined) return value.flatMap((item, index) => findSchemaFaults(item, items, schemas, `${path}[${index}]`));
  return isObject(value) ? findFaultsOfMembers(value, schema, schemas, path) : [];
}

function findFaultsOfMembers(value: Readonly<Record<string, unknown>>, { properties, required = [], additionalProperties }: Schema, schemas: Schemas, path: string): string[] {
  const missing = required.filter((name) => value[name] === undefined).map((name) => `${path}.${name}: is missing`);
  const wrong = Object.entries(value).flatMap(([name, member]) => {
    const schema = properties?.[name] ?? additionalProperties;
    if (schema !== undefined) return findSchemaFaults(member, schema, schemas, `${path}.${name}`);
    return properties === undefined ? [] : [`${path}.${name}: is unknown`];
  });
  return [...missing, ...wrong];
}

function hasType(value: unknown, { type, format }: Schema): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string' || (format === 'int-or-string' && typeof value === 'number');
    case 'integer':
      return Number.isInteger(value);
    case 'number':
    case 'boolean':
      return typeof value === type;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    default:
      return type === undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
