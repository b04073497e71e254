#include "winograd.h"

#include <algorithm>
#include <memory>
#include <new>

#include "winograd-filters.h"
#include "winograd-products.h"
#include "winograd-tiles.h"

namespace bulwark::winograd {

namespace {

/** Memory that a thread computes in, kept for its next convolution. */
class Scratch {
 public:
  float* take(int64_t size) {
    if (length_ < size) {
      memory_.reset();
      length_ = 0;
      memory_.reset(static_cast<float*>(::operator new[](static_cast<size_t>(size) * sizeof(float), std::align_val_t(64))));
      length_ = size;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(float* data) const { ::operator delete[](data, std::align_val_t(64)); }
  };
  std::unique_ptr<float[], Free> memory_;
  int64_t length_ = 0;
};

/** Of tiles, and of filters. */
thread_local Scratch tileScratch, filterScratch;

/** Tiles that a thread takes at once: their factors and products stay in the cache that it has for itself. */
constexpr int64_t blockTiles = 24;

/** Most numbers that all threads share when they work on the same tiles. */
constexpr int64_t mostShared = int64_t{4} << 20;
/** The same for the gradient in a filter, which reads no filter for them. */
constexpr int64_t mostCorrelated = int64_t{1} << 20;

/** A convolution, of images or of a gradient; then with the mirrored filter, from `out` to `in` channels. */
struct Job {
  const Tiling from, to;
  const float *x, *transformed;
  const Finish& finish;
  float* y;
  bool mirrored;
  int64_t filterSize() const { return from.channels * to.channels; }
  int64_t numbers(int64_t tiles) const { return products * (strideOf(tiles, from.channels) + strideOf(tiles, to.channels)); }
  /** The matrix of the `i`th product, made in `memory` unless it is there. */
  const float* filter(int64_t i, float* memory) const {
    if (!mirrored) return transformed + i * filterSize();
    mirror(transformed, to.channels, from.channels, i, memory);
    return memory;
  }
};

/** Factors and products of some tiles, in one piece of memory. */
struct Blocks {
  Block factors, found;
  Blocks(const Job& job, int64_t first, int64_t count, float* memory)
      : factors{first, count, memory, strideOf(count, job.from.channels)},
        found{first, count, memory + products * factors.stride, strideOf(count, job.to.channels)} {}
  void multiplyBy(const Job& job, int64_t i, const float* filter) const {
    kernels.multiply({factors.data + i * factors.stride, filter, found.data + i * found.stride, factors.count, job.from.channels, job.to.channels});
  }
};

/** Each thread takes blocks of tiles from pixels to pixels. */
void convolveByTiles(const Job& job, int64_t tiles, const Threads& threads) {
  const float* filters = job.transformed;
  if (job.mirrored) {
    float* memory = filterScratch.take(products * job.filterSize());
    threads.run(products, [&](int64_t i) { job.filter(i, memory + i * job.filterSize()); });
    filters = memory;
  }
  threads.run((tiles + blockTiles - 1) / blockTiles, [&](int64_t at) {
    const int64_t first = at * blockTiles, count = std::min(blockTiles, tiles - first);
    const Blocks blocks(job, first, count, tileScratch.take(job.numbers(blockTiles)));
    spread(job.from, job.x, blocks.factors, 0, count);
    for (int64_t i = 0; i < products; i++) blocks.multiplyBy(job, i, filters + i * job.filterSize());
    gather(job.to, blocks.found, job.finish, job.y, 0, count);
  });
}

/** Where there are few tiles for each thread, or the filter is larger than the cache, it is read once: all threads work on the same tiles, each on some of the products. */
void convolveByProducts(const Job& job, int64_t tiles, const Threads& threads) {
  const int64_t most = std::min(tiles, std::max(blockTiles, mostShared / job.numbers(1)));
  float* memory = tileScratch.take(job.numbers(most));
  for (int64_t first = 0; first < tiles; first += most) {
    const Blocks blocks(job, first, std::min(most, tiles - first), memory);
    const int64_t count = blocks.factors.count;
    threads.run(count, [&](int64_t t) { spread(job.from, job.x, blocks.factors, t, t + 1); });
    threads.run(products, [&](int64_t i) {
      blocks.multiplyBy(job, i, job.filter(i, job.mirrored ? filterScratch.take(job.filterSize()) : nullptr));
    });
    threads.run(count, [&](int64_t t) { gather(job.to, blocks.found, job.finish, job.y, t, t + 1); });
  }
}

void run(const Job& job, int64_t images, const Threads& threads) {
  const int64_t tiles = images * job.from.perImage();
  const bool few = tiles < blockTiles * threads.count, large = products * job.filterSize() > mostShared;
  (few || large ? convolveByProducts : convolveByTiles)(job, tiles, threads);
}

}  // namespace

bool possible(int64_t in, int64_t out) { return in > 0 && out > 0 && in % lanes == 0 && out % lanes == 0; }

bool worthwhile(const Convolution& c, bool kept) {
  // with fewer tiles, reading the transformed filter, or making it, takes longer than the products save
  const int64_t tiles = c.images * Tiling(c.height, c.width, c.in).perImage();
  return possible(c.in, c.out) && tiles >= (kept ? 24 : 96);
}

void transform(const Filter& filter, int64_t in, int64_t out, float* transformed, const Threads& threads) {
  threads.run(out / lanes, [&](int64_t group) { transformSome(filter, in, out, transformed, group * lanes); });
}

void convolve(const Convolution& c, const float* x, const float* transformed, const Finish& finish, float* y, const Threads& threads) {
  run({{c.height, c.width, c.in}, {c.height, c.width, c.out}, x, transformed, finish, y, false}, c.images, threads);
}

void convolveGradient(const Convolution& c, const float* dy, const float* transformed, float* dx, const Threads& threads) {
  run({{c.height, c.width, c.out}, {c.height, c.width, c.in}, dy, transformed, {}, dx, true}, c.images, threads);
}

void filterGradient(const Convolution& c, const float* x, const float* dy, const FilterAt<float>& gradient, const Threads& threads) {
  const Tiling from(c.height, c.width, c.in), to(c.height, c.width, c.out);
  // the channels that lie side by side in the filter are computed side by side
  const bool byFilters = gradient.out == 1;
  const int64_t rows = byFilters ? c.in : c.out, columns = byFilters ? c.out : c.in, tiles = c.images * from.perImage();
  const int64_t perTile = products * (c.in + c.out), most = std::min(tiles, std::max(blockTiles, mostCorrelated / perTile));
  float* sums = filterScratch.take(products * rows * columns);
  float* memory = tileScratch.take(products * (strideOf(most, c.in) + strideOf(most, c.out)));
  threads.run(products, [&](int64_t i) { std::fill_n(sums + i * rows * columns, rows * columns, 0.0f); });
  for (int64_t first = 0; first < tiles; first += most) {
    const int64_t count = std::min(most, tiles - first);
    const Block factors{first, count, memory, strideOf(count, c.in)};
    const Block found{first, count, memory + products * factors.stride, strideOf(count, c.out)};
    threads.run(count, [&](int64_t t) {
      spread(from, x, factors, t, t + 1);
      spreadGradient(to, dy, found, t, t + 1);
    });
    threads.run(products, [&](int64_t i) {
      const float *one = factors.data + i * factors.stride, *two = found.data + i * found.stride;
      float* sum = sums + i * rows * columns;
      kernels.correlate({byFilters ? one : two, byFilters ? two : one, sum, count, rows, columns});
    });
  }
  const int64_t row = byFilters ? gradient.in : gradient.out, column = byFilters ? gradient.out : gradient.in;
  threads.run(columns / lanes, [&](int64_t group) { gatherTaps(sums, rows, columns, gradient, row, column, group * lanes); });
}

}  // namespace bulwark::winograd
