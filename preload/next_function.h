#ifndef LETHE_PRELOAD_NEXT_FUNCTION_H_
#define LETHE_PRELOAD_NEXT_FUNCTION_H_

#include <dlfcn.h>

#include <atomic>

#include "base/check.h"

namespace lethe::preload {

// The function of this name that the client would have called without us: the C library's. Looked
// up at the first call, which may come before any constructor has run. Needs no construction
// itself, and may be used from any thread.
template <typename Function>
class NextFunction {
 public:
  constexpr explicit NextFunction(const char* name) : name_(name) {}

  template <typename... Arguments>
  auto operator()(Arguments... arguments) {
    return Find()(arguments...);
  }

 private:
  Function* Find() {
    Function* function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name_));
      LETHE_CHECK(function != nullptr);
      function_.store(function, std::memory_order_relaxed);
    }
    return function;
  }

  const char* const name_;
  std::atomic<Function*> function_{nullptr};
};

}  // namespace lethe::preload

#endif  // LETHE_PRELOAD_NEXT_FUNCTION_H_
