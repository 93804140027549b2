#include "vmm/ipl.h"

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/status_macros.h"
#include "vmm/boot_file.h"
#include "vmm/elf_loader.h"
#include "vmm/linux_image.h"

namespace lethe::vmm {
namespace {

constexpr std::uint64_t k64BitAddressing = 0x0000000180000000;

// The eight bytes at absolute 0 are a short-format PSW: bit 12 set, bit 32 the addressing mode,
// the rest of the second word the address.
constexpr std::uint64_t kShortFormat = 0x0008000000000000;
constexpr std::uint64_t kShortAddress = 0x000000007fffffff;

// Everything is loaded below this: that is where memory is clean after a protected guest was set
// aside, and what a 31-bit loader can reach.
constexpr std::uint64_t kLoadLimit = std::uint64_t{2} << 30;

absl::Status CheckSize(const BootFile& file) {
  if (file.size() < kLoadLimit) return absl::OkStatus();
  return file.Error(absl::StrCat("too large: ", file.size() >> 20, " MiB"));
}

absl::StatusOr<Psw> LoadKernel(const BootConfig& boot, GuestMemory& memory) {
  LETHE_ASSIGN_OR_RETURN(const BootFile kernel, BootFile::Open(boot.kernel));
  LETHE_RETURN_IF_ERROR(CheckSize(kernel));
  Psw psw{k64BitAddressing, kLinuxEntry};
  std::uint64_t end = 0;
  if (IsElf(kernel)) {
    LETHE_ASSIGN_OR_RETURN(const ElfProgram program, LoadElf(kernel, memory));
    psw.address = program.entry;
    end = program.end;
  } else {
    LETHE_ASSIGN_OR_RETURN(end, LoadLinuxImage(kernel, memory));
  }
  if (!boot.initrd.empty()) {
    LETHE_ASSIGN_OR_RETURN(const BootFile initrd, BootFile::Open(boot.initrd));
    LETHE_RETURN_IF_ERROR(CheckSize(initrd));
    LETHE_RETURN_IF_ERROR(LoadInitrd(initrd, end, memory));
  }
  if (!boot.command_line.empty())
    LETHE_RETURN_IF_ERROR(WriteCommandLine(boot.command_line, memory));
  return psw;
}

absl::StatusOr<Psw> LoadProtectedImage(const std::string& path, GuestMemory& memory) {
  LETHE_ASSIGN_OR_RETURN(const BootFile image, BootFile::Open(path));
  LETHE_RETURN_IF_ERROR(CheckSize(image));
  const auto word = image.Read<Be64>(0);
  if (!word.ok() || (*word & kShortFormat) == 0)
    return image.Error("not a Secure Execution image: no program status word at its start");
  LETHE_RETURN_IF_ERROR(image.LoadAll(memory, GuestAddress(0)));
  return ExpandShortPsw(*word);
}

}  // namespace

Psw ExpandShortPsw(std::uint64_t word) {
  return Psw{(word & ~kShortAddress) ^ kShortFormat, word & kShortAddress};
}

absl::StatusOr<Psw> LoadBootFiles(const BootConfig& boot, GuestMemory& memory) {
  if (!boot.protected_image.empty()) return LoadProtectedImage(boot.protected_image, memory);
  return LoadKernel(boot, memory);
}

}  // namespace lethe::vmm
