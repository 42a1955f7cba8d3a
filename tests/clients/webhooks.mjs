// Verifies webhook requests with the libraries that receivers use.
// Input on standard input: { now, requests: [{ library, secret, headers, body }] }, the body in base64, the time in milliseconds. Output: for
// each request what the library says.
import { Readable } from 'node:stream';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';

const libraries = { standardwebhooks: StandardWebhook, svix: SvixWebhook };
const { now, requests } = JSON.parse(Buffer.concat(await Readable.from(process.stdin).toArray()));
// They refuse what is older than five minutes, by the clock of the test.
Date.now = () => now;

const verdicts = requests.map(({ library, secret, headers, body }) => {
  try {
    new libraries[library](secret).verify(Buffer.from(body, 'base64').toString('utf8'), headers);
    return 'verified';
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(verdicts));
