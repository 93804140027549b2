#ifndef LETHE_PV_REAPER_HELPER_H_
#define LETHE_PV_REAPER_HELPER_H_

namespace lethe {

// The entry of the helper: `block` is its HelperBlock. Never returns.
//
// The helper shares the memory of the VMM, so everything reachable from here obeys: no C library
// but for inline functions (errno and locks belong to threads that may have been killed at any
// instruction), no allocation, no thread-local storage, no sanitizer. All of it is in one static
// library of its own, whose undefined symbols a test checks.
void HelperMain(void* block);

}  // namespace lethe

#endif  // LETHE_PV_REAPER_HELPER_H_
