// A program against the client that oazapfts makes; a refusal is an exception.
import * as api from './oazapfts.gen.js';

const [, , baseUrl, key, projectId, receiver, photo] = process.argv as string[] as [string, string, string, string, string, string, string];
api.defaults.baseUrl = baseUrl;
api.defaults.headers = { Authorization: `Bearer ${key}` };

const destination = await api.destinationsCreate(projectId, { type: 'webhook', name: 'Photos', config: { url: receiver, format: 'multipart' } });
const session = await api.sessionsCreate({ destination_ids: [destination.id], metadata: { claim: 4711 }, max_images: 5 });
const upload = await api.uploadCreate(session.id, { file: new File([Buffer.from(photo, 'base64')], 'photo.jpg'), source: 'gallery' });

console.log(JSON.stringify({ session: session.id, upload: upload.id, width: upload.width }));
