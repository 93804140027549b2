#ifndef LETHE_BASE_SYSTEM_CALL_H_
#define LETHE_BASE_SYSTEM_CALL_H_

#include <cstdint>

namespace lethe {

// A system call without the C library: the result, or a negated errno value in [-4095, -1]. Touches
// no thread-local storage, so that a process that shares the memory of another can use it.
// Linux, Documentation of the architecture's calling convention: syscall(2).
inline long SystemCall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                       long f = 0) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__s390x__)
  register long r1 __asm__("1") = number;
  register long r2 __asm__("2") = a;
  register long r3 __asm__("3") = b;
  register long r4 __asm__("4") = c;
  register long r5 __asm__("5") = d;
  register long r6 __asm__("6") = e;
  register long r7 __asm__("7") = f;
  __asm__ volatile("svc 0"
                   : "+d"(r2)
                   : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6), "d"(r7)
                   : "memory");
  return r2;
#else
#error "Lethe runs on x86-64 and s390x"
#endif
}

// For pointer arguments.
inline long Argument(const void* pointer) { return reinterpret_cast<long>(pointer); }

}  // namespace lethe

#endif  // LETHE_BASE_SYSTEM_CALL_H_
