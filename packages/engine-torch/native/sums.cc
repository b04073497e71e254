// Sums over the ranks that train together, for JavaScript: begun in buckets, waited for on the device.

#include <ATen/ops/cat.h>

#include "call.h"
#include "cuda-driver.h"
#include "reducer.h"

namespace bulwark {

namespace {

/** A GPU among all of the world, or nothing. */
std::string gpuOf(const at::Device& device) {
  if (!device.is_cuda()) return "";
  const CudaDriver& driver = CudaDriver::get();
  int number = 0;
  char uuid[16];
  CudaDriver::check(driver.getDevice(&number, device.index()), "a device");
  CudaDriver::check(driver.getUuid(uuid, number), "to tell a device's name");
  std::string text;
  for (const char each : uuid) text += "0123456789abcdef"[(each >> 4) & 15], text += "0123456789abcdef"[each & 15];
  return text;
}

/** ncclFacts() -> [version or nothing, the GPU's number among all, or nothing] */
napi_value ncclFacts(Call& call) {
  const Nccl* nccl = call.engine.device.is_cuda() ? Nccl::find() : nullptr;
  return call.result({call.result(std::string_view(nccl ? nccl->version() : "")), call.result(std::string_view(gpuOf(call.engine.device)))});
}

/** ncclId() -> the bytes that ranks which sum together have in common, made by one of them */
napi_value ncclId(Call& call) {
  const Nccl* nccl = Nccl::find();
  if (!nccl) throw std::runtime_error("this PyTorch has no NCCL");
  Nccl::Id id;
  nccl->check(nccl->getUniqueId(&id), "make an id");
  std::vector<double> bytes;
  for (const char each : id.bytes) bytes.push_back(static_cast<unsigned char>(each));
  return call.resultNumbers(bytes);
}

/** openSums(id's bytes or none for a process alone, rank, size, seconds) -> 1, or 0 where the others do not come in time */
napi_value openSums(Call& call) {
  const std::vector<int64_t> bytes = call.integers(0);
  call.engine.reducer = nullptr;
  if (bytes.empty()) {
    call.engine.reducer = lonelyReducer();
  } else {
    Nccl::Id id;
    if (bytes.size() != sizeof id.bytes) throw std::invalid_argument("an id of NCCL has " + std::to_string(sizeof id.bytes) + " bytes");
    for (size_t i = 0; i < bytes.size(); i++) id.bytes[i] = static_cast<char>(bytes[i]);
    const RankPlace place{static_cast<int>(call.integer(1)), static_cast<int>(call.integer(2)), call.number(3)};
    call.engine.reducer = ncclReducer(call.engine.device, id, place);
  }
  return call.result(call.engine.reducer ? 1.0 : 0.0);
}

/** startSum(float32 tensors) -> sum */
napi_value startSum(Call& call) {
  if (!call.engine.reducer) throw std::logic_error("no sums are open");
  RunningSum running;
  std::vector<at::Tensor> flat;
  for (const at::Tensor& each : call.tensors(0)) {
    if (each.scalar_type() != at::kFloat) throw std::invalid_argument("float32 is summed, not " + describe(each));
    running.shapes.push_back(each.sizes().vec());
    flat.push_back(each.reshape({-1}));
  }
  running.bucket = at::cat(flat);
  running.sum = call.engine.reducer->start(running.bucket);
  return call.result(call.engine.sums.add(std::move(running)));
}

/** finishSum(sum) -> tensors; the device waits for them, the host does not */
napi_value finishSum(Call& call) {
  const RunningSum running = call.engine.sums.take(call.handle(0));
  running.sum->wait();
  std::vector<napi_value> found;
  int64_t from = 0;
  for (const auto& shape : running.shapes) {
    int64_t size = 1;
    for (int64_t n : shape) size *= n;
    found.push_back(call.result(running.bucket.narrow(0, from, size).view(shape)));
    from += size;
  }
  return call.result(found);
}

/** sumsFailure() -> why sums did not come out, or nothing */
napi_value sumsFailure(Call& call) {
  return call.result(std::string_view(call.engine.reducer ? call.engine.reducer->failure() : ""));
}

/** closeSums(): all ranks do. */
napi_value closeSums(Call& call) {
  if (call.engine.reducer) call.engine.reducer->close();
  call.engine.reducer = nullptr;
  return call.none();
}

}  // namespace

void provideSums(napi_env env, napi_value exports) {
  provide(env, exports,
          {{"ncclFacts", ncclFacts},
           {"ncclId", ncclId},
           {"openSums", openSums},
           {"startSum", startSum},
           {"finishSum", finishSum},
           {"sumsFailure", sumsFailure},
           {"closeSums", closeSums}});
}

}  // namespace bulwark
