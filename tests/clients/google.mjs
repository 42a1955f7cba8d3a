// Runs Google's own clients against a given address and says in JSON what they saw.
// Input on standard input: { root, token, bucket }.
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { Storage } from '@google-cloud/storage';
import { auth as driveAuth, drive } from '@googleapis/drive';
import { OAuth2Client } from 'google-auth-library';

const { root, token, bucket: bucketName } = JSON.parse(await Readable.from(process.stdin).toArray().then((parts) => Buffer.concat(parts)));
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const small = randomBytes(100_000);
const large = randomBytes(20_000_001);
const report = { storage: {}, drive: {} };

// The two clients want the credentials of two generations of Google's library.
const credentials = new driveAuth.OAuth2();
credentials.setCredentials({ access_token: token });
const storageCredentials = new OAuth2Client();
storageCredentials.setCredentials({ access_token: token });

// Cloud Storage: one request, one session in a single piece, one in several, each with the client's own checksum validation.
const storage = new Storage({
  apiEndpoint: root.replace(/\/$/, ''),
  projectId: 'photos',
  authClient: storageCredentials,
  useAuthWithCustomEndpoint: true,
  retryOptions: { autoRetry: false },
});
const bucket = storage.bucket(bucketName);
const uploads = {
  'at once.bin': [small, { resumable: false }],
  'one session.bin': [large, { resumable: true }],
  'several pieces.bin': [large, { resumable: true, chunkSize: 8 * 1024 * 1024 }],
};
for (const [name, [bytes, options]] of Object.entries(uploads)) {
  const file = bucket.file(`clients/${name}`);
  const about = {
    metadata: { contentType: 'image/jpeg', metadata: { from: 'client' } }, preconditionOpts: { ifGenerationMatch: 0 },
  };
  // Left to itself, the client opens a session without credentials when the address is not Google's.
  const [uri] = options.resumable ? await file.createResumableUpload(about) : [];
  await file.save(bytes, { ...about, ...options, uri, validation: 'crc32c' });
  const [back] = await file.download({ validation: 'crc32c' });
  const [metadata] = await file.getMetadata();
  report.storage[name] = { same: sha256(back) === sha256(bytes), size: metadata.size, from: metadata.metadata.from };
}
report.storage.repeated = await bucket.file('clients/at once.bin')
  .save(small, { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } }).then(() => 200, (error) => error.code);
report.storage.absent = await bucket.file('clients/absent').getMetadata().then(() => 200, (error) => error.code);
report.storage.wrongBucket = await storage.bucket('no-such-bucket').file('x')
  .save(small, { resumable: false }).then(() => 200, (error) => error.code);

// Drive: generated ids, folders, searches, multipart upload. The client needs the address a second time for media.
const api = drive({ version: 'v3', auth: credentials, rootUrl: root, retry: false });
const media = (body) => ({ media: { mimeType: 'image/jpeg', body: Readable.from([body]) } });
const { data: generated } = await api.files.generateIds({ count: 2, space: 'drive' });
const { data: folder } = await api.files.create({
  requestBody: { name: "Claims of O'Brien", mimeType: 'application/vnd.google-apps.folder' }, fields: 'id,name',
});
const requestBody = { id: generated.ids[0], name: 'a.jpg', parents: [folder.id], appProperties: { aperturDelivery: 'd-1' } };
const { data: file } = await api.files.create(
  { requestBody, ...media(small), fields: 'id,size,sha256Checksum' }, { rootUrl: root });
report.drive.file = { id: file.id === generated.ids[0], size: file.size, same: file.sha256Checksum === sha256(small) };
report.drive.repeated = await api.files.create({ requestBody, ...media(small) }, { rootUrl: root })
  .then(() => 200, (error) => [error.status, error.response.data.error.errors[0].reason]);
const search = (q) => api.files.list({ q, orderBy: 'createdTime', fields: 'files(id,name)' }).then(({ data }) => data.files.map((f) => f.name));
report.drive.byProperty = await search("appProperties has { key='aperturDelivery' and value='d-1' } and trashed = false");
report.drive.byName = await search("name = 'Claims of O\\'Brien' and 'root' in parents and trashed = false");
report.drive.badQuery = await search('name ~ nonsense').then(() => 200, (error) => error.status);
const { data: back } = await api.files.get({ fileId: file.id, alt: 'media' }, { responseType: 'arraybuffer' });
report.drive.downloaded = sha256(Buffer.from(back)) === sha256(small);
report.drive.trashed = (await api.files.update({ fileId: file.id, requestBody: { trashed: true }, fields: "trashed" })).data.trashed;
await api.files.delete({ fileId: file.id });
report.drive.deleted = await api.files.get({ fileId: file.id }).then(() => 200, (error) => error.status);
credentials.setCredentials({ access_token: 'another' });
report.drive.wrongToken = await api.files.list({}).then(() => 200, (error) => error.status);

console.log(JSON.stringify(report));
