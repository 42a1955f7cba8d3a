import { passwordHeader } from './http';

export type Completion = 'session' | 'visitor' | 'passwordNeeded' | 'failed';

/** Tells the server that this visitor sends no more. It says whose end that was: the session's, which takes no more photos, or this visitor's alone. */
export async function complete(api: string, visitor: string, password: string | null): Promise<Completion> {
  try {
    const response = await fetch(`${api}/complete?visitor=${visitor}`, { method: 'POST', headers: passwordHeader(password) });
    if (!response.ok) return response.status === 401 ? 'passwordNeeded' : 'failed';
    return (await response.json() as { status: string }).status === 'completed' ? 'session' : 'visitor';
  } catch {
    return 'failed';
  }
}

/** Withdraws a photo that this visitor has sent. One that is gone already is as good as withdrawn. */
export async function withdraw(api: string, image: string, visitor: string, password: string | null): Promise<boolean> {
  try {
    const response = await fetch(`${api}/images/${image}?visitor=${visitor}`, { method: 'DELETE', headers: passwordHeader(password) });
    return response.ok || response.status === 404;
  } catch {
    return false;
  }
}
