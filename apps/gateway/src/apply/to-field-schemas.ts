import { type Type } from '@nestjs/common';
import { z } from 'zod';

/** What `@nestjs/swagger` keeps of a class whose fields the decorators of `admin/fields` describe. */
const NAMES = 'swagger/apiModelPropertiesArray';
const FIELD = 'swagger/apiModelProperties';

/** The part of a field's description that is read here. */
const DESCRIPTION = z.object({
  type: z.unknown().optional(),
  enum: z.array(z.string()).optional(),
  isArray: z.boolean().optional(),
  required: z.boolean().optional(),
  nullable: z.boolean().optional(),
  description: z.string().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  oneOf: z.array(z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
});

type Description = z.output<typeof DESCRIPTION>;

/**
 * The fields of an admin API's class as schemas. What the file takes is what the API takes, with the
 * same words: a field that is added there is a field of the file.
 */
export function toFieldSchemas(type: Type): Record<string, z.ZodType> {
  const names: unknown = Reflect.getMetadata(NAMES, toPrototype(type));
  const listed = z.array(z.string()).min(1).parse(names).map((name) => name.replace(/^:/, ''));
  return Object.fromEntries(listed.map((name) => [name, toFieldSchema(type, name)]));
}

function toPrototype(type: Type): object {
  const prototype: unknown = type.prototype;
  if (typeof prototype !== 'object' || prototype === null) throw new Error('a class without a prototype');
  return prototype;
}

function toFieldSchema(type: Type, name: string): z.ZodType {
  const description = DESCRIPTION.parse(Reflect.getMetadata(FIELD, toPrototype(type), name));
  const schema = toValueSchema(description);
  const nullable = description.nullable === true ? schema.nullable() : schema;
  const described = description.description === undefined ? nullable : nullable.describe(description.description);
  return description.required === false ? described.optional() : described;
}

function toValueSchema(description: Description): z.ZodType {
  const { isArray = false, minItems, maxItems } = description;
  const one = toOneSchema(description);
  if (!isArray && !Array.isArray(description.type)) return one;
  const list = z.array(one).min(minItems ?? 0);
  return maxItems === undefined ? list : list.max(maxItems);
}

function toOneSchema(description: Description): z.ZodType {
  const { type, enum: values, properties, oneOf } = description;
  if (values !== undefined) return z.enum(values);
  // Dollars: a number, or a text that spares a decimal the way through a floating-point number.
  if (oneOf !== undefined) return z.union([z.number(), z.string()]);
  if (properties !== undefined) return z.strictObject(toPropertySchemas(properties));
  if (type === 'object') return z.record(z.string(), z.unknown());
  if (type === 'integer') return toNumberSchema(z.int(), description);
  if (type === Number || type === 'number') return toNumberSchema(z.number(), description);
  if (type === Boolean) return z.boolean();
  if (type === String || Array.isArray(type)) return toTextSchema(description);
  if (typeof type === 'function') return z.strictObject(toFieldSchemas(toClass(type)));
  throw new Error('a field is described in a way that is not understood here');
}

function toPropertySchemas(properties: Readonly<Record<string, unknown>>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, toFieldOf(DESCRIPTION.parse(value))]));
}

function toFieldOf(description: Description): z.ZodType {
  const schema = toValueSchema(description);
  return (description.nullable === true ? schema.nullable() : schema).optional();
}

function toTextSchema({ minLength = 0, maxLength }: Description): z.ZodType {
  const text = z.string().min(minLength);
  return maxLength === undefined ? text : text.max(maxLength);
}

function toNumberSchema(schema: z.ZodNumber, { minimum, maximum }: Description): z.ZodType {
  const from = minimum === undefined ? schema : schema.min(minimum);
  return maximum === undefined ? from : from.max(maximum);
}

/** A class that is named later is given as a function that answers it. */
function toClass(type: unknown): Type {
  const answered: unknown = typeof type === 'function' ? Reflect.apply(type, undefined, []) : null;
  if (typeof answered !== 'function') throw new Error('a field is described by a function that answers no class');
  return answered as Type;
}
