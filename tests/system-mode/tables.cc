#include "tests/system-mode/tables.h"

#include "base/big_endian.h"
#include "tests/system-mode/record.h"

namespace lethe::system_mode {
namespace {

constexpr std::uint64_t kInvalid = 0x20;
constexpr std::uint64_t kPageInvalid = 0x400;
constexpr std::uint64_t kEntryBytes = 8;

class Writer {
 public:
  Writer() : bytes_(kTableBytes) {}
  void Put(std::uint64_t table, std::uint64_t index, std::uint64_t value) {
    StoreBigEndian(&bytes_[table - kTables + index * kEntryBytes], value);
  }
  void PutWord(std::uint64_t at, std::uint32_t value) {
    StoreBigEndian(&bytes_[at - kTables], value);
  }
  std::vector<std::uint8_t> Take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

void PutRegion(Writer& writer, std::uint64_t table, std::uint64_t next, std::uint64_t type) {
  for (std::uint64_t i = 0; i < 512; ++i) {
    writer.Put(table, i, i < 2 ? next | type : kInvalid | type);
  }
}

// An access list by which two ALETs lead to an address space, one of them to fetch only.
void PutAccessList(Writer& writer) {
  constexpr std::uint32_t kInvalidEntry = 0x8000'0000;
  constexpr std::uint32_t kFetchOnly = 0x0200'0000;
  constexpr std::uint32_t kSequence = 0x1234;
  writer.PutWord(Tables::kDispatchableUnit + 16, Tables::kAccessList);
  for (std::uint64_t i = 0; i < 8; ++i) {
    const std::uint64_t entry = Tables::kAccessList + i * 16;
    const bool valid = i == 2 || i == 3;
    writer.PutWord(entry, !valid ? kInvalidEntry : i == 3 ? kFetchOnly : 0);
    writer.PutWord(entry + 8, Tables::kSecondTableEntry);
    writer.PutWord(entry + 12, kSequence);
  }
  writer.Put(Tables::kSecondTableEntry, 1, AddressSpace(1));
  writer.PutWord(Tables::kSecondTableEntry + 20, kSequence);
}

}  // namespace

std::uint64_t AddressSpace(unsigned type) {
  constexpr std::uint64_t kOrigins[] = {Tables::kSegment, Tables::kRegionThird,
                                        Tables::kRegionSecond, Tables::kRegionFirst};
  return kOrigins[type] | type << 2;
}

std::vector<std::uint8_t> PristineTables() {
  Writer writer;
  PutRegion(writer, Tables::kRegionFirst, Tables::kRegionSecond, 0xc);
  PutRegion(writer, Tables::kRegionSecond, Tables::kRegionThird, 0x8);
  PutRegion(writer, Tables::kRegionThird, Tables::kSegment, 0x4);
  for (std::uint64_t i = 0; i < 512; ++i) writer.Put(Tables::kSegment, i, kInvalid);
  // Segments with page tables: low storage, tables, frames, stubs; the alias is the last one.
  constexpr std::uint64_t kSegments[] = {0, 2, Tables::kFrameSegment, 8, 9, 10, 11};
  std::uint64_t number = 0;
  const auto map = [&](std::uint64_t segment, std::uint64_t frames) {
    const std::uint64_t table = Tables::PageTable(number++);
    writer.Put(Tables::kSegment, segment, table);
    for (std::uint64_t page = 0; page < 256; ++page) {
      writer.Put(table, page, (frames << 20) + page * kPageBytes);
    }
    return table;
  };
  for (const std::uint64_t segment : kSegments) map(segment, segment);
  const std::uint64_t alias = map(Tables::kAliasSegment, Tables::kFrameSegment);
  for (std::uint64_t page = kFrameCount; page < 16; ++page) writer.Put(alias, page, kPageInvalid);
  PutAccessList(writer);
  return writer.Take();
}

std::vector<std::uint8_t> PristineFrames() {
  std::vector<std::uint8_t> bytes(kFrameBytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(i * 7 + i / kPageBytes * 3 + 1);
  }
  return bytes;
}

}  // namespace lethe::system_mode
