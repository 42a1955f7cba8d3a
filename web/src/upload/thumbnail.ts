const side = 128;

let previous: Promise<unknown> = Promise.resolve();

/**
 * A small square picture of the photo, and its size in pixels; null where the browser cannot decode it (HEIC outside Safari).
 * One at a time: a decoded 12-megapixel photo takes 48 MB, and phones close pages that take too much.
 */
export function thumbnail(file: Blob): Promise<{ canvas: HTMLCanvasElement; longSide: number } | null> {
  const next = previous.then(() => draw(file)).catch(() => null);
  previous = next;
  return next;
}

/** The picture as a file that can be kept; null where it cannot be made. */
export function toBlob(canvas: HTMLCanvasElement): Promise<Blob | null> {
  return new Promise(resolve => { canvas.toBlob(resolve, 'image/jpeg', 0.8); });
}

/** A picture that was kept. */
export function shown(picture: Blob): HTMLImageElement {
  const image = new Image();
  image.alt = '';
  image.src = URL.createObjectURL(picture);
  image.onload = () => URL.revokeObjectURL(image.src);
  return image;
}

async function draw(file: Blob): Promise<{ canvas: HTMLCanvasElement; longSide: number }> {
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
