import { fewFiles } from './terminal/few-files.js';

// `bulwark plugins | head` closes the pipe early
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

/** The program, whose modules are some hundred open files for a moment: in two waves, which are fewer at a time. */
async function load() {
  try {
    await import('@bulwark/core');
    return {
      ...(await import('./program.js')),
      ...(await import('./terminal/fail.js')),
      ...(await import('./terminal/ranks.js')),
      ...(await import('@bulwark/collective-mpi')),
    };
  } catch (error) {
    const told = fewFiles(error);
    if (told === undefined) throw error;
    process.stderr.write(told);
    process.exit(1);
  }
}

const { program, fail, placeAmongRanks, setOwnRank } = await load();
// until a command begins, whatever fails fails on all ranks alike
const place = placeAmongRanks();
if (place) setOwnRank({ rank: place.rank, alike: true });
await program().parseAsync(process.argv).catch(fail);
