#include "winograd.h"

#include <algorithm>
#include <memory>
#include <new>

#include "processor.h"

#pragma GCC diagnostic ignored "-Wpsabi"  // the vectors that functions here return are inlined

namespace bulwark::winograd {

namespace {

constexpr int64_t tile = 4, patch = 6;
static_assert(patch * patch == products);
constexpr float a = 3.0f / 4, b = 4.0f / 3, aa = a * a, bb = b * b, sum = aa + bb;  // a b = 1

typedef float Lanes __attribute__((vector_size(lanes * sizeof(float))));
typedef float Loose __attribute__((vector_size(lanes * sizeof(float)), aligned(4), may_alias));
INLINE Lanes load(const float* from) { return *reinterpret_cast<const Loose*>(from); }
INLINE void store(float* to, const Lanes& value) { *reinterpret_cast<Loose*>(to) = value; }

// ---- one axis of each transform; the steps between the elements are those of what is transformed ----

/** Six pixels to six factors. */
INLINE void toFactors(const Lanes* d, Lanes* v, int from, int to) {
  const Lanes d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from], d5 = d[5 * from];
  const Lanes evenA = d4 - bb * d2, oddA = a * (d3 - bb * d1), evenB = d4 - aa * d2, oddB = b * (d3 - aa * d1);
  v[0] = d4 - sum * d2 + d0;
  v[to] = evenA + oddA;
  v[2 * to] = evenA - oddA;
  v[3 * to] = evenB + oddB;
  v[4 * to] = evenB - oddB;
  v[5 * to] = d5 - sum * d3 + d1;
}

/** Six products to four outputs. */
INLINE void toOutputs(const Lanes* m, Lanes* y, int from, int to) {
  const Lanes evenA = m[from] + m[2 * from], oddA = a * (m[from] - m[2 * from]);
  const Lanes evenB = m[3 * from] + m[4 * from], oddB = b * (m[3 * from] - m[4 * from]);
  y[0] = m[0] + evenA + evenB;
  y[to] = oddA + oddB;
  y[2 * to] = aa * evenA + bb * evenB;
  y[3 * to] = aa * oddA + bb * oddB + m[5 * from];
}

constexpr float shareA = 1 / (2 * aa * (aa - bb)), shareB = 1 / (2 * bb * (bb - aa));

/** Three taps to six. */
INLINE void toTaps(const Lanes* g, Lanes* u, int from, int to) {
  const Lanes evenA = shareA * (g[0] + aa * g[2 * from]), oddA = (shareA * a) * g[from];
  const Lanes evenB = shareB * (g[0] + bb * g[2 * from]), oddB = (shareB * b) * g[from];
  u[0] = g[0];
  u[to] = evenA + oddA;
  u[2 * to] = evenA - oddA;
  u[3 * to] = evenB + oddB;
  u[4 * to] = evenB - oddB;
  u[5 * to] = g[2 * from];
}

/** The adjoint of `toOutputs`: gradients of four outputs to those of six products. */
INLINE void fromOutputs(const Lanes* y, Lanes* m, int from, int to) {
  const Lanes y0 = y[0], y3 = y[3 * from];
  const Lanes evenA = y0 + aa * y[2 * from], oddA = a * (y[from] + aa * y3);
  const Lanes evenB = y0 + bb * y[2 * from], oddB = b * (y[from] + bb * y3);
  m[0] = y0;
  m[to] = evenA + oddA;
  m[2 * to] = evenA - oddA;
  m[3 * to] = evenB + oddB;
  m[4 * to] = evenB - oddB;
  m[5 * to] = y3;
}

/** The adjoint of `toTaps`. */
INLINE void fromTaps(const Lanes* u, Lanes* g, int from, int to) {
  const Lanes evenA = shareA * (u[from] + u[2 * from]), oddA = (shareA * a) * (u[from] - u[2 * from]);
  const Lanes evenB = shareB * (u[3 * from] + u[4 * from]), oddB = (shareB * b) * (u[3 * from] - u[4 * from]);
  g[0] = u[0] + evenA + evenB;
  g[to] = oddA + oddB;
  g[2 * to] = aa * evenA + bb * evenB + u[5 * from];
}

// ---- tiles ----

/** Images [count, height, width, channels] in tiles. */
struct Tiling {
  int64_t height, width, channels, down, across;
  Tiling(int64_t height, int64_t width, int64_t channels)
      : height(height), width(width), channels(channels), down((height + tile - 1) / tile), across((width + tile - 1) / tile) {}
  int64_t perImage() const { return down * across; }
  /** First row and column of a tile's outputs, and its image. */
  struct Place {
    int64_t image, row, column;
  };
  Place place(int64_t t) const { return {t / perImage(), t % perImage() / across * tile, t % across * tile}; }
  int64_t at(const Place& p, int64_t row, int64_t column) const { return ((p.image * height + row) * width + column) * channels; }
  bool inside(int64_t row, int64_t column) const { return row >= 0 && column >= 0 && row < height && column < width; }
  /** Do a tile's patch, or its outputs, lie in the image as a whole? */
  bool wholePatch(const Place& p) const { return p.row > 0 && p.column > 0 && p.row + tile < height && p.column + tile < width; }
  bool wholeTile(const Place& p) const { return p.row + tile <= height && p.column + tile <= width; }
};

/** Some of the tiles, `first` to `first + count`, and their factors or products, [36, count, channels], as they lie in memory. */
struct Block {
  int64_t first, count;
  float* data;
  /** From one of the 36 to the next. Odd in cache lines, so that they do not fall into the same places of the cache. */
  int64_t stride;
};

constexpr int64_t strideOf(int64_t tiles, int64_t channels) { return (tiles * channels / lanes | 1) * lanes; }

/** Tiles of images to factors, of the block's tiles from `begin` to `end`. */
FOR_ANY_PROCESSOR void spread(const Tiling& tiling, const float* x, const Block& to, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; t++) {
    const auto place = tiling.place(to.first + t);
    const bool whole = tiling.wholePatch(place);
    for (int64_t c = 0; c < tiling.channels; c += lanes) {
      Lanes d[products], v[products];
      for (int r = 0; r < patch; r++)
        for (int s = 0; s < patch; s++) {
          const int64_t row = place.row + r - 1, column = place.column + s - 1;
          d[r * patch + s] = whole || tiling.inside(row, column) ? load(x + tiling.at(place, row, column) + c) : Lanes{};
        }
      for (int s = 0; s < patch; s++) toFactors(d + s, v + s, patch, patch);
      for (int r = 0; r < patch; r++) toFactors(v + r * patch, d + r * patch, 1, 1);
      for (int i = 0; i < products; i++) store(to.data + i * to.stride + t * tiling.channels + c, d[i]);
    }
  }
}

