// Collectives of MPI for JavaScript. All are non-blocking ones that are asked for until they are done or the time is up; then the caller gets
// `false` and must end the process: a request that is late keeps its memory for good.

#include <dlfcn.h>
#include <mpi.h>
#include <node_api.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Late {};

int ranks = 1;
int ownRank = 0;

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw std::runtime_error(std::string(what) + ": " + std::string(text, length));
}

/** Set once the process was asked to end: then a fellow may have been killed, for whom nobody should wait long. */
volatile std::sig_atomic_t asked = 0;
struct sigaction listener;

void onTerm(int signal, siginfo_t* info, void* context) {
  asked = 1;
  if (listener.sa_flags & SA_SIGINFO) listener.sa_sigaction(signal, info, context);
  else if (listener.sa_handler != SIG_DFL && listener.sa_handler != SIG_IGN) listener.sa_handler(signal);
}

/** Hears SIGTERM before the one who listens to it by now, if there is one; while a collective waits, JavaScript hears nothing. */
void overhear() {
  struct sigaction now;
  if (sigaction(SIGTERM, nullptr, &now) != 0 || now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) return;
  if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == onTerm) return;
  listener = now;
  struct sigaction ours = now;
  ours.sa_flags |= SA_SIGINFO;
  ours.sa_sigaction = onTerm;
  sigaction(SIGTERM, &ours, nullptr);
}

/** The longest that others were waited for. */
Clock::duration longest{};

/** Waits for a request. @throws Late */
void finish(MPI_Request& request, Clock::time_point deadline) {
  overhear();
  const auto began = Clock::now();
  for (int tested = 0;; tested++) {
    int done = 0;
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done) {
      longest = std::max(longest, Clock::now() - began);
      return;
    }
    if (tested % 64 == 63) {
      const auto now = Clock::now();
      const auto patience = std::max<Clock::duration>(std::chrono::seconds(10), 3 * longest);
      if (now > deadline || (asked && now > began + patience)) throw Late{};
    }
    // at first in a hurry, then leaving the core to others
    if (tested < 2000) sched_yield();
    else usleep(50);
  }
}

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/** Memory that outlives a call, since a late request may still write into it. */
template <class T>
T* scratch(size_t count) {
  static std::vector<T> memory;
  if (memory.size() < count) memory.resize(count);
  return memory.data();
}

/** Adds up `ranks` rows of `count` floats in the order of ranks. */
void sumRows(const float* rows, size_t count, float* sum) {
  std::memcpy(sum, rows, count * sizeof(float));
  for (int rank = 1; rank < ranks; rank++) {
    const float* row = rows + rank * count;
    for (size_t i = 0; i < count; i++) sum[i] += row[i];
  }
}

/** Few numbers: everybody gets everything, in one round. */
void reduceSmall(float* values, size_t count, Clock::time_point deadline) {
  float* rows = scratch<float>(count * ranks);
  MPI_Request request;
  check(MPI_Iallgather(values, count, MPI_FLOAT, rows, count, MPI_FLOAT, MPI_COMM_WORLD, &request), "MPI_Iallgather");
  finish(request, deadline);
  sumRows(rows, count, values);
}

/** Many: each rank adds up its share of the numbers, then all get the sums; 2 (n - 1) / n of them are sent and received. */
void reduceLarge(float* values, size_t count, Clock::time_point deadline) {
  const size_t share = (count + ranks - 1) / ranks;
  std::vector<int> counts(ranks), offsets(ranks), rowCounts(ranks), rowOffsets(ranks);
  for (int rank = 0; rank < ranks; rank++) {
    offsets[rank] = static_cast<int>(std::min(count, share * rank));
    counts[rank] = static_cast<int>(std::min(count, share * (rank + 1))) - offsets[rank];
  }
  const int own = counts[ownRank];
  for (int rank = 0; rank < ranks; rank++) {
    rowCounts[rank] = own;
    rowOffsets[rank] = own * rank;
  }
  float* rows = scratch<float>(static_cast<size_t>(own) * (ranks + 1));
  float* sum = rows + static_cast<size_t>(own) * ranks;
  MPI_Request request;
  check(MPI_Ialltoallv(values, counts.data(), offsets.data(), MPI_FLOAT, rows, rowCounts.data(), rowOffsets.data(), MPI_FLOAT,
                       MPI_COMM_WORLD, &request),
        "MPI_Ialltoallv");
  finish(request, deadline);
  sumRows(rows, own, sum);
  check(MPI_Iallgatherv(sum, own, MPI_FLOAT, values, counts.data(), offsets.data(), MPI_FLOAT, MPI_COMM_WORLD, &request),
        "MPI_Iallgatherv");
  finish(request, deadline);
}

