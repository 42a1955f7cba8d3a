// bullmq.mjs REDIS RECEIVER CONCURRENCY: for each line COUNT on its standard input, as many jobs are added that send 2 kB to the receiver, then they
// are worked off; it prints the milliseconds that this took.
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { Queue, Worker } from 'bullmq';

const [redis, receiver, concurrency] = process.argv.slice(2);
const connection = { host: '127.0.0.1', port: Number(redis), maxRetriesPerRequest: null };
const queue = new Queue('webhooks', { connection });
const photo = Buffer.alloc(2_000, 7);
const agent = new Agent({ keepAlive: true, maxSockets: Number(concurrency) });

const send = () => new Promise((resolve, reject) => {
  const sent = request(receiver, { method: 'POST', agent, headers: { 'Content-Type': 'image/jpeg', 'Content-Length': photo.length } }, answer => {
    answer.resume().on('end', () => answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`)));
  });
  sent.on('error', reject);
  sent.end(photo);
});

for await (const line of createInterface({ input: process.stdin })) {
  const count = Number(line);
  for (let at = 0; at < count; at += 1000) {
    await queue.addBulk(Array.from({ length: Math.min(1000, count - at) }, (_, i) => ({
      name: 'photo', data: { image: at + i }, opts: { attempts: 10, backoff: { type: 'exponential', delay: 1000 }, removeOnComplete: true },
    })));
  }
  const worker = new Worker('webhooks', send, { connection, concurrency: Number(concurrency), autorun: false });
  await worker.waitUntilReady();
  let left = count;
  const done = new Promise(resolve => worker.on('completed', () => { if (--left === 0) resolve(); }));
  const began = performance.now();
  const running = worker.run();
  await done;
  console.log(Math.round(performance.now() - began));
  await worker.close();
  await running;
}
await queue.close();
