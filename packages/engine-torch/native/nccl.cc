#include "nccl.h"

#include <optional>

#include "cuda-driver.h"

namespace bulwark {

const Nccl* Nccl::find() {
  static const std::optional<Nccl> nccl = []() -> std::optional<Nccl> {
    void* library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_NOLOAD);
    if (!library) return std::nullopt;
    Nccl found{};
    loadFunction(library, "ncclGetVersion", found.getVersion);
    loadFunction(library, "ncclGetErrorString", found.errorString);
    loadFunction(library, "ncclGetUniqueId", found.getUniqueId);
    loadFunction(library, "ncclCommInitRank", found.initRank);
    loadFunction(library, "ncclAllReduce", found.allReduce);
    loadFunction(library, "ncclCommGetAsyncError", found.asyncError);
    loadFunction(library, "ncclCommAbort", found.abort);
    loadFunction(library, "ncclCommDestroy", found.destroy);
    return found;
  }();
  return nccl ? &*nccl : nullptr;
}

void Nccl::check(int result, const char* what) const {
  if (result != 0) throw std::runtime_error(std::string("NCCL could not ") + what + ": " + errorString(result));
}

std::string Nccl::version() const {
  int number = 0;
  check(getVersion(&number), "tell its version");
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

}  // namespace bulwark
