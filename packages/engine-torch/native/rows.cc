#include "rows.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <processor.h>

#include "own-kernels.h"

namespace bulwark::rows {

namespace {

/** What a kernel is given of one block of rows: float32, so small that it stays in the processor's nearest memory. */
struct Block {
  int64_t rows, channels;
};

FOR_ANY_PROCESSOR void addMoments(Block b, const float* __restrict x, const float* __restrict centre, float* __restrict sum,
                                  float* __restrict squares) {
  for (int64_t r = 0; r < b.rows; r++, x += b.channels)
    for (int64_t c = 0; c < b.channels; c++) {
      const float d = x[c] - centre[c];
      sum[c] += d;
      squares[c] += d * d;
    }
}

FOR_ANY_PROCESSOR void applyAffine(Block b, const float* __restrict x, const float* __restrict scale, const float* __restrict shift,
                                   float* __restrict y) {
  for (int64_t r = 0; r < b.rows; r++, x += b.channels, y += b.channels)
    for (int64_t c = 0; c < b.channels; c++) y[c] = x[c] * scale[c] + shift[c];
}

FOR_ANY_PROCESSOR void applyAffineRelu(Block b, const float* __restrict x, const float* __restrict scale, const float* __restrict shift,
                                       float* __restrict y) {
  for (int64_t r = 0; r < b.rows; r++, x += b.channels, y += b.channels)
    for (int64_t c = 0; c < b.channels; c++) {
      const float v = x[c] * scale[c] + shift[c];
      y[c] = v < 0.0f ? 0.0f : v;  // NaN stays
    }
}

FOR_ANY_PROCESSOR void applyAffineAdd(Block b, const float* __restrict x, const float* __restrict other, const float* __restrict scale,
                                      const float* __restrict shift, float* __restrict y) {
  for (int64_t r = 0; r < b.rows; r++, x += b.channels, other += b.channels, y += b.channels)
    for (int64_t c = 0; c < b.channels; c++) y[c] = x[c] * scale[c] + shift[c] + other[c];
}

FOR_ANY_PROCESSOR void applyAffineAddRelu(Block b, const float* __restrict x, const float* __restrict other,
                                          const float* __restrict scale, const float* __restrict shift, float* __restrict y) {
  for (int64_t r = 0; r < b.rows; r++, x += b.channels, other += b.channels, y += b.channels)
    for (int64_t c = 0; c < b.channels; c++) {
      const float v = x[c] * scale[c] + shift[c] + other[c];
      y[c] = v < 0.0f ? 0.0f : v;
    }
}

FOR_ANY_PROCESSOR void applyMask(int64_t count, const float* __restrict a, const float* __restrict y, float* __restrict d) {
  for (int64_t i = 0; i < count; i++) d[i] = y[i] > 0.0f ? a[i] : 0.0f;
}

FOR_ANY_PROCESSOR void applySumMask(int64_t count, const float* __restrict a, const float* __restrict b, const float* __restrict y,
                                    float* __restrict d) {
  for (int64_t i = 0; i < count; i++) d[i] = y[i] > 0.0f ? a[i] + b[i] : 0.0f;
}

FOR_ANY_PROCESSOR void addGradients(Block b, const float* __restrict dy, const float* __restrict x, const float* __restrict mean,
                                    float* __restrict sum, float* __restrict product) {
  for (int64_t r = 0; r < b.rows; r++, dy += b.channels, x += b.channels)
    for (int64_t c = 0; c < b.channels; c++) {
      sum[c] += dy[c];
      product[c] += dy[c] * (x[c] - mean[c]);
    }
}

FOR_ANY_PROCESSOR void addGradientsRelu(Block b, const float* __restrict dy, const float* __restrict x, const float* __restrict mean,
                                        const float* __restrict scale, const float* __restrict shift, float* __restrict sum,
                                        float* __restrict product) {
  for (int64_t r = 0; r < b.rows; r++, dy += b.channels, x += b.channels)
    for (int64_t c = 0; c < b.channels; c++) {
      const float d = x[c] * scale[c] + shift[c] > 0.0f ? dy[c] : 0.0f;
      sum[c] += d;
      product[c] += d * (x[c] - mean[c]);
    }
}

FOR_ANY_PROCESSOR void applyGradient(Block b, const float* __restrict dy, const float* __restrict x, const float* __restrict mean,
                                     const float* __restrict a, const float* __restrict s, const float* __restrict t,
                                     float* __restrict dx) {
  for (int64_t r = 0; r < b.rows; r++, dy += b.channels, x += b.channels, dx += b.channels)
    for (int64_t c = 0; c < b.channels; c++) dx[c] = dy[c] * a[c] + (x[c] - mean[c]) * s[c] + t[c];
}

FOR_ANY_PROCESSOR void applyGradientRelu(Block b, const float* __restrict dy, const float* __restrict x, const float* __restrict mean,
                                         const float* __restrict scale, const float* __restrict shift, const float* __restrict a,
                                         const float* __restrict s, const float* __restrict t, float* __restrict dx) {
  for (int64_t r = 0; r < b.rows; r++, dy += b.channels, x += b.channels, dx += b.channels)
    for (int64_t c = 0; c < b.channels; c++) {
      const float d = x[c] * scale[c] + shift[c] > 0.0f ? dy[c] : 0.0f;
      dx[c] = d * a[c] + (x[c] - mean[c]) * s[c] + t[c];
    }
}

FOR_ANY_PROCESSOR void addUp(int64_t count, float* __restrict part, double* __restrict whole) {
  for (int64_t i = 0; i < count; i++) {
    whole[i] += part[i];
    part[i] = 0.0f;
  }
}

FOR_ANY_PROCESSOR void widen(int64_t count, const uint16_t* __restrict from, float* __restrict to) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t bits = static_cast<uint32_t>(from[i]) << 16;
    std::memcpy(to + i, &bits, sizeof bits);
  }
}

