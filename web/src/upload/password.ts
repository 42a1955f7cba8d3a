/** Whether a password is right; of one that was not looked at, the seconds to wait. */
export type Verdict = 'right' | 'wrong' | 'failed' | number;

export async function verify(api: string, password: string): Promise<Verdict> {
  try {
    const response = await fetch(`${api}/verify-password`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ password }),
    });
    if (response.status === 429) return Number(response.headers.get('Retry-After')) || 60;
    if (!response.ok) return 'failed';
    return (await response.json() as { valid: boolean }).valid ? 'right' : 'wrong';
  } catch {
    return 'failed';
  }
}