/** Products to outputs. */
FOR_ANY_PROCESSOR void gather(const Tiling& tiling, const Block& from, const Finish& finish, float* y, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; t++) {
    const auto place = tiling.place(from.first + t);
    const bool whole = tiling.wholeTile(place);
    for (int64_t c = 0; c < tiling.channels; c += lanes) {
      Lanes m[products], half[tile * patch], out[tile * tile];
      for (int i = 0; i < products; i++) m[i] = load(from.data + i * from.stride + t * tiling.channels + c);
      for (int s = 0; s < patch; s++) toOutputs(m + s, half + s, patch, patch);
      for (int r = 0; r < tile; r++) toOutputs(half + r * patch, out + r * tile, 1, 1);
      const Lanes shift = finish.bias ? load(finish.bias + c) : Lanes{};
      for (int r = 0; r < tile; r++)
        for (int s = 0; s < tile; s++) {
          if (!whole && !tiling.inside(place.row + r, place.column + s)) continue;
          const int64_t at = tiling.at(place, place.row + r, place.column + s) + c;
          Lanes value = out[r * tile + s] + shift;
          if (finish.other) value += load(finish.other + at);
          if (finish.relu) value = value < Lanes{} ? Lanes{} : value;  // NaN stays
          store(y + at, value);
        }
    }
  }
}

