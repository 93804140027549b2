#ifndef LETHE_TESTS_FAULT_FOOTPRINT_H_
#define LETHE_TESTS_FAULT_FOOTPRINT_H_

#include <string>

namespace lethe::fault {

// What this process holds that a guest's life may leave behind.
struct Footprint {
  unsigned descriptors = 0;
  unsigned threads = 0;
  // Shared ones: guest memory that is a file, its aliases, run structures, rings. (What an
  // allocator maps is private.)
  unsigned mappings = 0;

  static Footprint Take();

  // Waits a moment for threads that have been joined and are still on the kernel's list, then says
  // what there is more than in `before`; empty: nothing.
  static std::string LeftSince(const Footprint& before);
};

}  // namespace lethe::fault

#endif  // LETHE_TESTS_FAULT_FOOTPRINT_H_