/** To the nearest bfloat16, of two equally near ones to the even one; NaN stays NaN. */
FOR_ANY_PROCESSOR void narrow(int64_t count, const float* __restrict from, uint16_t* __restrict to) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    std::memcpy(&bits, from + i, sizeof bits);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    to[i] = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : rounded);
  }
}

/** A part of a tensor as float32: its own memory, or a copy of bfloat16. */
class Input {
 public:
  explicit Input(const at::Tensor& tensor) : reduced_(tensor.scalar_type() == at::kBFloat16), data_(tensor.const_data_ptr()) {}
  const float* at(int64_t first, int64_t count) {
    if (!reduced_) return static_cast<const float*>(data_) + first;
    if (static_cast<int64_t>(copy_.size()) < count) copy_.resize(count);
    widen(count, static_cast<const uint16_t*>(data_) + first, copy_.data());
    return copy_.data();
  }

 private:
  bool reduced_;
  const void* data_;
  std::vector<float> copy_;
};

/** The same for results; `done` brings them to the tensor. */
class Output {
 public:
  explicit Output(const at::Tensor& tensor) : reduced_(tensor.scalar_type() == at::kBFloat16), data_(tensor.data_ptr()) {}
  float* at(int64_t first, int64_t count) {
    first_ = first;
    if (!reduced_) return static_cast<float*>(data_) + first;
    if (static_cast<int64_t>(copy_.size()) < count) copy_.resize(count);
    return copy_.data();
  }
  void done(int64_t count) {
    if (reduced_) narrow(count, copy_.data(), static_cast<uint16_t*>(data_) + first_);
  }

 private:
  bool reduced_;
  void* data_;
  int64_t first_ = 0;
  std::vector<float> copy_;
};

int64_t channelsOf(const at::Tensor& x) { return x.size(-1); }
int64_t rowsOf(const at::Tensor& x) { return x.numel() / channelsOf(x); }
/** Rows of which a block has about 16 KB. */
int64_t blockRows(int64_t channels) { return std::max<int64_t>(1, 4096 / channels); }

/** Calls `work(first row, rows)` for blocks, in several threads. */
template <typename Work>
void eachBlock(const at::Tensor& x, Work work) {
  const int64_t rows = rowsOf(x), block = blockRows(channelsOf(x));
  const int64_t blocks = (rows + block - 1) / block;
  at::parallel_for(0, blocks, 4, [&](int64_t begin, int64_t end) {
    auto compute = work();
    for (int64_t i = begin; i < end; i++) compute(i * block, std::min(block, rows - i * block));
  });
}

/** Two sums per channel over all rows: `add(first row, rows, sums, other sums)` adds those of a block. */
template <typename Work>
std::pair<at::Tensor, at::Tensor> sums(const at::Tensor& x, Work work) {
  const int64_t rows = rowsOf(x), channels = channelsOf(x), block = blockRows(channels);
  const int64_t blocks = (rows + block - 1) / block, parts = std::min<int64_t>(32, blocks);
  std::vector<double> all(static_cast<size_t>(2 * parts * channels), 0.0);
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    auto add = work();
    std::vector<float> near(static_cast<size_t>(2 * channels), 0.0f);
    for (int64_t part = begin; part < end; part++)
      for (int64_t i = part * blocks / parts; i < (part + 1) * blocks / parts; i++) {
        add(i * block, std::min(block, rows - i * block), near.data(), near.data() + channels);
        addUp(2 * channels, near.data(), all.data() + 2 * part * channels);
      }
  });
  at::Tensor first = at::empty({channels}, at::kFloat), second = at::empty({channels}, at::kFloat);
  float *a = first.data_ptr<float>(), *b = second.data_ptr<float>();
  for (int64_t c = 0; c < channels; c++) {
    double s = 0, t = 0;
    for (int64_t part = 0; part < parts; part++) {
      s += all[2 * part * channels + c];
      t += all[(2 * part + 1) * channels + c];
    }
    a[c] = static_cast<float>(s);
    b[c] = static_cast<float>(t);
  }
  return {first, second};
}

}  // namespace

