import { type ValueTransformer } from 'typeorm';

/** The driver gives a bigint as text; nano-dollars of a budget are exact in a number. */
export const bigintAsNumber: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: unknown) => Number(value),
};
