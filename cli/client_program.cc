#include "cli/client_program.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/big_endian.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace lethe {
namespace {

#if defined(__s390x__)
constexpr std::uint16_t kThisMachine = EM_S390;
#else
constexpr std::uint16_t kThisMachine = EM_X86_64;
#endif

bool IsProgram(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

absl::Status NotRunnable(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return absl::ErrnoToStatus(errno, path);
  return absl::PermissionDeniedError(absl::StrCat(path, ": not a program that can be run"));
}

std::vector<std::string> Candidates(const std::string& name, const std::string& sysroot) {
  if (name.find('/') != std::string::npos) {
    if (sysroot.empty()) return {name};
    return {name, absl::StrCat(sysroot, "/", name)};
  }
  std::vector<std::string> candidates;
  const char* const path = std::getenv("PATH");
  for (const absl::string_view directory :
       absl::StrSplit(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
    candidates.push_back(absl::StrCat(directory.empty() ? "." : directory, "/", name));
  }
  return candidates;
}

absl::StatusOr<std::string> FindProgram(const std::string& name, const std::string& sysroot) {
  const std::vector<std::string> candidates = Candidates(name, sysroot);
  for (const std::string& candidate : candidates) {
    if (IsProgram(candidate)) return candidate;
  }
  if (name.find('/') != std::string::npos) return NotRunnable(candidates.back());
  return absl::NotFoundError(absl::StrCat("there is no program '", name, "' on the search path"));
}

// The machine that an ELF file names; nothing: not an ELF file (a script, say).
std::optional<std::uint16_t> MachineOf(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<std::uint8_t, 20> header;
  if (!file ||
      ::read(file.get(), header.data(), header.size()) != static_cast<ssize_t>(header.size())) {
    return std::nullopt;
  }
  if (std::memcmp(header.data(), ELFMAG, SELFMAG) != 0) return std::nullopt;
  const std::uint8_t* const machine = header.data() + offsetof(Elf64_Ehdr, e_machine);
  if (header[EI_DATA] == ELFDATA2MSB) return LoadBigEndian<std::uint16_t>(machine);
  return static_cast<std::uint16_t>(machine[0] | machine[1] << 8);
}

}  // namespace

absl::StatusOr<ClientProgram> FindClientProgram(const std::string& name,
                                                const std::string& sysroot) {
  ClientProgram program;
  LETHE_ASSIGN_OR_RETURN(program.path, FindProgram(name, sysroot));
  const std::uint16_t machine = MachineOf(program.path).value_or(kThisMachine);
  if (machine == kThisMachine) return program;
  if (machine != EM_S390) {
    return absl::FailedPreconditionError(
        absl::StrCat(program.path, ": for ELF machine ", machine,
                     "; programs of this machine and of s390x can be run"));
  }
  program.foreign = true;
  return program;
}

}  // namespace lethe
