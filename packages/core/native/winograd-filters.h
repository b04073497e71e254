#pragma once
// Filters: to the products' matrices, mirrored for gradients, and from sums back to taps.

#include "winograd-axes.h"

namespace bulwark::winograd {

namespace {

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

}  // namespace

}  // namespace bulwark::winograd
