import { parseWebhookUrl } from './parse-webhook-url';

describe('parseWebhookUrl', () => {
  it.each([
    ['https://alerts.example', 'https://alerts.example/'],
    ['https://ALERTS.example:8443/hook?team=a%20b', 'https://alerts.example:8443/hook?team=a%20b'],
    ['https://8.8.8.8/hook', 'https://8.8.8.8/hook'],
    ['https://[2606:4700:4700::1111]/', 'https://[2606:4700:4700::1111]/'],
    ['https://localhost.example/', 'https://localhost.example/'],
    ['https://alerts.example/@team', 'https://alerts.example/@team'],
  ])('takes %s', (url, href) => {
    expect(parseWebhookUrl(url, false)).toBe(href);
  });

  it.each([
    ['what is no URL', ['', 'alerts.example', '//alerts.example', 'https:', 'https://', 'https://a b.example', 'https://[::1', 'https://1.2.3.256/']],
    ['other schemes', ['http://alerts.example', 'ftp://alerts.example', 'file:///etc/passwd', 'javascript:alert(1)', 'data:text/plain,x', 'ws://alerts.example']],
    ['credentials', ['https://user:canary@alerts.example', 'https://user@alerts.example', 'https://:canary@alerts.example', 'https://@alerts.example', 'https:/user@alerts.example']],
    ['a fragment', ['https://alerts.example/#', 'https://alerts.example/#x']],
    ['what the parser would drop', ['https://alerts.example\\@10.0.0.1/', 'https://al\nerts.example', 'https://alerts.example/\t', ' https://alerts.example', 'https://alerts.example\u200b']],
    ['a URL that is too long', [`https://alerts.example/${'x'.repeat(2_048)}`]],
    ['private addresses', ['https://10.0.0.1', 'https://172.16.9.9', 'https://192.168.1.1:8443/hook', 'https://100.64.0.1', 'https://0.0.0.0']],
    ['loopback and metadata', ['https://127.0.0.1', 'https://127.1', 'https://169.254.169.254/latest', 'https://100.100.100.200', 'https://168.63.129.16', 'https://127.0.0.1.']],
    ['other notations of them', ['https://0177.0.0.1', 'https://0x7f.0.0.1', 'https://0x7f000001', 'https://2130706433', 'https://017700000001', 'https://0xA9FEA9FE', 'https://１２７.0.0.1', 'https://%31%32%37.0.0.1']],
    ['IPv6 of one’s own', ['https://[::1]', 'https://[::]', 'https://[fe80::1]', 'https://[fd00:ec2::254]', 'https://[::ffff:127.0.0.1]', 'https://[::ffff:a9fe:a9fe]', 'https://[64:ff9b::7f00:1]', 'https://[2002:7f00:1::]']],
    ['names of one’s own', ['https://localhost', 'https://LOCALHOST.', 'https://a.localhost', 'https://redis', 'https://metadata', 'https://metadata.google.internal', 'https://printer.local', 'https://x.home.arpa', 'https://db.default.svc.cluster.local']],
  ])('refuses %s without repeating it', (_what, urls) => {
    for (const url of urls) {
      let message = 'taken';
      try {
        parseWebhookUrl(url, false);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_request', param: 'url' });
        message = String(error);
      }
      expect([url, message]).toEqual([url, expect.stringContaining('The field url is not valid')]);
      expect(message).not.toContain('canary');
    }
  });

  it('takes HTTP and private hosts on an owner’s word, but no credentials and no other scheme', () => {
    for (const url of ['http://10.0.0.1:9000/hook', 'https://localhost/', 'http://[::1]/']) expect(parseWebhookUrl(url, true)).toBe(url);
    for (const url of ['http://user:canary@10.0.0.1', 'ftp://10.0.0.1', 'http://10.0.0.1/#x']) {
      expect(() => parseWebhookUrl(url, true)).toThrow(expect.objectContaining({ param: 'url' }));
    }
  });
});
