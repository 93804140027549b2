#ifndef LETHE_BENCH_TEARDOWN_GUEST_IMAGE_H_
#define LETHE_BENCH_TEARDOWN_GUEST_IMAGE_H_

#include <cstdint>

#include "absl/types/span.h"
#include "base/file.h"

namespace lethe {

// The program of guest.S as assembled, to be at 0x10000.
absl::Span<const std::uint8_t> BenchGuestCode();

namespace bench {

// A kernel image with it: what `lethe run --kernel`, `lethe seal --kernel` and QEMU take.
Bytes GuestKernel();

}  // namespace bench
}  // namespace lethe

#endif  // LETHE_BENCH_TEARDOWN_GUEST_IMAGE_H_
