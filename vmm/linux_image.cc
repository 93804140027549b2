#include "vmm/linux_image.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

// The kernel's parameter area (Linux, arch/s390: struct parmarea).
constexpr GuestAddress kInitrdStart(0x10408);
constexpr GuestAddress kInitrdSize(0x10410);
constexpr GuestAddress kCommandLineSize(0x10430);  // of the area below; 0 in old kernels
constexpr GuestAddress kCommandLine(0x10480);
constexpr std::uint64_t kOldCommandLineSize = 896;
constexpr std::uint64_t kCommandLineSizeLimit = 1 << 20;

constexpr std::uint64_t kMagicOffset = 0x10008;
constexpr std::array<std::uint8_t, 6> kMagic = {'S', '3', '9', '0', 'E', 'P'};

constexpr std::uint64_t kFirstInitrd = 8 << 20;
constexpr std::uint64_t kMebibyte = 1 << 20;

absl::Status ParameterAreaMissing() {
  return absl::InvalidArgumentError("the guest's memory is too small for a kernel's parameters");
}

}  // namespace

absl::StatusOr<std::uint64_t> LoadLinuxImage(const BootFile& file, GuestMemory& memory) {
  const auto magic = file.Read<std::array<std::uint8_t, 6>>(kMagicOffset);
  if (!magic.ok() || *magic != kMagic)
    return file.Error("neither a Linux kernel for s390x nor an ELF64 program for it");
  if (file.size() < kCommandLine.value()) return file.Error("truncated");
  LETHE_RETURN_IF_ERROR(file.LoadAll(memory, GuestAddress(0)));
  return file.size();
}

absl::Status LoadInitrd(const BootFile& file, std::uint64_t kernel_end, GuestMemory& memory) {
  // Leave the kernel room for its uninitialised data; it moves the disk itself if it must.
  const std::uint64_t behind_kernel =
      (kernel_end + kMebibyte + kMebibyte - 1) / kMebibyte * kMebibyte;
  const std::uint64_t start = std::max(kFirstInitrd, behind_kernel);
  LETHE_RETURN_IF_ERROR(file.LoadAll(memory, GuestAddress(start)));
  if (!memory.Write(kInitrdStart, Be64(start)) || !memory.Write(kInitrdSize, Be64(file.size())))
    return ParameterAreaMissing();
  return absl::OkStatus();
}

absl::Status WriteCommandLine(const std::string& command_line, GuestMemory& memory) {
  const auto size = memory.Read<Be64>(kCommandLineSize);
  if (!size) return ParameterAreaMissing();
  const std::uint64_t limit =
      *size == 0 || *size > kCommandLineSizeLimit ? kOldCommandLineSize : size->value();
  if (command_line.size() + 1 > limit) {
    return absl::InvalidArgumentError(absl::StrCat("the command line has ", command_line.size(),
                                                   " bytes; the kernel takes at most ", limit - 1));
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(command_line.c_str());
  if (!memory.CopyIn(kCommandLine, absl::MakeSpan(bytes, command_line.size() + 1)))
    return ParameterAreaMissing();
  return absl::OkStatus();
}

}  // namespace lethe::vmm
