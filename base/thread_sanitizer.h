#ifndef LETHE_BASE_THREAD_SANITIZER_H_
#define LETHE_BASE_THREAD_SANITIZER_H_

// Whether this program runs under ThreadSanitizer, whose runtime is then part of it. It takes a
// process that shares our memory for no thread of ours, and maps memory while our code runs.

namespace lethe {

extern "C" [[gnu::weak]] void __tsan_init();

inline bool ThreadSanitizerIsHere() { return &__tsan_init != nullptr; }

}  // namespace lethe

#endif  // LETHE_BASE_THREAD_SANITIZER_H_
