#!/usr/bin/env bash
# Builds the torch engine on a machine with a GPU, checks its numbers, measures it, compares it with PyTorch and trains an epoch, in under
# four minutes; prints a table and writes gpu-check.json. The webgpu engine is compared, too, where there is time left and the driver has Vulkan.
#
# Here, after npm ci and npm run build: everything that a bare machine lacks, this Node and its headers included.
#   scripts/gpu-check.sh pack gpu-check.tar.gz     (or .tar.xz, which is a third smaller)
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
  # what the command needs, without what draws reports, bundles typed configs or serves other platforms
  npm ls --omit=dev --all --parseable 2>/dev/null | sed "s|^$PWD/||" | grep '^node_modules/' |
    grep -v -e '^node_modules/@bulwark/' -e '/@esbuild/' -e '/@resvg/' -e '/@img/' -e dejavu-fonts -e core-js -e tfjs-backend-webgl -e tfjs-data |
    sort -u > "$staging/modules"
  tar -cf "$staging/all.tar" --exclude='*.map' --exclude='*.test.*' --exclude='*.d.ts' --exclude='*.min.js' --exclude='*.tsbuildinfo' --exclude='*/src' \
    package.json scripts packages
  find node_modules/@bulwark -maxdepth 1 -type l > "$staging/links"
  # modules keep their sources where their main file is one; of TensorFlow.js's builds Node takes tf-*.node.js and dist/index.js
  tar -rf "$staging/all.tar" --exclude='*.map' --exclude='*.d.ts' --exclude='*.min.js' --exclude='*.fesm*.js' --exclude='*.es2017*.js' \
    --exclude='*/miniprogram' --exclude='*_test.js' --exclude='node_modules/@tensorflow/*/dist/tf-core.js' --exclude='*/tf-layers.js' --exclude='*/tf-converter.js' \
    --exclude='*/tfjs/dist/tf.js' --exclude='*/webgpu/dist/darwin*' --exclude='*/webgpu/dist/win32*' --exclude='*/webgpu/dist/linux-arm64' \
    -T "$staging/modules" -T "$staging/links"
  tar -rf "$staging/all.tar" -C "$staging" carried
  case $out in
    *.xz) xz -T0 -6 < "$staging/all.tar" > "$out" ;;
    *) gzip -9 < "$staging/all.tar" > "$out" ;;
  esac
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
