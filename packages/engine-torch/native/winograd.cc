#include "winograd.h"

#include <ATen/Parallel.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>

#include "processor.h"

#pragma GCC diagnostic ignored "-Wpsabi"  // the vectors that functions here return are inlined

namespace bulwark::winograd {

namespace {

constexpr int64_t tile = 4, patch = 6, products = patch * patch;
constexpr float a = 0.75f, b = 1.5f, aa = a * a, bb = b * b, sum = aa + bb, product = aa * bb;

/** With fewer tiles, reading the transformed filter, four times as large as the filter, takes longer than the products save. */
constexpr int64_t fewestTiles = 24;

/** Channels that are computed side by side. */
constexpr int64_t lanes = 16;
typedef float Lanes __attribute__((vector_size(lanes * sizeof(float))));
typedef float Loose __attribute__((vector_size(lanes * sizeof(float)), aligned(4), may_alias));
INLINE Lanes load(const float* from) { return *reinterpret_cast<const Loose*>(from); }
INLINE void store(float* to, Lanes value) { *reinterpret_cast<Loose*>(to) = value; }

// One axis of each transform; the steps between the elements are those of what is transformed.

/** Six pixels to six factors. */
INLINE void toFactors(const Lanes* d, Lanes* v, int from, int to) {
  const Lanes d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from], d5 = d[5 * from];
  const Lanes evenA = d4 - bb * d2, oddA = a * (d3 - bb * d1), evenB = d4 - aa * d2, oddB = b * (d3 - aa * d1);
  v[0] = d4 - sum * d2 + product * d0;
  v[to] = evenA + oddA;
  v[2 * to] = evenA - oddA;
  v[3 * to] = evenB + oddB;
  v[4 * to] = evenB - oddB;
  v[5 * to] = d5 - sum * d3 + product * d1;
}

/** Its adjoint. */
INLINE void fromFactors(const Lanes* v, Lanes* d, int from, int to) {
  const Lanes v0 = v[0], v5 = v[5 * from];
  const Lanes evenA = v[from] + v[2 * from], oddA = a * (v[from] - v[2 * from]);
  const Lanes evenB = v[3 * from] + v[4 * from], oddB = b * (v[3 * from] - v[4 * from]);
  d[0] = product * v0;
  d[to] = product * v5 - bb * oddA - aa * oddB;
  d[2 * to] = -sum * v0 - bb * evenA - aa * evenB;
  d[3 * to] = oddA + oddB - sum * v5;
  d[4 * to] = v0 + evenA + evenB;
  d[5 * to] = v5;
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

/** Its adjoint. */
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

/** Three taps to six. */
INLINE void toTaps(const Lanes* g, Lanes* u, int from, int to) {
  constexpr float shareA = 1 / (2 * aa * (aa - bb)), shareB = 1 / (2 * bb * (bb - aa));
  const Lanes evenA = shareA * (g[0] + aa * g[2 * from]), oddA = (shareA * a) * g[from];
  const Lanes evenB = shareB * (g[0] + bb * g[2 * from]), oddB = (shareB * b) * g[from];
  u[0] = (1 / product) * g[0];
  u[to] = evenA + oddA;
  u[2 * to] = evenA - oddA;
  u[3 * to] = evenB + oddB;
  u[4 * to] = evenB - oddB;
  u[5 * to] = g[2 * from];
}

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
  Place place(int64_t t) const {
    return {t / perImage(), t % perImage() / across * tile, t % across * tile};
  }
  int64_t at(const Place& p, int64_t row, int64_t column) const { return ((p.image * height + row) * width + column) * channels; }
  bool inside(int64_t row, int64_t column) const { return row >= 0 && column >= 0 && row < height && column < width; }
};

/** Tiles of images to factors, `[36, tiles, channels]`; `stride` is that of the factors. */
FOR_ANY_PROCESSOR void spread(const Tiling& tiling, const float* x, float* factors, int64_t stride, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; t++) {
    const auto place = tiling.place(t);
    for (int64_t c = 0; c < tiling.channels; c += lanes) {
      Lanes d[products], v[products];
      for (int r = 0; r < patch; r++)
        for (int s = 0; s < patch; s++) {
          const int64_t row = place.row + r - 1, column = place.column + s - 1;
          d[r * patch + s] = tiling.inside(row, column) ? load(x + tiling.at(place, row, column) + c) : Lanes{};
        }
      for (int s = 0; s < patch; s++) toFactors(d + s, v + s, patch, patch);
      for (int r = 0; r < patch; r++) toFactors(v + r * patch, d + r * patch, 1, 1);
      for (int i = 0; i < products; i++) store(factors + i * stride + t * tiling.channels + c, d[i]);
    }
  }
}

