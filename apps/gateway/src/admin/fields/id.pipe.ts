import { Injectable, type PipeTransform } from '@nestjs/common';
import { isUuid, WeirError } from '@weir/kernel';

/** An id in a path: what is no id names nothing, so it is not found, and the database is not asked. */
@Injectable()
export class IdPipe implements PipeTransform<unknown, string> {
  transform(value: unknown): string {
    if (!isUuid(value)) throw new WeirError('not_found');
    return value;
  }
}
