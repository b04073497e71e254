import { fewFiles } from './terminal/few-files.js';

// `bulwark plugins | head` closes the pipe early
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

/** The program, whose modules are some hundred open files for a moment. */
async function load() {
  try {
    return { ...(await import('./program.js')), ...(await import('./terminal/fail.js')) };
  } catch (error) {
    const told = fewFiles(error);
    if (told === undefined) throw error;
    process.stderr.write(told);
    process.exit(1);
  }
}

const { program, fail } = await load();
await program().parseAsync(process.argv).catch(fail);
