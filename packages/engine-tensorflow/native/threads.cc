#include "threads.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace bulwark {

namespace {

/** What one call of `run` wants done. It lies on the caller's stack, and the caller leaves when no helper is at it any more. */
struct Job {
  const int64_t items;
  const std::function<void(int64_t)>& work;
  std::atomic<int64_t> next{0};
  int64_t helpers = 0;        // under the pool's lock, as is the next
  std::exception_ptr failed;  // the first failure

  bool open() const { return next.load(std::memory_order_relaxed) < items; }
};

class Pool {
 public:
  void use(int64_t count) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (limit_ == 0) limit_ = std::max<int64_t>(1, count);
  }

  int64_t limit() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::max<int64_t>(1, limit_);
  }

  void run(int64_t items, const std::function<void(int64_t)>& work) {
    Job job{items, work};
    std::unique_lock<std::mutex> lock(mutex_);
    start();
    jobs_.push_back(&job);
    working_++;
    const auto wanted = std::min(items - 1, limit_ - working_);
    lock.unlock();
    for (int64_t i = 0; i < wanted; i++) wake_.notify_one();
    finish(job);
    lock.lock();
    jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
    left_.wait(lock, [&] { return job.helpers == 0; });
    working_--;
    const bool others = nextJob() != nullptr;
    lock.unlock();
    if (others) wake_.notify_one();
    if (job.failed) std::rethrow_exception(job.failed);
  }

 private:
  /** Helpers, where there are none yet. They are never joined: they sleep until the process ends. */
  void start() {
    while (started_ < limit_ - 1) {
      try {
        std::thread([this] { help(); }).detach();
      } catch (const std::exception&) {
        limit_ = started_ + 1;  // the system gives no more
        return;
      }
      started_++;
    }
  }

  Job* nextJob() {
    const auto found = std::find_if(jobs_.begin(), jobs_.end(), [](const Job* job) { return job->open(); });
    return found == jobs_.end() ? nullptr : *found;
  }

  /** Makes what is left to be made. */
  void finish(Job& job) {
    for (int64_t item; (item = job.next.fetch_add(1, std::memory_order_relaxed)) < job.items;) {
      try {
        job.work(item);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!job.failed) job.failed = std::current_exception();
        job.next.store(job.items, std::memory_order_relaxed);
      }
    }
  }

  [[noreturn]] void help() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      Job* job = nullptr;
      wake_.wait(lock, [&] { return working_ < limit_ && (job = nextJob()) != nullptr; });
      job->helpers++;
      working_++;
      lock.unlock();
      finish(*job);
      lock.lock();
      working_--;
      if (--job->helpers == 0) left_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, left_;
  std::vector<Job*> jobs_;
  int64_t limit_ = 0, started_ = 0, working_ = 0;  // threads at work, callers among them
};

/** It outlives static destructors, as its threads do. */
Pool& pool() {
  static Pool* const only = new Pool;
  return *only;
}

}  // namespace

void useThreads(int64_t count) { pool().use(count); }

const winograd::Threads& threads() {
  static const auto* const only = new winograd::Threads{
      pool().limit(), [](int64_t items, const std::function<void(int64_t)>& work) {
        if (items == 1) return work(0);
        if (items > 1) pool().run(items, work);
      }};
  return *only;
}

}  // namespace bulwark
