// What the engine computes on and how.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "call.h"
#include "gpu.h"
#include "meta.h"
#include "own-kernels.h"
#include "pass.h"
#include "recording.h"
#include "tf32.h"

namespace bulwark {

namespace {

/**
 * By itself glibc gives the memory of each larger tensor back to the system when it is freed, and gets it again zeroed, page by page, for the
 * next: up to a third of a step. It keeps what tensors of up to 1 GB leave, unless the environment has settings of its own.
 */
void keepFreedMemory() {
#ifdef __GLIBC__
  for (const char* name : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES"})
    if (std::getenv(name)) return;
  if (mallopt(M_MMAP_THRESHOLD, 1 << 30) == 0) mallopt(M_MMAP_THRESHOLD, 32 << 20);  // older ones allow no more
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

/** useDevice(name): `cpu`, `cuda`, `cuda:1`, `mps`, `meta`; throws what the driver says if it cannot be used. */
napi_value useDevice(Call& call) {
  at::Device device(call.text(0));
  if (!device.is_cpu() && !device.is_meta()) {
    at::globalContext().lazyInitDevice(device.type());
    c10::impl::VirtualGuardImpl guard(device.type());
    const auto count = guard.deviceCount();
    if (!device.has_index()) device.set_index(0);
    if (device.index() >= count)
      throw std::invalid_argument(device.str() + " is not there: this machine has " + std::to_string(count) + " such devices");
    guard.setDevice(device);
  }
  if (device.is_meta()) registerShapes();
  if (device.is_cpu()) keepFreedMemory();
  call.engine.device = device;
  return call.none();
}

/** useThreads(n) */
napi_value useThreads(Call& call) {
  at::set_num_threads(static_cast<int>(call.integer(0)));
  return call.none();
}

/** useTf32(how): 0 never, which PyTorch's own default is not, 1 where a GPU has it, 2 emulated on any device */
napi_value useTf32(Call& call) {
  const int64_t how = call.integer(0);
  at::globalContext().setAllowTF32CuDNN(how == 1);
  at::globalContext().setAllowTF32CuBLAS(how == 1);
  if (tf32::emulated() != (how == 2))
    // what was made of rounded weights is of no use to others, and the other way round
    call.engine.programs.each([](const std::shared_ptr<Program>& program) {
      program->weights.clear();
      program->recordings = std::make_unique<Recordings>();
    });
  tf32::emulate(how == 2);
  return call.none();
}

/** useDeterministic(flag, may cuDNN measure its algorithms for the first shapes of a network?), which gives other bits each time. */
napi_value useDeterministic(Call& call) {
  auto& context = at::globalContext();
  const bool deterministic = call.flag(0);
  context.setDeterministicAlgorithms(deterministic, /*warn_only=*/false);
  context.setDeterministicCuDNN(deterministic);
  context.setBenchmarkCuDNN(false);
  call.engine.measures = call.flag(1) && !deterministic;
  return call.none();
}

/** useOwnKernels(flag): on processors. */
napi_value useOwnKernels(Call& call) {
  ownKernels = call.flag(0);
  return call.none();
}

/** useRecordings(how): 0 never, 1 as CUDA graphs, 2 simulated, 3 that without ways back -> whether they are to be had */
napi_value useRecordings(Call& call) {
  const auto how = static_cast<Recorded>(call.integer(0));
  const bool possible = how != Recorded::asGraph || records(call.engine.device);
  call.engine.recorded = possible ? how : Recorded::never;
  return call.result(possible ? 1.0 : 0.0);
}

/** synchronize(): waits for the device. */
napi_value synchronize(Call& call) {
  const at::Device device = call.engine.device;
  if (!device.is_cpu() && !device.is_meta()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  return call.none();
}

/** Whether this processor multiplies in bfloat16; others would convert before each product, which is slower than float32. */
bool multipliesBfloat16() {
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

/** facts() -> [torch's version, processor's instructions, threads, CUDA?, knowledge of a GPU's memory?, MPS?, bfloat16 on the processor?] */
napi_value facts(Call& call) {
  auto& context = at::globalContext();
  const auto flag = [&](bool set) { return call.result(set ? 1.0 : 0.0); };
  return call.result({call.result(std::string_view(TORCH_VERSION)), call.result(std::string_view(at::get_cpu_capability())),
                      call.result(static_cast<double>(at::get_num_threads())), flag(context.hasCUDA()), flag(gpu::seesMemory()),
                      flag(context.hasMPS()), flag(multipliesBfloat16())});
}

/** counts() -> [live tensors, passes, uploads, downloads, recorded passes] */
napi_value counts(Call& call) {
  const Engine& engine = call.engine;
  return call.resultNumbers({static_cast<double>(engine.tensors.live()), static_cast<double>(engine.passes.live()), engine.uploads, engine.downloads,
                             engine.replays});
}

/** deviceMemory() -> [bytes in use, their peak since the last call, bytes free, bytes in all]; empty where it is not known. */
napi_value deviceMemory(Call& call) { return call.resultNumbers(gpu::memory(call.engine.device)); }

/** deviceName() -> the GPU's name, or nothing. */
napi_value deviceName(Call& call) { return call.result(std::string_view(gpu::name(call.engine.device))); }

}  // namespace

void provideSettings(napi_env env, napi_value exports) {
  provide(env, exports,
          {{"useDevice", useDevice},
           {"useThreads", useThreads},
           {"useTf32", useTf32},
           {"useDeterministic", useDeterministic},
           {"useOwnKernels", useOwnKernels},
           {"useRecordings", useRecordings},
           {"synchronize", synchronize},
           {"facts", facts},
           {"counts", counts},
           {"deviceMemory", deviceMemory},
           {"deviceName", deviceName}});
}

}  // namespace bulwark
