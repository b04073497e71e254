/** The first bytes of image files, also of those that cannot be read: their decoder says what they are. */
const signatures: readonly RegExp[] = [
  /^\x89PNG\r\n\x1a\n/,
  /^\xff\xd8\xff/,
  /^RIFF.{4}WEBP/s,
  /^BM.{4}\0\0\0\0/s,
  /^P[2356]\s/,
  /^GIF8[79]a/,
  /^(?:II\*\0|MM\0\*)/,
  /^.{4}ftyp/s,
];

/** Do bytes begin as an image file does? */
export function isImageFile(bytes: Uint8Array): boolean {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  return signatures.some((signature) => signature.test(start));
}
