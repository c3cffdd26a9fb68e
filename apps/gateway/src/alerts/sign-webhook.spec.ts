import { Secret } from '@weir/kernel';
import { signWebhook } from './sign-webhook';

describe('signWebhook', () => {
  // The example of the Standard Webhooks libraries.
  const secret = new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
  const timestamp = 1_614_265_330;
  const body = '{"test": 2432232314}';

  it('signs as the libraries of Standard Webhooks do', () => {
    expect(signWebhook(secret, id, timestamp, body)).toEqual({
      'webhook-id': id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it.each(['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_', 'whsec_short', 'whsec_not base64 at all, is it, no no'])('does not sign with what is no secret: %p', (text) => {
    expect(signWebhook(new Secret(text), id, timestamp, body)).toBeNull();
  });
});
