const side = 128;

let previous: Promise<unknown> = Promise.resolve();

/**
 * A small square picture of the photo, and its size in pixels; null where the browser cannot decode it (HEIC outside Safari).
 * One at a time: a decoded 12-megapixel photo takes 48 MB, and phones close pages that take too much.
 */
export function thumbnail(file: File): Promise<{ canvas: HTMLCanvasElement; longSide: number } | null> {
  const next = previous.then(() => draw(file)).catch(() => null);
  previous = next;
  return next;
}

async function draw(file: File): Promise<{ canvas: HTMLCanvasElement; longSide: number }> {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const { naturalWidth: width, naturalHeight: height } = image;
    const crop = Math.min(width, height);
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = side;
    canvas.getContext('2d')?.drawImage(image, (width - crop) / 2, (height - crop) / 2, crop, crop, 0, 0, side, side);
    return { canvas, longSide: Math.max(width, height) };
  } finally {
    URL.revokeObjectURL(url);
  }
}
