import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { type TraceConfiguration } from './trace-configuration';

/** What tells this process from others. */
export interface ProcessIdentity {
  readonly hostName: string;
  readonly processId: number;
  /** Unlike any other's. */
  readonly instanceId: string;
  /** Of several that share one environment; null for the only one. */
  readonly workerNumber: number | null;
}

const INSTANCE_ID = 'service.instance.id';
const SERVICE_NAME = 'service.name';

/** Who sends the spans: https://opentelemetry.io/docs/specs/semconv/resource/ */
export function toResource({ serviceName, resourceAttributes }: Pick<TraceConfiguration, 'serviceName' | 'resourceAttributes'>, identity: ProcessIdentity): Resource {
  const given = resourceAttributes.get(INSTANCE_ID);
  return defaultResource().merge(
    resourceFromAttributes({
      'host.name': identity.hostName,
      'process.pid': identity.processId,
      ...Object.fromEntries(resourceAttributes),
      [SERVICE_NAME]: serviceName ?? resourceAttributes.get(SERVICE_NAME) ?? 'weir',
      // Workers share their environment, and must not look like one process.
      [INSTANCE_ID]: given === undefined ? identity.instanceId : identity.workerNumber === null ? given : `${given}.${identity.workerNumber}`,
    }),
  );
}
