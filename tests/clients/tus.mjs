// Sends photos with the client library that browsers use, over a line that is cut again and again.
// Input on standard input: { nodes: [url], session, count, size, atOnce, cuts: [fewest, most], cutAt?: share of the photo, jpeg: base64 head }.
// Output: { sent: [{ sha256, url }], cuts, bytes: those that went into the line }.
import { createHash, randomBytes, randomInt } from 'node:crypto';
import net from 'node:net';
import { Readable } from 'node:stream';
import { Upload } from 'tus-js-client';

const { nodes, session, count, size, atOnce, cuts: [fewest, most], cutAt, jpeg } =
  JSON.parse(Buffer.concat(await Readable.from(process.stdin).toArray()));

let cuts = 0;
let bytes = 0;

// One line for each photo, which is cut when its connections have carried so many bytes: each connection goes to a node at random, and to another when that one is away.
function open(line) {
  const server = net.createServer((client) => {
    client.on('error', () => undefined);
    const connect = (rest) => {
      const node = rest[randomInt(rest.length)];
      const { hostname, port } = new URL(node);
      const target = net.connect(Number(port), hostname);
      let connected = false;
      target.on('connect', () => {
        connected = true;
        client.on('data', count);
        client.pipe(target).pipe(client);
      });
      target.on('error', () => {
        const others = rest.filter((other) => other !== node);
        if (connected || others.length === 0) client.destroy();
        else connect(others);
      });
      target.on('close', () => client.destroy());
      client.on('close', () => target.destroy());
    };
    const count = (chunk) => {
      bytes += chunk.length;
      line.carried += chunk.length;
      if (line.at.length === 0 || line.carried < line.at[0]) return;
      line.at.shift();
      cuts++;
      // Half of them without a word, as when a phone changes networks: the server only sees silence.
      if (randomInt(2) === 0) client.resetAndDestroy();
      else client.destroy();
    };
    connect(nodes);
  });
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(server)); });
}

async function send(number) {
  const head = Buffer.from(jpeg, 'base64');
  const photo = Buffer.concat([head.subarray(0, 20), comments(size - head.length), head.subarray(20)]);
  const line = { carried: 0, at: Array.from({ length: randomInt(fewest, most + 1) }, () => (cutAt ? cutAt * photo.length : randomInt(1, photo.length))).sort((a, b) => a - b) };
  const server = await open(line);
  const sha256 = createHash('sha256').update(photo).digest('hex');
  const url = await new Promise((resolve, reject) => {
    const upload = new Upload(photo, {
      endpoint: `http://127.0.0.1:${server.address().port}/api/v1/upload/${session}/tus`,
      retryDelays: Array.from({ length: 100 }, () => 100),
      uploadDataDuringCreation: cutAt === null && number % 2 === 0,
      headers: { 'Idempotency-Key': `photo-${number}` },
      metadata: { filename: `photo-${number}.jpg`, sha256 },
      onError: reject,
      onSuccess: () => resolve(upload.url),
    });
    upload.start();
  });
  server.close();
  return { sha256, url: new URL(url).pathname };
}

// Comment segments with random bytes, so that each photo is another.
function comments(length) {
  const pieces = [];
  for (let left = length; left > 0;) {
    let text = Math.min(left - 4, 65533);
    const rest = left - 4 - text;
    if (rest > 0 && rest < 4) text -= 4;
    pieces.push(Buffer.from([0xff, 0xfe, (text + 2) >> 8, (text + 2) & 255]), randomBytes(text));
    left -= 4 + text;
  }
  return Buffer.concat(pieces);
}

const sent = [];
let next = 0;
await Promise.all(Array.from({ length: atOnce }, async () => {
  while (next < count) sent.push(await send(next++));
}));
console.log(JSON.stringify({ sent, cuts, bytes }));
process.exit();
