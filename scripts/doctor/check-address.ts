import { once } from 'node:events';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { type Clock } from '@weir/kernel';
import { type Finding, good, warning, wrong } from './finding';

const TIMEOUT_MS = 10_000;
const DAY_MS = 86_400_000;
const FEWEST_DAYS = 14;

/** Weir as callers reach it, through whatever stands in front: certificate, headers, what must not be there. */
export async function checkAddress(address: string, clock: Clock): Promise<Finding[]> {
  const url = new URL(address);
  if (url.protocol !== 'https:') return [wrong(`${url.origin} is not encrypted: keys pass in the clear`, 'put Nginx with a certificate in front (docs/deployment.md)'), ...(await checkPaths(url))];
  const certificate = await checkCertificate(url, clock);
  return certificate.level === 'wrong' ? [certificate] : [certificate, ...(await checkPaths(url))];
}

async function checkCertificate(url: URL, clock: Clock): Promise<Finding> {
  const socket = connect({ host: url.hostname, port: Number(url.port) || 443, timeout: TIMEOUT_MS, ...(isIP(url.hostname) === 0 ? { servername: url.hostname } : {}) });
  socket.on('timeout', () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'secureConnect');
    const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - clock.nowMs()) / DAY_MS);
    if (days < FEWEST_DAYS) return warning(`the certificate of ${url.hostname} ends in ${days} days`, 'certbot renew, and see why its timer did not (docs/operations.md)');
    return good(`the certificate of ${url.hostname} is good for ${days} days`);
  } catch (error) {
    const code = String(Reflect.get(Object(error), 'code') ?? 'no answer');
    if (/^(E[A-Z_]+|no answer)$/.test(code) && !code.startsWith('ERR_')) return nobody(url, code);
    return wrong(`the certificate of ${url.hostname} is not accepted (${code})`, 'is it for this name, not over, and sent with its chain (fullchain.pem)?');
  } finally {
    socket.destroy();
  }
}

async function checkPaths(url: URL): Promise<Finding[]> {
  try {
    const [ready, admin, metrics] = await Promise.all(['/readyz', '/admin/keys', '/metrics'].map((path) => fetch(new URL(path, url), { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })));
    return [
      ready.ok ? good('Weir answers there') : wrong(`Weir does not answer there (${ready.status})`, 'look at /readyz on the data plane itself, and at what stands in front'),
      admin.status === 404 ? good('the admin API is not there') : wrong('the admin API can be reached from outside', 'publish the data plane (8080) alone'),
      metrics.status === 404 ? good('the metrics are not there') : wrong('the metrics can be reached from outside', 'publish the data plane (8080) alone'),
      ...(url.protocol === 'https:' ? [checkHeader(ready)] : []),
    ];
  } catch {
    return [nobody(url, 'no answer')];
  }
}

const nobody = (url: URL, code: string): Finding => wrong(`nobody answers at ${url.origin} (${code})`, 'do the name, the firewall and Nginx lead there?');

function checkHeader(answer: Response): Finding {
  if (answer.headers.has('strict-transport-security')) return good('browsers are told to use HTTPS only');
  return warning('there is no Strict-Transport-Security header', 'nginx/ of this repository sets it');
}
