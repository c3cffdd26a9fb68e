import { type Type } from '@nestjs/common';
import { WeirError } from '@weir/kernel';
import { ConfigurationError } from '@weir/platform';
import { FieldValidationPipe } from '../admin/configure-control-plane';
import { type Place } from './declaration';

const pipe = new FieldValidationPipe();

/**
 * The same check that a request to the admin API passes.
 * @throws ConfigurationError that names the place
 */
export async function toDto<Fields extends object>(type: Type<Fields>, fields: object, place: Place): Promise<Fields> {
  const checked: unknown = await placed(place, () => pipe.transform(fields, { type: 'body', metatype: type }));
  if (!(checked instanceof type)) throw new Error('the check of fields answers another class');
  return checked;
}

/** Runs a writer of the admin API; its refusal is told with the place of what it refuses. */
export async function placed<Answer>(place: Place, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof WeirError) || error.status >= 500) throw error;
    throw new ConfigurationError(`${place(error.param)}: ${error.message}`);
  }
}
