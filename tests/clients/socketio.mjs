// Follows a session with the client library that browsers use.
// Input on standard input: { url, transports, session, options, expect, tell }; the address `tell` is asked for at each event.
// Output, when so many events have come: { acks, events, transport }.
import { Readable } from 'node:stream';
import { io } from 'socket.io-client';

const { url, transports, session, options, expect, tell } = JSON.parse(Buffer.concat(await Readable.from(process.stdin).toArray()));
const socket = io(`${url}/upload`, { transports, reconnectionDelay: 50, reconnectionDelayMax: 200 });
const acks = [];
const events = [];

const done = () => {
  console.log(JSON.stringify({ acks, events, transport: socket.io.engine.transport.name }));
  process.exit();
};
socket.on('connect', () => {
  const join = options ? ['session:join', session, options] : ['session:join', session];
  socket.emit(...join, (answer) => {
    acks.push(answer);
    if (expect === 0) done();
  });
});
socket.on('connect_error', (error) => {
  if (error.message === 'Invalid namespace') throw error;
});
socket.onAny((name, data) => {
  events.push({ name, data });
  if (tell) void fetch(tell);
  if (events.length === expect) done();
});
