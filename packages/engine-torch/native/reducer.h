#pragma once
// Sums over all ranks on a device, which goes on computing meanwhile.

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "nccl.h"

namespace bulwark {

/** A sum that is under way. */
class Sum {
 public:
  virtual ~Sum() = default;
  /** What the device is given from now on waits for it; the host does not. */
  virtual void wait() = 0;
};

/** A sum of tensors that were laid end to end. */
struct RunningSum {
  at::Tensor bucket;
  std::vector<std::vector<int64_t>> shapes;
  std::unique_ptr<Sum> sum;
};

class Reducer {
 public:
  virtual ~Reducer() = default;
  /** Sums a tensor without holes in place, once the device has computed it. */
  virtual std::unique_ptr<Sum> start(const at::Tensor& tensor) = 0;
  /** Why sums that were begun did not come out, or nothing. */
  virtual std::string failure() { return ""; }
  /** Leaves the others, who do the same. */
  virtual void close() {}
};

/** Where a process stands among those that sum together. */
struct RankPlace {
  int rank;
  int size;
  /** How long a rank may keep the others waiting. */
  double seconds;
};

/** Over NCCL; undefined where the other ranks do not come in time. @throws what NCCL says */
std::unique_ptr<Reducer> ncclReducer(const at::Device& device, const Nccl::Id& id, const RankPlace& place);

/** Of a process that is alone, on any device: all is the same but the sum itself. */
std::unique_ptr<Reducer> lonelyReducer();

}  // namespace bulwark