/** `After`, by addresses. */
struct Finish {
  const float *bias, *other;
  bool relu;
};

/** Products, as factors lie, to outputs. */
FOR_ANY_PROCESSOR void gather(const Tiling& tiling, const float* found, const Finish& finish, float* y, int64_t stride, int64_t begin,
                              int64_t end) {
  for (int64_t t = begin; t < end; t++) {
    const auto place = tiling.place(t);
    for (int64_t c = 0; c < tiling.channels; c += lanes) {
      Lanes m[products], half[tile * patch], out[tile * tile];
      for (int i = 0; i < products; i++) m[i] = load(found + i * stride + t * tiling.channels + c);
      for (int s = 0; s < patch; s++) toOutputs(m + s, half + s, patch, patch);
      for (int r = 0; r < tile; r++) toOutputs(half + r * patch, out + r * tile, 1, 1);
      const Lanes shift = finish.bias ? load(finish.bias + c) : Lanes{};
      for (int r = 0; r < tile; r++)
        for (int s = 0; s < tile; s++) {
          if (!tiling.inside(place.row + r, place.column + s)) continue;
          const int64_t at = tiling.at(place, place.row + r, place.column + s) + c;
          Lanes value = out[r * tile + s] + shift;
          if (finish.other) value += load(finish.other + at);
          if (finish.relu) value = value < Lanes{} ? Lanes{} : value;  // NaN stays
          store(y + at, value);
        }
    }
  }
}

/** The adjoint of `gather`: gradients of outputs to gradients of products. */
FOR_ANY_PROCESSOR void spreadGradient(const Tiling& tiling, const float* dy, float* found, int64_t stride, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; t++) {
    const auto place = tiling.place(t);
    for (int64_t c = 0; c < tiling.channels; c += lanes) {
      Lanes out[tile * tile], half[patch * tile], m[products];
      for (int r = 0; r < tile; r++)
        for (int s = 0; s < tile; s++) {
          const int64_t row = place.row + r, column = place.column + s;
          out[r * tile + s] = tiling.inside(row, column) ? load(dy + tiling.at(place, row, column) + c) : Lanes{};
        }
      for (int s = 0; s < tile; s++) fromOutputs(out + s, half + s, tile, tile);
      for (int r = 0; r < patch; r++) fromOutputs(half + r * tile, m + r * patch, 1, 1);
      for (int i = 0; i < products; i++) store(found + i * stride + t * tiling.channels + c, m[i]);
    }
  }
}

/** The adjoint of `spread`: gradients of factors, added up where tiles overlap. Whole images, whose pixels are zero before. */
FOR_ANY_PROCESSOR void gatherGradient(const Tiling& tiling, const float* factors, float* dx, int64_t stride, int64_t begin, int64_t end) {
  for (int64_t t = begin; t < end; t++) {
    const auto place = tiling.place(t);
    for (int64_t c = 0; c < tiling.channels; c += lanes) {
      Lanes v[products], d[products];
      for (int i = 0; i < products; i++) v[i] = load(factors + i * stride + t * tiling.channels + c);
      for (int s = 0; s < patch; s++) fromFactors(v + s, d + s, patch, patch);
      for (int r = 0; r < patch; r++) fromFactors(d + r * patch, v + r * patch, 1, 1);
      for (int r = 0; r < patch; r++)
        for (int s = 0; s < patch; s++) {
          const int64_t row = place.row + r - 1, column = place.column + s - 1;
          if (!tiling.inside(row, column)) continue;
          float* pixel = dx + tiling.at(place, row, column) + c;
          store(pixel, load(pixel) + v[r * patch + s]);
        }
    }
  }
}

/** Filters `[out, 3, 3, in]` to `[36, out, in]`. */
FOR_ANY_PROCESSOR void spreadFilter(const float* filter, float* transformed, std::array<int64_t, 2> shape, int64_t begin, int64_t end) {
  const auto [out, in] = shape;
  for (int64_t o = begin; o < end; o++)
    for (int64_t i = 0; i < in; i += lanes) {
      Lanes g[9], half[patch * 3], u[products];
      for (int tap = 0; tap < 9; tap++) g[tap] = load(filter + (o * 9 + tap) * in + i);
      for (int s = 0; s < 3; s++) toTaps(g + s, half + s, 3, 3);
      for (int r = 0; r < patch; r++) toTaps(half + r * 3, u + r * patch, 1, 1);
      for (int k = 0; k < products; k++) store(transformed + (k * out + o) * in + i, u[k]);
    }
}

/** Images that are computed at once, so that their factors and products stay in the processor's memory. */
int64_t imagesAtOnce(const Tiling& tiling, int64_t from, int64_t to) {
  const int64_t bytes = products * tiling.perImage() * (from + to) * static_cast<int64_t>(sizeof(float));
  return std::max<int64_t>(1, (int64_t{6} << 20) / bytes);
}

}  // namespace

