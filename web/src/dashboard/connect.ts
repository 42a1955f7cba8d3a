import { api, ok } from './api/client';

/** Leads to the provider, where the person allows the connection, and which leads back. */
export async function connect(projectId: string, id: string): Promise<void> {
  const { url } = await ok(api.POST('/api/v1/projects/{projectId}/destinations/{id}/authorize', { params: { path: { projectId, id } } }));
  location.assign(url);
}
