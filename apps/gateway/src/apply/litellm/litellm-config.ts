import { ConfigurationError } from '@weir/platform';
import { z } from 'zod';

const fields = z.record(z.string(), z.unknown());

/** The parts of LiteLLM's configuration that say what may be called (https://docs.litellm.ai/docs/proxy/configs). */
const CONFIG = z.looseObject({
  model_list: z.array(z.looseObject({ model_name: z.string(), litellm_params: fields, model_info: fields.nullish() })).nullish(),
  router_settings: fields.nullish(),
  litellm_settings: fields.nullish(),
  credential_list: z.array(z.looseObject({ credential_name: z.string(), credential_values: fields })).nullish(),
});

export type LitellmConfig = z.output<typeof CONFIG>;
export type LitellmEntry = NonNullable<LitellmConfig['model_list']>[number];

/** @throws ConfigurationError for what is no such configuration; no value is quoted */
export function parseLitellmConfig(value: unknown, name: string): LitellmConfig {
  const parsed = CONFIG.safeParse(value);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0].path.map(String).join('.');
  throw new ConfigurationError(`${name}: is no configuration of LiteLLM${path === '' ? '' : ` (${path.slice(0, 100)})`}`);
}
