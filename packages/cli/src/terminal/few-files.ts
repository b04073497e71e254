/** Open files with which every command starts. */
const enough = 256;

/** Imports nothing: it speaks when modules cannot be read. With few files, they seem to be missing, too. */
export function fewFiles(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  const report = process.report?.getReport() as { userLimits?: { open_files?: { soft?: unknown } } } | undefined;
  const limit = report?.userLimits?.open_files?.soft;
  const low = typeof limit === 'number' && limit < enough;
  if (!low && code !== 'EMFILE' && code !== 'ENFILE') return undefined;
  const allowed = low ? `may have ${limit} files open` : 'has no more files to open';
  return `error this process ${allowed}; Bulwark needs ${enough}\n  raise the limit: ulimit -n 1024\n`;
}
