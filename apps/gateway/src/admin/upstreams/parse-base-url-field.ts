import { WeirError } from '@weir/kernel';
import { type BaseUrl, BaseUrlError, parseBaseUrl } from '@weir/upstreams';

/** @throws WeirError invalid_request naming `base_url`; the URL is not repeated, it may hold a password. */
export function parseBaseUrlField(value: string): BaseUrl {
  try {
    return parseBaseUrl(value);
  } catch (error) {
    if (!(error instanceof BaseUrlError)) throw error;
    throw new WeirError('invalid_request', { message: `The field base_url is not valid: ${error.message}.`, param: 'base_url' });
  }
}

/** The origin of a URL that is stored already; null for one that could not be used today. */
export function findOrigin(baseUrl: string): string | null {
  try {
    return parseBaseUrl(baseUrl).origin;
  } catch (error) {
    if (error instanceof BaseUrlError) return null;
    throw error;
  }
}
