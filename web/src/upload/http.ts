export interface Answer {
  status: number;
  text: string;
  header(name: string): string | null;
}

/** While bytes go out, a line that carries none for so long has stalled: phones that change networks leave the old one hanging without an error. */
const silenceMs = 12_000;

/** When all bytes are out, the server may take its time to have them on disk. */
const answerMs = 60_000;

/** One request; never rejects. */
export function request(
  method: string, url: string, headers: Record<string, string>, body: Blob | FormData | null, onProgress?: (sent: number) => void,
): Promise<Answer | 'interrupted' | 'stalled'> {
  return new Promise(resolve => {
    const call = new XMLHttpRequest();
    let timer = 0;
    let isStalled = false;
    const wait = (ms: number): void => {
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        isStalled = true;
        call.abort();
      }, ms);
    };
    const end = (outcome: Answer | 'interrupted' | 'stalled'): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    call.upload.onprogress = event => {
      wait(silenceMs);
      onProgress?.(event.loaded);
    };
    call.upload.onload = () => wait(answerMs);
    call.onload = () => end({ status: call.status, text: call.responseText, header: name => call.getResponseHeader(name) });
    call.onerror = call.onabort = () => end(isStalled ? 'stalled' : 'interrupted');
    call.open(method, url);
    call.setRequestHeader('Accept', 'application/json');
    for (const [name, value] of Object.entries(headers)) call.setRequestHeader(name, value);
    wait(silenceMs);
    call.send(body);
  });
}

/** A header carries Latin-1 at most: the password's UTF-8 bytes travel as one character each. */
export function headerText(text: string): string {
  return Array.from(new TextEncoder().encode(text), byte => String.fromCharCode(byte)).join('');
}

export const passwordHeader = (password: string | null): Record<string, string> =>
  password === null ? {} : { 'x-session-password': headerText(password) };