bool fits(const at::Tensor& x, at::IntArrayRef filter, const Geometry& g) {
  const bool same = g.stride == std::array<int64_t, 2>{1, 1} && g.dilation == std::array<int64_t, 2>{1, 1} && g.groups == 1 &&
      g.padding == std::array<int64_t, 4>{1, 1, 1, 1};
  return x.is_cpu() && x.scalar_type() == at::kFloat && same && filter[2] == 3 && filter[3] == 3 && filter[0] >= 64 && filter[1] >= 64 &&
      filter[0] % lanes == 0 && filter[1] % lanes == 0 && x.size(0) * Tiling(x.size(1), x.size(2), 1).perImage() >= fewestTiles;
}

at::Tensor transformFilter(const at::Tensor& filter, at::Tensor before) {
  const int64_t out = filter.size(0), in = filter.size(1);
  const at::Tensor taps = filter.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor transformed = before.defined() ? before : at::empty({products, out, in}, at::TensorOptions(at::kFloat));
  const float* from = taps.const_data_ptr<float>();
  float* to = transformed.data_ptr<float>();
  at::parallel_for(0, out, 4, [&](int64_t begin, int64_t end) { spreadFilter(from, to, {out, in}, begin, end); });
  return transformed;
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& transformed, const After& after) {
  const int64_t images = x.size(0), height = x.size(1), width = x.size(2), out = transformed.size(1);
  const Tiling from(height, width, x.size(3)), to(height, width, out);
  const at::Tensor input = x.contiguous();
  at::Tensor y = at::empty({images, height, width, out}, input.options());
  const int64_t most = std::min(images, imagesAtOnce(from, x.size(3), out)), tiles = most * from.perImage();
  at::Tensor factors = at::empty({products, tiles, x.size(3)}, input.options()), found = at::empty({products, tiles, out}, input.options());
  const at::Tensor across = transformed.transpose(1, 2);
  const at::Tensor added = after.other.defined() ? after.other.contiguous() : after.other;
  for (int64_t first = 0; first < images; first += most) {
    const int64_t count = std::min(most, images - first) * from.perImage();
    const float* source = input.const_data_ptr<float>() + first * height * width * from.channels;
    const int64_t outputs = first * height * width * out;
    float* target = y.data_ptr<float>() + outputs;
    const Finish finish{after.bias.defined() ? after.bias.const_data_ptr<float>() : nullptr,
                        added.defined() ? added.const_data_ptr<float>() + outputs : nullptr, after.relu};
    at::parallel_for(0, count, 4, [&](int64_t begin, int64_t end) {
      spread(from, source, factors.data_ptr<float>(), factors.stride(0), begin, end);
    });
    at::Tensor products = found.narrow(1, 0, count);
    at::bmm_out(products, factors.narrow(1, 0, count), across);
    at::parallel_for(0, count, 4, [&](int64_t begin, int64_t end) {
      gather(to, found.const_data_ptr<float>(), finish, target, found.stride(0), begin, end);
    });
  }
  return y;
}

at::Tensor inputGradient(const at::Tensor& dy, const at::Tensor& transformed) {
  const int64_t images = dy.size(0), height = dy.size(1), width = dy.size(2), in = transformed.size(2);
  const Tiling from(height, width, dy.size(3)), to(height, width, in);
  const at::Tensor gradient = dy.contiguous();
  at::Tensor dx = at::zeros({images, height, width, in}, gradient.options());
  const int64_t most = std::min(images, imagesAtOnce(from, dy.size(3), in)), tiles = most * from.perImage();
  at::Tensor found = at::empty({products, tiles, dy.size(3)}, gradient.options()),
             factors = at::empty({products, tiles, in}, gradient.options());
  for (int64_t first = 0; first < images; first += most) {
    const int64_t count = std::min(most, images - first) * from.perImage();
    const float* source = gradient.const_data_ptr<float>() + first * height * width * from.channels;
    float* target = dx.data_ptr<float>() + first * height * width * in;
    at::parallel_for(0, count, 4, [&](int64_t begin, int64_t end) {
      spreadGradient(from, source, found.data_ptr<float>(), found.stride(0), begin, end);
    });
    at::Tensor back = factors.narrow(1, 0, count);
    at::bmm_out(back, found.narrow(1, 0, count), transformed);
    // whole images, since tiles overlap
    at::parallel_for(0, count / to.perImage(), 1, [&](int64_t begin, int64_t end) {
      gatherGradient(to, factors.const_data_ptr<float>(), target, factors.stride(0), begin * to.perImage(), end * to.perImage());
    });
  }
  return dx;
}

}  // namespace bulwark::winograd
