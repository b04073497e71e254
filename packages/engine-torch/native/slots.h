#pragma once
// What JavaScript holds of native objects: numbers. They are freed explicitly, by their owner in JavaScript, never by its garbage
// collector, which knows nothing of a GPU's memory.

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bulwark {

using Handle = uint32_t;

/** A table of objects. A handle is a place and the number of its tenant, so that one that was freed is refused, not misread. */
template <typename T>
class Slots {
 public:
  Handle add(T value) {
    size_t place = slots_.size();
    if (free_.empty()) {
      if (place > placeMask) throw std::runtime_error("too many objects are held at once");
      slots_.emplace_back();
    } else {
      place = free_.back();
      free_.pop_back();
    }
    slots_[place].value.emplace(std::move(value));
    return static_cast<Handle>(place) | (slots_[place].tenant << placeBits);
  }

  T& at(Handle handle) {
    const size_t place = handle & placeMask;
    if (place >= slots_.size() || !slots_[place].value || slots_[place].tenant != handle >> placeBits)
      throw std::runtime_error("handle " + std::to_string(handle) + " was freed or never given out");
    return *slots_[place].value;
  }

  /** Frees a handle and hands over its object. */
  T take(Handle handle) {
    T value = std::move(at(handle));
    Slot& slot = slots_[handle & placeMask];
    slot.value.reset();
    slot.tenant = (slot.tenant + 1) & tenantMask;
    free_.push_back(handle & placeMask);
    return value;
  }

  template <typename Visit>
  void each(Visit visit) {
    for (Slot& slot : slots_)
      if (slot.value) visit(*slot.value);
  }

  size_t live() const { return slots_.size() - free_.size(); }

 private:
  // 31 bits in all: V8 keeps such numbers without allocating
  static constexpr uint32_t placeBits = 21, placeMask = (1u << placeBits) - 1, tenantMask = (1u << 10) - 1;
  struct Slot {
    std::optional<T> value;
    uint32_t tenant = 0;
  };
  std::vector<Slot> slots_;
  std::vector<size_t> free_;
};

}  // namespace bulwark