bool fits(const at::Tensor& x) {
  return ownKernels && x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) && x.is_contiguous() && x.numel() > 0;
}

Moments moments(const at::Tensor& x) {
  const int64_t channels = channelsOf(x);
  // deviations from some value nearby: sums of squares then lose nothing to a mean far from zero
  std::vector<float> centre(static_cast<size_t>(channels));
  std::copy_n(Input(x).at(0, channels), channels, centre.begin());
  auto [sum, squares] = sums(x, [&] {
    return [&, input = Input(x)](int64_t first, int64_t rows, float* s, float* q) mutable {
      addMoments({rows, channels}, input.at(first * channels, rows * channels), centre.data(), s, q);
    };
  });
  float *mean = sum.data_ptr<float>(), *variance = squares.data_ptr<float>();
  const double count = static_cast<double>(rowsOf(x));
  for (int64_t c = 0; c < channels; c++) {
    const double offset = mean[c] / count;
    variance[c] = static_cast<float>(std::max(0.0, variance[c] / count - offset * offset));
    mean[c] = static_cast<float>(centre[static_cast<size_t>(c)] + offset);
  }
  return {sum, squares};
}

at::Tensor affine(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& shift, const at::Tensor& other, bool relu) {
  at::Tensor y = at::empty_like(x);
  const int64_t channels = channelsOf(x);
  const float *a = scale.const_data_ptr<float>(), *b = shift.const_data_ptr<float>();
  eachBlock(x, [&] {
    return [&, input = Input(x), added = Input(other.defined() ? other : x), output = Output(y)](int64_t first, int64_t rows) mutable {
      const Block block{rows, channels};
      const int64_t count = rows * channels;
      const float* from = input.at(first * channels, count);
      float* to = output.at(first * channels, count);
      if (other.defined())
        (relu ? applyAffineAddRelu : applyAffineAdd)(block, from, added.at(first * channels, count), a, b, to);
      else
        (relu ? applyAffineRelu : applyAffine)(block, from, a, b, to);
      output.done(count);
    };
  });
  return y;
}

at::Tensor masked(const at::Tensor& a, const at::Tensor& b, const at::Tensor& y) {
  at::Tensor d = at::empty_like(y);
  const int64_t channels = channelsOf(y);
  eachBlock(y, [&] {
    return [&, one = Input(a), two = Input(b.defined() ? b : a), mask = Input(y), output = Output(d)](int64_t first, int64_t rows) mutable {
      const int64_t count = rows * channels, at = first * channels;
      float* to = output.at(at, count);
      if (b.defined())
        applySumMask(count, one.at(at, count), two.at(at, count), mask.at(at, count), to);
      else
        applyMask(count, one.at(at, count), mask.at(at, count), to);
      output.done(count);
    };
  });
  return d;
}

GradientSums gradientSums(const NormGradient& norm) {
  const int64_t channels = channelsOf(norm.x);
  const float *mean = norm.mean.const_data_ptr<float>(), *scale = norm.scale.const_data_ptr<float>(),
              *shift = norm.shift.const_data_ptr<float>();
  auto [gradient, product] = sums(norm.x, [&] {
    return [&, dy = Input(norm.dy), x = Input(norm.x)](int64_t first, int64_t rows, float* s, float* p) mutable {
      const Block block{rows, channels};
      const float *d = dy.at(first * channels, rows * channels), *v = x.at(first * channels, rows * channels);
      if (norm.relu)
        addGradientsRelu(block, d, v, mean, scale, shift, s, p);
      else
        addGradients(block, d, v, mean, s, p);
    };
  });
  return {gradient, product};
}

at::Tensor gradient(const NormGradient& norm, const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
  at::Tensor dx = at::empty_like(norm.x);
  const int64_t channels = channelsOf(norm.x);
  const float *mean = norm.mean.const_data_ptr<float>(), *scale = norm.scale.const_data_ptr<float>(),
              *shift = norm.shift.const_data_ptr<float>();
  const float *p = a.const_data_ptr<float>(), *q = b.const_data_ptr<float>(), *r = c.const_data_ptr<float>();
  eachBlock(norm.x, [&] {
    return [&, dy = Input(norm.dy), x = Input(norm.x), output = Output(dx)](int64_t first, int64_t rows) mutable {
      const Block block{rows, channels};
      const int64_t count = rows * channels;
      const float *d = dy.at(first * channels, count), *v = x.at(first * channels, count);
      float* to = output.at(first * channels, count);
      if (norm.relu)
        applyGradientRelu(block, d, v, mean, scale, shift, p, q, r, to);
      else
        applyGradient(block, d, v, mean, p, q, r, to);
      output.done(count);
    };
  });
  return dx;
}

}  // namespace bulwark::rows
