#pragma once
// The 36 products: factors [tiles, in] times a filter [in, out], which lies as [out / 16][in][16]; and sums over tiles.

#include "winograd-axes.h"

namespace bulwark::winograd {

namespace {

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

}  // namespace

}  // namespace bulwark::winograd
