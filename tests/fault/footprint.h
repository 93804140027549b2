#ifndef LETHE_TESTS_FAULT_FOOTPRINT_H_
#define LETHE_TESTS_FAULT_FOOTPRINT_H_

#include <cstdint>
#include <string>

namespace lethe::fault {

// What this process holds that a guest's life may leave behind.
struct Footprint {
  unsigned descriptors = 0;
  unsigned threads = 0;
  // Shared or large mappings: guest memory and its aliases, run structures, rings. (What an
  // allocator maps is neither.)
  unsigned mappings = 0;

  static Footprint Take();

  // Waits a moment for threads that have been joined and are still on the kernel's list, then says
  // what there is more than in `before`; empty: nothing.
  static std::string LeftSince(const Footprint& before);
};

}  // namespace lethe::fault

#endif  // LETHE_TESTS_FAULT_FOOTPRINT_H_