/** The adjoint of `gather`: gradients of outputs to those of products. */
FOR_ANY_PROCESSOR void spreadGradient(const Tiling& tiling, const float* dy, const Block& to, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; t++) {
    const auto place = tiling.place(to.first + t);
    const bool whole = tiling.wholeTile(place);
    for (int64_t c = 0; c < tiling.channels; c += lanes) {
      Lanes out[tile * tile], half[patch * tile], m[products];
      for (int r = 0; r < tile; r++)
        for (int s = 0; s < tile; s++) {
          const int64_t row = place.row + r, column = place.column + s;
          out[r * tile + s] = whole || tiling.inside(row, column) ? load(dy + tiling.at(place, row, column) + c) : Lanes{};
        }
      for (int s = 0; s < tile; s++) fromOutputs(out + s, half + s, tile, tile);
      for (int r = 0; r < patch; r++) fromOutputs(half + r * tile, m + r * patch, 1, 1);
      for (int i = 0; i < products; i++) store(to.data + i * to.stride + t * tiling.channels + c, m[i]);
    }
  }
}

// ---- products: for each of the 36, factors [tiles, in] times a filter [in, out], which lies as [out / 16][in][16] ----

/** One of the 36 products, or some rows and columns of it. */
struct Product {
  const float* factors;
  const float* filter;
  float* found;
  int64_t tiles, in, out;
};