// ---- JavaScript

struct Call {
  napi_env env;
  napi_value arguments[3];

  Call(napi_env env, napi_callback_info info) : env(env) {
    size_t count = 3;
    napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  }

  double number(size_t i) const {
    double value = 0;
    napi_get_value_double(env, arguments[i], &value);
    return value;
  }

  /** Memory of a typed array; kept from the collector for good where a request may be late. */
  template <class T>
  std::pair<T*, size_t> array(size_t i) const {
    napi_typedarray_type type;
    size_t length = 0, offset = 0;
    void* data = nullptr;
    napi_value buffer;
    if (napi_get_typedarray_info(env, arguments[i], &type, &length, &data, &buffer, &offset) != napi_ok)
      throw std::runtime_error("a typed array is needed");
    return {static_cast<T*>(data), length};
  }

  void keep(size_t i) const {
    napi_ref reference;
    napi_create_reference(env, arguments[i], 1, &reference);
  }

  napi_value boolean(bool value) const {
    napi_value result;
    napi_get_boolean(env, value, &result);
    return result;
  }

  napi_value floats(const float* values, size_t count) const {
    void* data = nullptr;
    napi_value buffer, result;
    napi_create_arraybuffer(env, count * sizeof(float), &data, &buffer);
    if (count > 0) std::memcpy(data, values, count * sizeof(float));
    napi_create_typedarray(env, napi_float32_array, count, buffer, 0, &result);
    return result;
  }
};

template <class Work>
napi_value guarded(const Call& call, Work work) {
  try {
    return work();
  } catch (const Late&) {
    return call.boolean(false);
  } catch (const std::exception& error) {
    napi_throw_error(call.env, "MPI", error.what());
    return nullptr;
  }
}

