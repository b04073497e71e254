#pragma once
// NCCL, which PyTorch's libraries for CUDA bring along and have loaded. Its C interface is stable; its header is in no package of PyTorch.

#include <cstddef>
#include <string>

namespace bulwark {

struct Nccl {
  using Communicator = void*;
  struct Id {
    char bytes[128];
  };
  static constexpr int float32 = 7, sum = 0, inProgress = 7;

  /** Undefined where this PyTorch has none. */
  static const Nccl* find();
  /** @throws what NCCL says */
  void check(int result, const char* what) const;
  /** `2.27.3` */
  std::string version() const;

  int (*getVersion)(int* version);
  const char* (*errorString)(int result);
  int (*getUniqueId)(Id* id);
  int (*initRank)(Communicator* communicator, int ranks, Id id, int rank);
  int (*allReduce)(const void* from, void* to, size_t count, int type, int operation, Communicator communicator, void* stream);
  int (*asyncError)(Communicator communicator, int* result);
  int (*abort)(Communicator communicator);
  int (*destroy)(Communicator communicator);
};

}  // namespace bulwark
