/** How much goes over the line, so that as many photos are on their way as it carries: on a narrow one, one after the other. */
export class Line {
  private readonly marks: { at: number; bytes: number }[] = [];
  private bytes = 0;

  /** Notes bytes that have gone out. */
  carried(bytes: number): void {
    this.bytes += bytes;
    const now = performance.now();
    this.marks.push({ at: now, bytes: this.bytes });
    while (this.marks.length > 2 && now - this.marks[0]!.at > windowMs) this.marks.shift();
  }

  /** Whether another photo may set out beside those that still have so many bytes before them. */
  hasRoom(left: number, next: number, photos: number): boolean {
    return photos === 0 || (photos < mostPhotos && left + next <= Math.max(leastBytes, this.rate() * aheadSeconds));
  }

  /** Bytes a second, lately; 0 while nothing is known. */
  private rate(): number {
    const [first, last] = [this.marks[0], this.marks[this.marks.length - 1]];
    if (first === undefined || last === undefined || last.at - first.at < 200) return 0;
    return 1000 * (last.bytes - first.bytes) / (last.at - first.at);
  }
}

const windowMs = 4_000;
const mostPhotos = 4;

/** Small photos wait for answers more than for bytes. */
const leastBytes = 1_000_000;

/** Seconds' worth of bytes that may be on their way. */
const aheadSeconds = 6;
