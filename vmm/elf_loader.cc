#include "vmm/elf_loader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/status_macros.h"

namespace lethe::vmm {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {0x7f, 'E', 'L', 'F'};
constexpr std::uint8_t kClass64 = 2;
constexpr std::uint8_t kBigEndian = 2;
constexpr std::uint16_t kExecutable = 2;
constexpr std::uint16_t kSharedObject = 3;  // a position-independent executable
constexpr std::uint16_t kMachineS390 = 22;
constexpr std::uint32_t kLoadSegment = 1;
constexpr std::uint16_t kSegmentLimit = 128;

struct ElfHeader {
  std::array<std::uint8_t, 4> magic;
  std::uint8_t file_class;
  std::uint8_t data;
  std::array<std::uint8_t, 10> rest_of_identification;
  Be16 type;
  Be16 machine;
  Be32 version;
  Be64 entry;
  Be64 segments_offset;
  Be64 sections_offset;
  Be32 flags;
  Be16 header_size;
  Be16 segment_size;
  Be16 segment_count;
  Be16 section_size;
  Be16 section_count;
  Be16 section_names;
};
static_assert(sizeof(ElfHeader) == 64);

struct SegmentHeader {
  Be32 type;
  Be32 flags;
  Be64 offset;
  Be64 virtual_address;
  Be64 physical_address;
  Be64 file_size;
  Be64 memory_size;
  Be64 alignment;
};
static_assert(sizeof(SegmentHeader) == 56);

absl::Status CheckHeader(const BootFile& file, const ElfHeader& header) {
  if (header.file_class != kClass64) return file.Error("not a 64-bit ELF file");
  if (header.data != kBigEndian || header.machine != kMachineS390)
    return file.Error("an ELF file for another machine than s390x");
  if (header.type != kExecutable && header.type != kSharedObject)
    return file.Error("an ELF file that is not executable");
  if (header.segment_size != sizeof(SegmentHeader) || header.segment_count == 0)
    return file.Error("an ELF file without program headers");
  if (header.segment_count > kSegmentLimit)
    return file.Error(absl::StrCat("an ELF file with ", header.segment_count.value(),
                                   " program headers; at most ", kSegmentLimit));
  return absl::OkStatus();
}

absl::Status Clear(const BootFile& file, GuestMemory& memory, GuestAddress start,
                   std::uint64_t length) {
  static constexpr std::array<std::uint8_t, 4096> kZeros{};
  if (!memory.Contains(start, length)) {
    return file.Error(
        absl::StrCat("does not fit into the guest's memory of ", memory.size() >> 20, " MiB"));
  }
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t count = std::min<std::uint64_t>(kZeros.size(), length - done);
    if (!memory.CopyIn(start.Plus(done), absl::MakeSpan(kZeros.data(), count)))
      return absl::InternalError("range checked before");
    done += count;
  }
  return absl::OkStatus();
}

absl::Status LoadSegment(const BootFile& file, const SegmentHeader& segment, GuestMemory& memory) {
  const GuestAddress start(segment.physical_address);
  if (segment.file_size > segment.memory_size)
    return file.Error("an ELF segment is larger in the file than in memory");
  if (!memory.Contains(start, segment.memory_size)) {
    return file.Error(absl::StrCat(
        "an ELF segment of ", segment.memory_size.value(), " bytes at 0x", absl::Hex(start.value()),
        " does not fit into the guest's memory of ", memory.size() >> 20, " MiB"));
  }
  LETHE_RETURN_IF_ERROR(file.Load(segment.offset, segment.file_size, memory, start));
  return Clear(file, memory, start.Plus(segment.file_size),
               segment.memory_size - segment.file_size);
}

}  // namespace

bool IsElf(const BootFile& file) {
  const auto magic = file.Read<std::array<std::uint8_t, 4>>(0);
  return magic.ok() && *magic == kMagic;
}

absl::StatusOr<ElfProgram> LoadElf(const BootFile& file, GuestMemory& memory) {
  LETHE_ASSIGN_OR_RETURN(const ElfHeader header, file.Read<ElfHeader>(0));
  LETHE_RETURN_IF_ERROR(CheckHeader(file, header));
  ElfProgram program{header.entry, 0};
  for (std::uint64_t i = 0; i < header.segment_count; ++i) {
    const std::uint64_t offset = header.segments_offset + i * sizeof(SegmentHeader);
    if (offset < header.segments_offset) return file.Error("truncated");
    LETHE_ASSIGN_OR_RETURN(const SegmentHeader segment, file.Read<SegmentHeader>(offset));
    if (segment.type != kLoadSegment || segment.memory_size == 0) continue;
    LETHE_RETURN_IF_ERROR(LoadSegment(file, segment, memory));
    program.end = std::max(program.end, segment.physical_address + segment.memory_size);
  }
  if (program.end == 0) return file.Error("an ELF file with nothing to load");
  if (program.entry % 2 != 0 || program.entry >= memory.size())
    return file.Error(absl::StrCat("bad entry point 0x", absl::Hex(program.entry)));
  return program;
}

}  // namespace lethe::vmm
