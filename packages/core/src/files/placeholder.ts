/** What is saved in place of a file by the tools that people get files with. */
const placeholders: readonly { begins: RegExp; is: string; hint: string }[] = [
  {
    begins: /^version https:\/\/(?:git-lfs|hawser)/,
    is: 'a pointer of git-lfs, not the file itself',
    hint: 'run `git lfs pull` where it comes from, or download the file by its link',
  },
  {
    begins: /^(?:\.\.\/)*(?:\.git)?\/annex\/objects\//,
    is: 'a pointer of git-annex, not the file itself',
    hint: 'run `git annex get` where it comes from, or download the file by its link',
  },
  {
    begins: /^outs:\s*\n|^md5: [0-9a-f]{32}\s*\n/,
    is: 'a pointer of DVC, not the file itself',
    hint: 'run `dvc pull` where it comes from, and pass the file without .dvc',
  },
  {
    begins: /^\s*(?:<!--[^]{0,200}?-->\s*)?(?:<!doctype html|<html|<\?xml[^>]*>\s*<(?:!doctype )?html|<head|<script)/i,
    is: 'a web page, not the file itself',
    hint: 'a link of a cloud drive gives a page that asks before it downloads: download the file in a browser and pass that',
  },
  {
    begins: /^\s*<\?xml/i,
    is: 'an answer of a server in XML, not the file itself',
    hint: 'the link has expired or asks for a login: download the file in a browser and pass that',
  },
  {
    begins: /^\s*\{\s*"(?:error|message|detail)"\s*:/,
    is: 'an answer of a server in JSON, not the file itself',
    hint: 'the link is wrong, has expired or asks for a login: download the file in a browser and pass that',
  },
];

/**
 * What was saved instead of a file: a pointer of git-lfs, a page of a cloud drive, ... Undefined if nothing gives it away.
 * @param bytes the first 512 of the file, or all
 */
export function placeholderOf(bytes: Uint8Array): { readonly is: string; readonly hint: string } | undefined {
  if (bytes.length === 0) return { is: 'empty', hint: 'get the file again' };
  const start = Buffer.from(bytes.subarray(0, 512))
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '');
  return placeholders.find(({ begins }) => begins.test(start));
}
