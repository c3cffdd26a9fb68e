import { type IncomingHttpHeaders } from 'node:http';
import { WeirError } from '@weir/kernel';

const FORM_DATA = /^multipart\/form-data[\t ]*(?:;|$)/i;
/** RFC 2046 §5.1.1: 1 to 70 of these, a space never last; in quotes if it is no token. */
const BOUNDARY = /;[\t ]*boundary=(?:"([0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?])"|([0-9A-Za-z'+_\-.]{1,70}))[\t ]*(?:;|$)/i;
const BOUNDARY_NAME = /;[\t ]*boundary[\t ]*=/gi;

/**
 * The boundary of a request's form.
 * @throws WeirError unsupported_media_type when it is no form; invalid_request when its boundary is missing, or comes twice
 */
export function parseMultipartType(headers: IncomingHttpHeaders): string {
  const type = headers['content-type'] ?? '';
  if (!FORM_DATA.test(type)) throw new WeirError('unsupported_media_type', { message: 'This address takes multipart/form-data.' });
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw new WeirError('unsupported_media_type', { message: 'A form cannot come compressed.' });
  const found = BOUNDARY.exec(type);
  // Of two, another server on the way may believe the other.
  if (found === null || [...type.matchAll(BOUNDARY_NAME)].length > 1) {
    throw new WeirError('invalid_request', { message: 'The Content-Type multipart/form-data must name one boundary.' });
  }
  return found[1] ?? found[2];
}
