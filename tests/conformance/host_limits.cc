#include "tests/conformance/host_limits.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include "base/unique_fd.h"

namespace lethe::conformance {

bool CopiedEventsCountAlike() {
  const UniqueFd event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  const UniqueFd copy(fcntl(event.get(), F_DUPFD_CLOEXEC, 0));
  std::uint64_t count = 1;
  return write(copy.get(), &count, sizeof(count)) == sizeof(count) &&
         read(event.get(), &count, sizeof(count)) == sizeof(count) && count == 1;
}

bool ForkWipesWhatItShould() {
  constexpr std::size_t kSize = 4096;
  void* const page =
      mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED || madvise(page, kSize, MADV_WIPEONFORK) != 0) return false;
  auto* const mark = static_cast<volatile char*>(page);
  *mark = 1;
  const pid_t child = fork();
  if (child == 0) _exit(*mark == 0 ? 0 : 1);
  int status = 1;
  const bool wiped = child > 0 && waitpid(child, &status, 0) == child && status == 0;
  munmap(page, kSize);
  return wiped;
}

}  // namespace lethe::conformance
