#ifndef LETHE_PV_REAPER_RAW_TASK_H_
#define LETHE_PV_REAPER_RAW_TASK_H_

#include <sys/syscall.h>

#include <cstdint>

namespace lethe {

using TaskEntry = void (*)(void*);  // never returns

// clone(2) with a new stack, without the C library: the child runs entry(argument) on the stack
// that ends at `stack_top` (aligned to 16 bytes). Its id in the caller, or a negated errno value;
// with CLONE_PIDFD a descriptor for it is stored in `*pidfd`. The child has the thread pointer of
// the caller.
inline long CloneTask(unsigned long flags, void* stack_top, TaskEntry entry, void* argument,
                      int* pidfd) {
#if defined(__x86_64__)
  auto* stack = static_cast<std::uintptr_t*>(stack_top) - 2;
  stack[0] = reinterpret_cast<std::uintptr_t>(entry);
  stack[1] = reinterpret_cast<std::uintptr_t>(argument);
  long result;
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "pop %%rax\n\t"
      "pop %%rdi\n\t"
      "call *%%rax\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(static_cast<long>(SYS_clone)), "D"(flags), "S"(stack), "d"(pidfd), "r"(r10), "r"(r8)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__s390x__)
  // The system call takes the stack first; below a caller's frame lies a register save area.
  constexpr int kSaveArea = 160 / sizeof(std::uintptr_t);
  auto* stack = static_cast<std::uintptr_t*>(stack_top) - kSaveArea - 2;
  stack[0] = 0;  // the end of the back chain
  stack[kSaveArea] = reinterpret_cast<std::uintptr_t>(entry);
  stack[kSaveArea + 1] = reinterpret_cast<std::uintptr_t>(argument);
  register long r1 __asm__("1") = SYS_clone;
  register long r2 __asm__("2") = reinterpret_cast<long>(stack);
  register long r3 __asm__("3") = static_cast<long>(flags);
  register long r4 __asm__("4") = reinterpret_cast<long>(pidfd);
  register long r5 __asm__("5") = 0;
  register long r6 __asm__("6") = 0;
  __asm__ volatile(
      "svc 0\n\t"
      "ltgr %%r2, %%r2\n\t"
      "jnz 1f\n\t"
      "lg %%r1, 160(%%r15)\n\t"
      "lg %%r2, 168(%%r15)\n\t"
      "basr %%r14, %%r1\n\t"
      "j .+2\n"  // not reached; an invalid operation
      "1:"
      : "+d"(r2)
      : "d"(r1), "d"(r3), "d"(r4), "d"(r5), "d"(r6)
      : "cc", "memory", "14");
  return r2;
#else
#error "Lethe runs on x86-64 and s390x"
#endif
}

}  // namespace lethe

#endif  // LETHE_PV_REAPER_RAW_TASK_H_
