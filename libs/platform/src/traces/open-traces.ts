import { type TraceConfiguration } from './trace-configuration';
import { type OpenTraces } from './traces';
import { type TraceParts } from './open-telemetry-traces';

/**
 * Begins to export traces.
 * @throws ConfigurationError when a certificate cannot be used
 */
export async function openTraces(configuration: TraceConfiguration, parts: TraceParts): Promise<OpenTraces> {
  // OpenTelemetry is loaded here and nowhere else: without traces it costs neither time nor memory.
  const { OpenTelemetryTraces } = await import('./open-telemetry-traces.js');
  return OpenTelemetryTraces.open(configuration, parts);
}
