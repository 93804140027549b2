#ifndef LETHE_BASE_CHECK_H_
#define LETHE_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>

// For bugs of ours only: never reachable from guest bytes, files or clients.
#define LETHE_CHECK(condition)                                                         \
  do {                                                                                 \
    if (!(condition)) [[unlikely]] {                                                   \
      std::fprintf(stderr, "lethe: bug: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                    \
    }                                                                                  \
  } while (false)

#endif  // LETHE_BASE_CHECK_H_
