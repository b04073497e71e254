import { program } from './program.js';
import { fail } from './terminal/fail.js';

// `bulwark plugins | head` closes the pipe early
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
await program().parseAsync(process.argv).catch(fail);
