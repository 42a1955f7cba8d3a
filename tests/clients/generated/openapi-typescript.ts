// A program against the types that openapi-typescript makes.
import createClient from 'openapi-fetch';
import type { paths } from './openapi-typescript.gen.js';

const [, , baseUrl, key, projectId, receiver, photo] = process.argv as string[] as [string, string, string, string, string, string, string];
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

const destination = await api.POST('/api/v1/projects/{projectId}/destinations', {
  params: { path: { projectId } },
  body: { type: 'webhook', name: 'Photos', config: { url: receiver, format: 'multipart' } },
});
if (!destination.data) throw new Error(JSON.stringify(destination.error));

const session = await api.POST('/api/v1/upload-sessions', {
  body: { destination_ids: [destination.data.id], metadata: { claim: 4711 }, max_images: 5 },
});
if (!session.data) throw new Error(JSON.stringify(session.error));

const upload = await api.POST('/api/v1/upload/{id}/images', {
  params: { path: { id: session.data.id } },
  body: { file: photo, source: 'gallery' },
  bodySerializer: () => {
    const form = new FormData();
    form.append('file', new Blob([Buffer.from(photo, 'base64')]), 'photo.jpg');
    form.append('source', 'gallery');
    return form;
  },
});
if (!upload.data) throw new Error(JSON.stringify(upload.error));

console.log(JSON.stringify({ session: session.data.id, upload: upload.data.id, width: upload.data.width }));
