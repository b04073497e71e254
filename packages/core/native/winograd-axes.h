#pragma once
// One axis of each of Winograd's transforms, 16 channels side by side; the steps between the elements are those of what is transformed.

#include "processor.h"
#include "winograd.h"

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

}  // namespace

}  // namespace bulwark::winograd