/** start(seconds): MPI_Init knows no limit, so that a thread ends the process where it does not return. -> [rank, size, library] */
napi_value start(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return guarded(call, [&] {
    // components of Open MPI look for its symbols among the global ones, but addons are loaded with local ones
    Dl_info library;
    if (dladdr(reinterpret_cast<void*>(&MPI_Init_thread), &library)) dlopen(library.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
    static std::atomic<bool> started{false};
    std::thread([deadline = after(call.number(0))] {
      while (!started && Clock::now() < deadline) usleep(100000);
      if (started) return;
      const char text[] = "error the other processes have not started: MPI_Init does not return\n";
      if (write(2, text, sizeof text - 1)) {}
      _exit(1);
    }).detach();
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    started = true;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &ownRank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(text, &length);
    napi_value result, rank, size, name;
    napi_create_array(env, &result);
    napi_create_int32(env, ownRank, &rank);
    napi_create_int32(env, ranks, &size);
    napi_create_string_utf8(env, text, std::strlen(text), &name);
    napi_set_element(env, result, 0, rank);
    napi_set_element(env, result, 1, size);
    napi_set_element(env, result, 2, name);
    return result;
  });
}

/** allReduce(Float32Array, seconds) -> in time? */
napi_value allReduce(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return guarded(call, [&] {
    auto [values, count] = call.array<float>(0);
    if (count == 0) return call.boolean(true);
    if (count >= (size_t{1} << 31)) throw std::runtime_error("at most 2^31 numbers can be summed at once");
    try {
      (count < 8192 ? reduceSmall : reduceLarge)(values, count, after(call.number(1)));
    } catch (const Late&) {
      call.keep(0);
      throw;
    }
    return call.boolean(true);
  });
}

/** allGather(Float32Array, seconds) -> array of Float32Array, or false */
napi_value allGather(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return guarded(call, [&] {
    auto [values, count] = call.array<float>(0);
    const auto deadline = after(call.number(1));
    int* counts = scratch<int>(2 * ranks + 1);
    int* offsets = counts + ranks;
    counts[2 * ranks] = static_cast<int>(count);
    MPI_Request request;
    check(MPI_Iallgather(&counts[2 * ranks], 1, MPI_INT, counts, 1, MPI_INT, MPI_COMM_WORLD, &request), "MPI_Iallgather");
    finish(request, deadline);
    size_t total = 0;
    for (int rank = 0; rank < ranks; rank++) {
      offsets[rank] = static_cast<int>(total);
      total += counts[rank];
    }
    float* rows = scratch<float>(total + 1);
    check(MPI_Iallgatherv(values, static_cast<int>(count), MPI_FLOAT, rows, counts, offsets, MPI_FLOAT, MPI_COMM_WORLD, &request),
          "MPI_Iallgatherv");
    try {
      finish(request, deadline);
    } catch (const Late&) {
      call.keep(0);
      throw;
    }
    napi_value result;
    napi_create_array_with_length(env, ranks, &result);
    for (int rank = 0; rank < ranks; rank++) napi_set_element(env, result, rank, call.floats(rows + offsets[rank], counts[rank]));
    return result;
  });
}

/** broadcast(Uint8Array, seconds) -> in time? Rank 0's. */
napi_value broadcast(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return guarded(call, [&] {
    auto [bytes, count] = call.array<uint8_t>(0);
    const size_t most = size_t{1} << 30;
    try {
      for (size_t from = 0; from < count; from += most) {
        MPI_Request request;
        const int part = static_cast<int>(std::min(most, count - from));
        check(MPI_Ibcast(bytes + from, part, MPI_BYTE, 0, MPI_COMM_WORLD, &request), "MPI_Ibcast");
        finish(request, after(call.number(1)));
      }
    } catch (const Late&) {
      call.keep(0);
      throw;
    }
    return call.boolean(true);
  });
}

/** barrier(seconds) -> in time? */
napi_value barrier(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return guarded(call, [&] {
    MPI_Request request;
    check(MPI_Ibarrier(MPI_COMM_WORLD, &request), "MPI_Ibarrier");
    finish(request, after(call.number(0)));
    return call.boolean(true);
  });
}

/** missing(seconds) -> the ranks that do not call this, too, in that time */
napi_value missing(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return guarded(call, [&] {
    const int tag = 77;
    const auto deadline = after(call.number(0));
    static int mine = ownRank;
    int* theirs = scratch<int>(ranks);
    std::vector<MPI_Request> sent(ranks, MPI_REQUEST_NULL), heard(ranks, MPI_REQUEST_NULL);
    for (int rank = 0; rank < ranks; rank++) {
      if (rank == ownRank) continue;
      MPI_Isend(&mine, 1, MPI_INT, rank, tag, MPI_COMM_WORLD, &sent[rank]);
      MPI_Irecv(&theirs[rank], 1, MPI_INT, rank, tag, MPI_COMM_WORLD, &heard[rank]);
    }
    for (int all = 0; !all && Clock::now() < deadline; usleep(1000)) MPI_Testall(ranks, heard.data(), &all, MPI_STATUSES_IGNORE);
    napi_value result;
    napi_create_array(env, &result);
    uint32_t at = 0;
    for (int rank = 0; rank < ranks; rank++) {
      int done = 1;
      if (heard[rank] != MPI_REQUEST_NULL) MPI_Test(&heard[rank], &done, MPI_STATUS_IGNORE);
      if (done) continue;
      napi_value number;
      napi_create_int32(env, rank, &number);
      napi_set_element(env, result, at++, number);
    }
    return result;
  });
}

/** abort(code): ends all processes. */
napi_value abortAll(napi_env env, napi_callback_info info) {
  Call call(env, info);
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(call.number(0)));
  return nullptr;
}

/** stop(): leaves MPI, together. */
napi_value stop(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return guarded(call, [&] {
    check(MPI_Finalize(), "MPI_Finalize");
    return call.boolean(true);
  });
}

}  // namespace

extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const std::pair<const char*, napi_callback> functions[] = {
      {"start", start},     {"allReduce", allReduce}, {"allGather", allGather}, {"broadcast", broadcast},
      {"barrier", barrier}, {"missing", missing},     {"abort", abortAll},      {"stop", stop},
  };
  for (const auto& [name, function] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
