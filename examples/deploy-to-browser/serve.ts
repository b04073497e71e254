// A static web server for site/, for looking at the page: any other will do.
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import send from 'send';

const site = join(dirname(fileURLToPath(import.meta.url)), 'site');

/** Starts the server of a folder; port 0 takes a free one. */
export function serve(port: number, root = site): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]!;
    send(request, path, { root })
      .on('error', ({ status }: { status?: number }) => {
        response.writeHead(status ?? 500).end(status === 404 ? 'not found' : 'no such path');
      })
      .on('directory', () => response.writeHead(404).end('not found'))
      .pipe(response);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address() as { port: number };
      resolve({ server, url: `http://127.0.0.1:${address.port}/` });
    });
  });
}

if (process.argv[1]?.endsWith('serve.ts')) {
  const { url } = await serve(Number(process.argv[2] ?? 8000));
  console.log(`${url} (Ctrl-C ends)`);
}
