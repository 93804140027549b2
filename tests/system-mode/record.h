#ifndef LETHE_TESTS_SYSTEM_MODE_RECORD_H_
#define LETHE_TESTS_SYSTEM_MODE_RECORD_H_

// Where everything lies in the storage of the machines under comparison, and what the oracle
// program (oracle.S, which repeats the numbers) makes of it. All of it is below 16 MiB but cases
// and results, so that the 24-bit addressing mode reaches it.
//
// For each case the oracle restores the tables and frames from their pristine copies, stores the
// window and the pokes, sets keys, registers and PSW, and enters the case's stub:
//
//   stub + kInstruction   the instruction under test; behind it SVC 0: "fell through"
//   stub + kTaken         SVC 1: "branched"
//
// Any interruption ends the case. Its handler runs with DAT off and gathers the result.

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/big_endian.h"
#include "tests/differential/record.h"

namespace lethe::system_mode {

inline constexpr std::uint64_t kStorageBytes = 0x1000'0000;

inline constexpr std::uint64_t kOracleAddress = 0x1'0000;   // entry in 64-bit mode
inline constexpr std::uint64_t kEntryOfInitialLoad = 0x10;  // ESA/390, 31-bit mode
inline constexpr std::uint64_t kPrefixAreas = 0x2'0000;     // two of 8 KiB that SPX may choose
inline constexpr std::uint64_t kPristineTables = 0x10'0000;
inline constexpr std::uint64_t kPristineFrames = 0x12'0000;
inline constexpr std::uint64_t kTables = 0x20'0000;
inline constexpr std::uint64_t kTableBytes = 0xa000;
inline constexpr std::uint64_t kFrames = 0x30'0000;
inline constexpr std::uint64_t kFrameCount = 8;
inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kFrameBytes = kFrameCount * kPageBytes;
// The window lies across the border of the first two frames.
inline constexpr std::uint64_t kWindow = kFrames + kPageBytes - 512;
// What virtual addresses lead to that are not real ones too (tables.h): the oracle puts the same
// bytes there.
inline constexpr std::uint64_t kSecondWindow = kWindow + 4 * kPageBytes;
inline constexpr std::uint64_t kFarTable = 0x34'0000;
inline constexpr std::uint64_t kStubs = 0x80'0000;
inline constexpr std::uint64_t kHeader = 0x100'0000;
inline constexpr std::uint64_t kCases = kHeader + 2048;
inline constexpr std::uint64_t kResults = 0x900'0000;
inline constexpr std::uint32_t kMaxCases = 50'000;

inline constexpr differential::Layout kLayout = {
    .code = kStubs, .window = kWindow, .table = kFarTable};

struct Header {
  Be64 cases;
  Be64 has_access_lists;  // PURGE ALB may be executed
  Be64 done;              // by the oracle: results that are there
};

struct Poke {
  Be64 address;
  Be64 value;
};

struct MachineCase {
  differential::State state;
  std::array<Be64, 16> control;
  Be64 psw_mask;
  Be64 psw_address;
  Be64 clock_comparator;
  Be32 stub;
  Be32 poke_count;
  std::array<std::uint8_t, kFrameCount> keys;  // of the frames
  std::array<std::uint8_t, 8> unused;
  std::array<Poke, 32> pokes;
};
static_assert(sizeof(MachineCase) == 2048 && offsetof(MachineCase, control) == 1360 &&
              offsetof(MachineCase, psw_mask) == 1488 && offsetof(MachineCase, keys) == 1520 &&
              offsetof(MachineCase, pokes) == 1536);

enum class Kind : std::uint32_t {
  kRestart = 1,
  kExternal = 2,
  kSupervisorCall = 3,
  kProgram = 4,
  kMachineCheck = 5,
  kInputOutput = 6
};

// Real locations 0x80 to 0x1ff, where interruptions store.
inline constexpr std::uint64_t kLowcoreBegin = 0x80;
inline constexpr std::uint64_t kLowcoreBytes = 0x180;

struct MachineResult {
  differential::State state;
  std::array<Be64, 16> control;
  Be32 kind;
  Be32 prefix;
  Be32 tables_sum;  // checksums
  Be32 frames_sum;  // and of low storage around 0x1000
  std::array<std::uint8_t, kFrameCount> keys;
  Be64 clock_comparator;
  std::array<std::uint8_t, 16> unused;
  std::array<std::uint8_t, kLowcoreBytes> lowcore;
  std::array<Be64, 16> poked;  // what is at the first pokes' addresses now
};
static_assert(sizeof(MachineResult) == 2048 && offsetof(MachineResult, kind) == 1488 &&
              offsetof(MachineResult, keys) == 1504 && offsetof(MachineResult, lowcore) == 1536 &&
              offsetof(MachineResult, poked) == 1920);
static_assert(kCases + std::uint64_t{kMaxCases} * sizeof(MachineCase) <= kResults &&
              kResults + std::uint64_t{kMaxCases} * sizeof(MachineResult) <= kStorageBytes);

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_RECORD_H_
