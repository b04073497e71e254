import { relative, sep } from 'node:path';

const isWithin = (path: string, folder: string): boolean => path.startsWith(`${folder}${sep}`);

/**
 * The places of a path that a build uses, the likeliest first: within the build only where it lies there; elsewhere as it is, else as it lies to the
 * build, so that both may have moved together (a home directory that is mounted somewhere else).
 */
export const placesOf = (path: string, { from, build }: { from: string; build: string }): string[] =>
  isWithin(path, build) ? [relative(from, path)] : [path, relative(from, path)];

/** What the linker is told for an addon in the folder `from` of a build to find its libraries, in the places above. */
export function searchPathFlags(libraries: string, { from, build }: { from: string; build: string }): string[] {
  const here = process.platform === 'darwin' ? '@loader_path' : '$ORIGIN';
  // not path.join, which would resolve the dots against the placeholder; not -Wl, which takes a comma in a path for its end
  const places = placesOf(libraries, { from, build }).map((place) =>
    place === libraries ? place : `${here}/${place}`,
  );
  return places.flatMap((place) => ['-Xlinker', '-rpath', '-Xlinker', place]);
}
