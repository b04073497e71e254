#!/usr/bin/env bash
# Builds the torch engine on a machine with a GPU, checks its numbers, measures it, compares it with PyTorch and trains an epoch, in under
# four minutes; prints a table and writes gpu-check.json.
#
# Here, after npm ci and npm run build: everything that a bare machine lacks, this Node and its headers included.
#   scripts/gpu-check.sh pack gpu-check.tar.gz
# There, with Python, torch and a C++ compiler, and no network:
#   tar xzf gpu-check.tar.gz && scripts/gpu-check.sh --out results
# Or in a working copy, where Node and node_modules are. All options: scripts/gpu-check.mjs
set -eu
cd "$(dirname "$0")/.."

pack() {
  local out
  out=$(realpath "$1")
  staging=$(mktemp -d)
  trap 'rm -rf "$staging"' EXIT
  mkdir -p "$staging/carried/bin" "$staging/carried/include"
  cp "$(node -p process.execPath)" "$staging/carried/bin/node"
  strip "$staging/carried/bin/node" 2>/dev/null || true
  local here
  for here in "$(dirname "$(node -p process.execPath)")/../include/node" /usr/include/node /usr/local/include/node; do
    if [ -e "$here/node_api.h" ]; then
      mkdir -p "$staging/carried/include/node"
      cp "$here"/node_api*.h "$here"/js_native_api*.h "$staging/carried/include/node/"
      break
    fi
  done
  [ -e "$staging/carried/include/node/node_api.h" ] || { echo "gpu-check: this Node came without its headers (node_api.h)" >&2; exit 1; }
  # what the command needs, without the WebGPU engine, whose binaries are larger than all the rest
  npm ls --omit=dev --all --parseable 2>/dev/null | sed "s|^$PWD/||" | grep '^node_modules/' |
    grep -v -e '^node_modules/@bulwark/' -e webgpu | sort -u > "$staging/modules"
  tar -cf "$staging/all.tar" --exclude='*.map' --exclude='*.test.*' --exclude='*.d.ts' --exclude='*.min.js' --exclude='*.tsbuildinfo' --exclude='*/src' \
    --exclude='node_modules/@tensorflow/*/dist/tf-*.js' --exclude='packages/engine-webgpu' --exclude='*/node_modules/webgpu' \
    package.json scripts packages
  find node_modules/@bulwark -maxdepth 1 -type l ! -name '*webgpu*' > "$staging/links"
  # modules keep their sources where their main file is one
  tar -rf "$staging/all.tar" --exclude='*.map' --exclude='*.d.ts' --exclude='*.min.js' -T "$staging/modules" -T "$staging/links"
  tar -rf "$staging/all.tar" -C "$staging" carried
  gzip -9 < "$staging/all.tar" > "$out"
  ls -lh "$out"
}

if [ "${1:-}" = pack ]; then
  [ $# -eq 2 ] || { echo 'usage: scripts/gpu-check.sh pack <file.tar.gz>' >&2; exit 2; }
  pack "$2"
  exit
fi
node=$PWD/carried/bin/node
[ -x "$node" ] || node=$(command -v node) || { echo 'gpu-check: no Node; carry one: scripts/gpu-check.sh pack' >&2; exit 1; }
exec "$node" scripts/gpu-check.mjs "$@"
