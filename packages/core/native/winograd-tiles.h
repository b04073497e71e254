#pragma once
// Images and gradients in tiles: from pixels to factors, from products to pixels, and the adjoint of that.

#include "winograd-axes.h"

namespace bulwark::winograd {

namespace {

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

}  // namespace

}  // namespace bulwark::winograd
