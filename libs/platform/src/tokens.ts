import { getConfigToken } from '@nestjs/config';

/** Where @nestjs/config keeps the Configuration: `configService.get('weir.port')`. */
export const CONFIGURATION_NAMESPACE = 'weir';

/** Names under which Nest hands out what the composition root has made. */
export const CONFIGURATION = getConfigToken(CONFIGURATION_NAMESPACE);
export const CLOCK = Symbol('CLOCK');
export const LOGGER = Symbol('LOGGER');
export const DATA_SOURCE = Symbol('DATA_SOURCE');
/** The Redis client, or null when the installation has none. */
export const REDIS = Symbol('REDIS');
