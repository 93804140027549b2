#include "tests/conformance/shared_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "base/check.h"
#include "base/unique_fd.h"

namespace lethe::conformance {

SharedMemory::SharedMemory(std::size_t size) : size_(size) {
  constexpr std::size_t kSegment = 1 << 20;
  const UniqueFd fd(memfd_create("guest", MFD_CLOEXEC));
  LETHE_CHECK(fd && ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
  reserved_ = size + kSegment;
  reservation_ = mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  LETHE_CHECK(reservation_ != MAP_FAILED);
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(reservation_);
  const std::uintptr_t aligned = (begin + kSegment - 1) & ~(kSegment - 1);
  void* bytes = mmap(reinterpret_cast<void*>(aligned), size, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_FIXED, fd.get(), 0);
  LETHE_CHECK(bytes != MAP_FAILED);
  bytes_ = static_cast<std::uint8_t*>(bytes);
  std::memset(bytes_, 0, size);
}

SharedMemory::~SharedMemory() { munmap(reservation_, reserved_); }

}  // namespace lethe::conformance
