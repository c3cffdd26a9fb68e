import { applyDecorators, type Type as ClassType } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { AMOUNT_RULE, isPercentage, parseUsdAmount } from '@weir/access';
import { isUuid, LARGEST_BUDGET_NANOS } from '@weir/kernel';
import { Transform, Type } from 'class-transformer';
import { registerDecorator, ValidateIf, ValidateNested } from 'class-validator';

/**
 * The kinds of field that the control plane takes. Each decorator checks the field and describes it
 * in the OpenAPI document, so that the two cannot drift apart.
 */
export interface FieldOptions {
  /** May be left out. */
  readonly optional?: boolean;
  /** May be null, which clears it. */
  readonly nullable?: boolean;
  readonly description?: string;
}

/** Control characters, line separators and lone surrogates: they forge log lines, or cannot be stored. */
const UNSAFE_TEXT = /[\p{Cc}\p{Cs}\u2028\u2029\ufeff]/u;
/** `2026-11-20T10:00:00Z`, with a zone: without one the moment is anybody's guess. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

export function isPlainText(value: unknown, min: number, max: number): value is string {
  return typeof value === 'string' && value.length >= min && value.length <= max && !UNSAFE_TEXT.test(value);
}

/** A name that people read: not blank. */
export function Name(max: number, options: FieldOptions = {}): PropertyDecorator {
  const test = (value: unknown): boolean => isPlainText(value, 1, max) && value.trim() === value;
  return field(
    'name',
    test,
    `must be a text of 1 to ${max} characters without control characters, or spaces around it`,
    { type: String, minLength: 1, maxLength: max },
    options,
  );
}

/** A text that may be empty. */
export function PlainText(max: number, options: FieldOptions = {}): PropertyDecorator {
  const test = (value: unknown): boolean => isPlainText(value, 0, max);
  return field('text', test, `must be a text of at most ${max} characters without control characters`, { type: String, maxLength: max }, options);
}

export function Email(options: FieldOptions = {}): PropertyDecorator {
  const test = (value: unknown): boolean => isPlainText(value, 3, 254) && /^[^\s@]+@[^\s@]+$/.test(value);
  return field('email', test, 'must be an e-mail address', { type: String, format: 'email' }, options);
}

export function Id(options: FieldOptions = {}): PropertyDecorator {
  return field('id', isUuid, 'must be an id', { type: String, format: 'uuid' }, options);
}

export function Flag(options: FieldOptions = {}): PropertyDecorator {
  return field('flag', (value) => typeof value === 'boolean', 'must be true or false', { type: Boolean }, options);
}

/** `fromText`: for a query, where everything arrives as text. */
export function WholeNumber(min: number, max: number, options: FieldOptions & { fromText?: boolean } = {}): PropertyDecorator {
  const test = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
  const checked = field(
    'wholeNumber',
    test,
    `must be a whole number from ${min} to ${max}`,
    { type: 'integer', minimum: min, maximum: max },
    options,
  );
  return options.fromText === true ? applyDecorators(Transform(({ value }): unknown => toWholeNumber(value)), checked) : checked;
}

function toWholeNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
}

/** An amount of dollars, exact to the nano-dollar. */
export function UsdAmount(options: FieldOptions = {}): PropertyDecorator {
  const test = (value: unknown): boolean => parseUsdAmount(value, LARGEST_BUDGET_NANOS) !== null;
  const api: ApiPropertyOptions = { oneOf: [{ type: 'number', minimum: 0, maximum: 4_000_000 }, { type: 'string', pattern: '^\\d{1,7}(\\.\\d{1,9})?$' }] };
  return field('usdAmount', test, AMOUNT_RULE, api, options);
}

export function Percentages(options: FieldOptions = {}): PropertyDecorator {
  const test = (value: unknown): boolean => Array.isArray(value) && value.length <= 100 && value.every(isPercentage);
  const api: ApiPropertyOptions = { type: 'integer', isArray: true, minimum: 1, maximum: 100, maxItems: 100 };
  return field('percentages', test, 'must be a list of whole percentages from 1 to 100', api, options);
}

export function OneOf(values: readonly string[], options: FieldOptions = {}): PropertyDecorator {
  const test = (value: unknown): boolean => typeof value === 'string' && values.includes(value);
  return field('oneOf', test, `must be one of: ${values.join(', ')}`, { type: String, enum: [...values] }, options);
}

export function Timestamp(options: FieldOptions = {}): PropertyDecorator {
  return field('timestamp', isTimestamp, 'must be a time in ISO 8601 with its zone', { type: String, format: 'date-time' }, options);
}

export function isTimestamp(value: unknown): value is string {
  return typeof value === 'string' && TIMESTAMP.test(value) && !Number.isNaN(Date.parse(value));
}

/** A list of different texts. */
export function NameList(maxItems: number, maxLength: number, options: FieldOptions = {}): PropertyDecorator {
  const test = (value: unknown): boolean =>
    Array.isArray(value) &&
    value.length <= maxItems &&
    value.every((item) => isPlainText(item, 1, maxLength) && item.trim() === item) &&
    new Set(value).size === value.length;
  return field(
    'nameList',
    test,
    `must be a list of at most ${maxItems} different texts of 1 to ${maxLength} characters`,
    { type: [String], maxItems },
    options,
  );
}

/** An object whose own fields are checked by a class. (Swagger asks a function for its class only if it is called `type`.) */
export function Nested(type: () => ClassType, options: FieldOptions = {}): PropertyDecorator {
  return applyDecorators(
    ValidateNested(),
    Type(type),
    field('object', isObject, 'must be an object', { type: () => type() }, options),
  );
}

/** A list of objects whose fields are checked by a class. */
export function NestedList(type: () => ClassType, min: number, max: number, options: FieldOptions = {}): PropertyDecorator {
  const test = (value: unknown): boolean =>
    Array.isArray(value) && value.length >= min && value.length <= max && value.every(isObject);
  return applyDecorators(
    ValidateNested({ each: true }),
    Type(type),
    field('objectList', test, `must be a list of ${min} to ${max} objects`, { type: () => type(), isArray: true, minItems: min, maxItems: max }, options),
  );
}

/** An object whose fields somebody else checks. */
export function OpenObject(options: FieldOptions & { api?: ApiPropertyOptions } = {}): PropertyDecorator {
  const api: ApiPropertyOptions = options.api ?? { type: 'object', additionalProperties: true };
  return field('openObject', isObject, 'must be an object', api, options);
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function field(
  name: string,
  test: (value: unknown) => boolean,
  message: string,
  api: ApiPropertyOptions,
  { optional = false, nullable = false, description }: FieldOptions,
): PropertyDecorator {
  const isChecked = (value: unknown): boolean => !((optional && value === undefined) || (nullable && value === null));
  const check: PropertyDecorator = (target, property) => {
    registerDecorator({ name, target: target.constructor, propertyName: String(property), options: { message }, validator: { validate: test } });
  };
  return applyDecorators(
    check,
    ValidateIf((_object, value) => isChecked(value)),
    ApiProperty({
      ...api,
      required: !optional,
      ...(nullable ? { nullable: true } : {}),
      ...(description === undefined ? {} : { description }),
    } as ApiPropertyOptions),
  );
}
