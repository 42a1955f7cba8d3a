import { headerText } from './attempt';

export type Completion = 'completed' | 'passwordNeeded' | 'failed';

/** Tells the server that no more photos will come. A session that is over already is as good as completed. */
export async function complete(api: string, password: string | null): Promise<Completion> {
  try {
    const response = await fetch(`${api}/complete`, {
      method: 'POST', headers: password === null ? {} : { 'x-session-password': headerText(password) },
    });
    if (response.ok) return 'completed';
    return response.status === 401 ? 'passwordNeeded' : 'failed';
  } catch {
    return 'failed';
  }
}
