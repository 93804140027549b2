#ifndef LETHE_TESTS_SYSTEM_MODE_TABLES_H_
#define LETHE_TESTS_SYSTEM_MODE_TABLES_H_

#include <cstdint>
#include <vector>

namespace lethe::system_mode {

// The translation tables that each case begins with. All the virtual addresses that cases use are
// real addresses too; the alias leads to the frames through entries of its own, which a case may
// spoil without losing its instruction. Entries 0 and 1 of all region tables are the same.
struct Tables {
  static constexpr std::uint64_t kRegionFirst = 0x20'0000;
  static constexpr std::uint64_t kRegionSecond = 0x20'1000;
  static constexpr std::uint64_t kRegionThird = 0x20'2000;
  static constexpr std::uint64_t kSegment = 0x20'3000;  // 512 entries
  static constexpr std::uint64_t kPages = 0x20'4000;    // eight tables of 256 entries

  static constexpr std::uint64_t kDispatchableUnit = 0x20'8000;
  static constexpr std::uint64_t kAccessList = 0x20'8080;  // eight entries; 2 and 3 are valid
  static constexpr std::uint64_t kSecondTableEntry = 0x20'8100;

  static constexpr std::uint64_t kFrameSegment = 3;
  static constexpr std::uint64_t kAliasSegment = 0x20;
  static constexpr std::uint64_t kAliasTable = 7;  // number of its page table
  static constexpr std::uint64_t kAlias = kAliasSegment << 20;

  static std::uint64_t PageTable(std::uint64_t number) { return kPages + number * 0x800; }
};

// Address-space-control elements: designation type 3 is a region-first table ... 0 a segment table.
std::uint64_t AddressSpace(unsigned type);

std::vector<std::uint8_t> PristineTables();
std::vector<std::uint8_t> PristineFrames();

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_TABLES_H_