/** Some rows and `columns` times 16 columns, kept in registers. */
template <int rows, int columns>
INLINE void multiplyPart(const float* factors, const float* filter, float* found, int64_t in, int64_t out) {
  Lanes total[rows][columns] = {};
  const int64_t panel = in * lanes;
  for (int64_t k = 0; k < in; k++) {
    Lanes weights[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; j++) weights[j] = load(filter + j * panel + k * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
      for (int j = 0; j < columns; j++) total[r][j] += factors[r * in + k] * weights[j];
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int j = 0; j < columns; j++) store(found + r * out + j * lanes, total[r][j]);
}

template <int rows, int columns>
INLINE void multiplyPanel(const Product& p, int64_t column) {
  const float* filter = p.filter + column * p.in;
  int64_t t = 0;
  const auto part = [&](auto multiply, int64_t count) {
    multiply(p.factors + t * p.in, filter, p.found + t * p.out + column, p.in, p.out);
    t += count;
  };
  while (t + rows <= p.tiles) part(multiplyPart<rows, columns>, rows);
  if (t + rows / 2 <= p.tiles) part(multiplyPart<rows / 2, columns>, rows / 2);
  while (t < p.tiles) part(multiplyPart<1, columns>, 1);
}

template <int rows, int columns>
INLINE void multiplyAll(const Product& p) {
  int64_t column = 0;
  for (; column + columns * lanes <= p.out; column += columns * lanes) multiplyPanel<rows, columns>(p, column);
  for (; column < p.out; column += lanes) multiplyPanel<rows, 1>(p, column);
}

/** Sums over tiles of a channel of one block times one of another, [tiles, rows] and [tiles, columns], added to [rows, columns]. */
struct Correlation {
  const float *one, *two;
  float* sums;
  int64_t tiles, rows, columns;
};

template <int rows, int columns>
INLINE void correlatePart(const Correlation& c, int64_t row, int64_t column) {
  Lanes total[rows][columns];
  float* sums = c.sums + row * c.columns + column;
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int j = 0; j < columns; j++) total[r][j] = load(sums + r * c.columns + j * lanes);
  const float *one = c.one + row, *two = c.two + column;
  for (int64_t t = 0; t < c.tiles; t++, one += c.rows, two += c.columns) {
    Lanes factors[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; j++) factors[j] = load(two + j * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
      for (int j = 0; j < columns; j++) total[r][j] += one[r] * factors[j];
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int j = 0; j < columns; j++) store(sums + r * c.columns + j * lanes, total[r][j]);
}

template <int rows, int columns>
INLINE void correlateAll(const Correlation& c) {
  for (int64_t row = 0; row < c.rows; row += rows) {
    int64_t column = 0;
    for (; column + columns * lanes <= c.columns; column += columns * lanes) correlatePart<rows, columns>(c, row, column);
    for (; column < c.columns; column += lanes) correlatePart<rows, 1>(c, row, column);
  }
}

// as many sums as there are registers for
#ifdef FOR_512_BITS
FOR_512_BITS void multiply512(const Product& p) { multiplyAll<12, 2>(p); }
FOR_256_BITS void multiply256(const Product& p) { multiplyAll<6, 1>(p); }
FOR_512_BITS void correlate512(const Correlation& c) { correlateAll<8, 2>(c); }
FOR_256_BITS void correlate256(const Correlation& c) { correlateAll<4, 1>(c); }
#endif
void multiplyAny(const Product& p) { multiplyAll<4, 1>(p); }
void correlateAny(const Correlation& c) { correlateAll<2, 1>(c); }

struct Kernels {
  void (*multiply)(const Product&);
  void (*correlate)(const Correlation&);
};
Kernels kernelsHere() {
#ifdef FOR_512_BITS
  if (__builtin_cpu_supports("x86-64-v4")) return {multiply512, correlate512};
  if (__builtin_cpu_supports("x86-64-v3")) return {multiply256, correlate256};
#endif
  return {multiplyAny, correlateAny};
}
const Kernels kernels = kernelsHere();

// ---- filters ----

/** 16 of the filters that are found, from `first` on, for all channels that are summed over. */
FOR_ANY_PROCESSOR void transformSome(const Filter& filter, int64_t in, int64_t out, float* transformed, int64_t first) {
  for (int64_t i = 0; i < in; i++) {
    Lanes g[9], half[patch * 3], u[products];
    for (int r = 0; r < 3; r++)
      for (int s = 0; s < 3; s++) {
        const float* tap = filter.data + first * filter.out + i * filter.in + r * filter.row + s * filter.column;
        for (int j = 0; j < lanes; j++) g[r * 3 + s][j] = tap[j * filter.out];
      }
    for (int s = 0; s < 3; s++) toTaps(g + s, half + s, 3, 3);
    for (int r = 0; r < patch; r++) toTaps(half + r * 3, u + r * patch, 1, 1);
    for (int k = 0; k < products; k++) store(transformed + (k * out + first) * in + i * lanes, u[k]);
  }
}

/** The gradient in the taps of 16 filters, or in those of 16 channels: of sums `[36][rows][columns]`, some columns of all rows. */
FOR_ANY_PROCESSOR void gatherTaps(const float* sums, int64_t rows, int64_t columns, const FilterAt<float>& to, int64_t row, int64_t column,
                                  int64_t first) {
  for (int64_t i = 0; i < rows; i++) {
    Lanes u[products], half[3 * patch], g[9];
    for (int k = 0; k < products; k++) u[k] = load(sums + (k * rows + i) * columns + first);
    for (int s = 0; s < patch; s++) fromTaps(u + s, half + s, patch, patch);
    for (int r = 0; r < 3; r++) fromTaps(half + r * patch, g + r * 3, 1, 1);
    for (int r = 0; r < 3; r++)
      for (int s = 0; s < 3; s++) {
        float* tap = to.data + i * row + first * column + r * to.row + s * to.column;
        if (column == 1)
          store(tap, g[r * 3 + s]);
        else
          for (int j = 0; j < lanes; j++) tap[j * column] = g[r * 3 + s][j];
      }
  }
}

typedef int32_t Places __attribute__((vector_size(lanes * sizeof(int32_t))));

/** Lanes of two vectors, one after the other, by their places. */
INLINE Lanes pick(const Lanes& one, const Lanes& two, const Places& places) {
#ifdef __clang__
  Lanes found;
  for (int64_t j = 0; j < lanes; j++) found[j] = places[j] < lanes ? one[places[j]] : two[places[j] - lanes];
  return found;
#else
  return __builtin_shuffle(one, two, places);
#endif
}

/** Exchanges the squares beside the diagonal of all squares of 2 * half rows and columns. */
template <int half>
INLINE void exchange(Lanes* rows) {
  Places upper, lower;
  for (int j = 0; j < lanes; j++) {
    upper[j] = j & half ? lanes + j - half : j;
    lower[j] = j & half ? lanes + j : j + half;
  }
#pragma GCC unroll 16
  for (int i = 0; i < lanes; i++)
    if (!(i & half)) {
      const Lanes one = rows[i], two = rows[i + half];
      rows[i] = pick(one, two, upper);
      rows[i + half] = pick(one, two, lower);
    }
}

/**
 * The matrix of the `k`th product of the mirrored filter, [in / 16][out][16], from those of the filter, [out / 16][in][16] each: along an axis
 * points change places with their reciprocals, `g2 + x g1 + x^2 g0 = x^2 (g0 + g1 / x + g2 / x^2)`.
 */
FOR_ANY_PROCESSOR void mirror(const float* transformed, int64_t in, int64_t out, int64_t k, float* mirrored) {
  constexpr int place[patch] = {5, 3, 4, 1, 2, 0};
  constexpr float scale[patch] = {1, -bb, -bb, -aa, -aa, 1};
  const int64_t row = k / patch, column = k % patch;
  const float* from = transformed + (place[row] * patch + place[column]) * in * out;
  const float factor = scale[row] * scale[column];
  for (int64_t o = 0; o < out; o += lanes)
    for (int64_t i = 0; i < in; i += lanes) {
      const float* square = from + o * in + i * lanes;  // [16 of in][16 of out]
      float* to = mirrored + i * out + o * lanes;       // [16 of out][16 of in]
      Lanes rows[lanes];
      for (int r = 0; r < lanes; r++) rows[r] = factor * load(square + r * lanes);
      exchange<8>(rows);
      exchange<4>(rows);
      exchange<2>(rows);
      exchange<1>(rows);
      for (int r = 0; r < lanes; r++) store(to + r * lanes, rows[r]);
    }
}

// ---- memory ----

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

/** Where there are few tiles for each thread, a filter is read once: all threads work on the same tiles, each on some of the products. */
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
  (tiles < blockTiles * threads.count ? convolveByProducts : convolveByTiles)(job, tiles, threads);
}

}  // namespace

bool possible(int64_t in, int64_t out) { return in > 0 && out > 0 && in % lanes == 0 && out % lanes == 0; }

bool worthwhile(const Convolution& c, bool kept) {
  // with fewer tiles, reading the transformed filter, or making it, takes longer than the products save
  const int64_t tiles = c.images * Tiling(c.height, c.width, c.in).perImage();
  return possible(c.in, c.out) && std::min(c.in, c.out) >= 64 && tiles >= (kept ? 24 : 96);
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
      if (first == 0) std::fill_n(sum, rows * columns, 0.0f);
      kernels.correlate({byFilters ? one : two, byFilters ? two : one, sum, count, rows, columns});
    });
  }
  const int64_t row = byFilters ? gradient.in : gradient.out, column = byFilters ? gradient.out : gradient.in;
  threads.run(columns / lanes, [&](int64_t group) { gatherTaps(sums, rows, columns, gradient, row, column, group * lanes); });
}

}  // namespace bulwark::winograd
