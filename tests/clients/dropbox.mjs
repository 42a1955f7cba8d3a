// Runs Dropbox's own client against a given address and says in JSON what it saw.
// Input on standard input: { root, accessToken, refreshToken, clientId, clientSecret }.
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import dropbox from 'dropbox';

const input = JSON.parse(await Readable.from(process.stdin).toArray().then((parts) => Buffer.concat(parts)));
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const small = randomBytes(100_000);
const large = randomBytes(20_000_001);
const report = {};

// The client has the service's hosts built in; its fetch is the place to lead it elsewhere.
const elsewhere = async (address, options) => {
  const { pathname, search } = new URL(address);
  const response = await fetch(new URL(pathname + search, input.root), options);
  response.buffer = async () => Buffer.from(await response.arrayBuffer());
  return response;
};
const client = (options) => new dropbox.Dropbox({ fetch: elsewhere, ...options });
const dbx = client({ accessToken: input.accessToken });
const failure = (error) => [error.status, error.error?.error_summary ?? error.error];

const uploaded = await dbx.filesUpload({ path: '/Küche 😀/a.jpg', contents: small, mode: { '.tag': 'add' }, strict_conflict: true });
report.uploaded = [uploaded.result.path_display, uploaded.result.size];
report.repeated = await dbx.filesUpload({ path: '/Küche 😀/a.jpg', contents: small, strict_conflict: true }).catch(failure);
report.renamed = (await dbx.filesUpload({ path: '/Küche 😀/a.jpg', contents: large, autorename: true })).result.path_display;
report.wrongHash = await dbx.filesUpload({ path: '/b.jpg', contents: small, content_hash: '0'.repeat(64) }).catch(failure);

const piece = 8 * 1024 * 1024;
const { result: { session_id } } = await dbx.filesUploadSessionStart({ close: false, contents: large.subarray(0, piece) });
const cursor = (offset) => ({ session_id, offset });
const wrong = await dbx.filesUploadSessionAppendV2({ cursor: cursor(5), contents: large.subarray(5, 10) }).catch((error) => error);
report.wrongOffset = [wrong.status, wrong.error.error['.tag'], wrong.error.error.correct_offset];
await dbx.filesUploadSessionAppendV2({ cursor: cursor(piece), contents: large.subarray(piece, 2 * piece) });
const commit = { path: '/session.jpg', mode: { '.tag': 'add' } };
const early = await dbx.filesUploadSessionFinish({ cursor: cursor(7), commit, contents: large.subarray(7, 9) }).catch((error) => error);
report.wrongFinish = [early.status, early.error.error['.tag'], early.error.error.lookup_failed.correct_offset];
const finished = await dbx.filesUploadSessionFinish({ cursor: cursor(2 * piece), commit, contents: large.subarray(2 * piece) });
const { result: metadata } = await dbx.filesGetMetadata({ path: '/SESSION.jpg' });
report.session = [finished.result.size, metadata['.tag'], metadata.content_hash === finished.result.content_hash];
const { result: back } = await dbx.filesDownload({ path: '/session.jpg' });
report.downloaded = sha256(back.fileBinary) === sha256(large);
report.absent = await dbx.filesGetMetadata({ path: '/absent' }).catch(failure);
report.wrongToken = await client({ accessToken: 'another' }).filesGetMetadata({ path: '/a' }).catch(failure);

// A client that only has a refresh token gets an access token for itself.
const refreshing = client({ refreshToken: input.refreshToken, clientId: input.clientId, clientSecret: input.clientSecret });
report.refreshed = (await refreshing.filesGetMetadata({ path: '/session.jpg' })).status;

console.log(JSON.stringify(report));
