// Masks as packed NIfTI files: the header of the published mask, which holds the scan's grid, is kept.

export async function unpack(content) {
  const bytes = new Uint8Array(content);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  return through(bytes, new DecompressionStream("gzip"));
}

export function pack(bytes) {
  return through(bytes, new CompressionStream("gzip"));
}

async function through(bytes, stream) {
  const whole = new Response(new Blob([bytes]).stream().pipeThrough(stream));
  return new Uint8Array(await whole.arrayBuffer());
}

export class MaskFile {
  // bytes: of a file of ours, unpacked: its last ones are the voxels, one byte each.
  constructor(bytes, count) {
    this.head = bytes.slice(0, bytes.length - count);
    this.marks = bytes.subarray(bytes.length - count);
    if (this.head.length < 348) throw new Error("a mask of another size");
  }

  // The packed file with other marks.
  with(marks) {
    const bytes = new Uint8Array(this.head.length + marks.length);
    bytes.set(this.head);
    bytes.set(marks, this.head.length);
    return pack(bytes);
  }
}
