#ifndef LETHE_TESTS_DIFFERENTIAL_RECORD_H_
#define LETHE_TESTS_DIFFERENTIAL_RECORD_H_

// What the harness and the oracle (an s390x program under user-mode emulation) say to each other.
// The harness writes one Greeting and its stubs to the oracle's standard input, then a Batch for
// each batch of cases that it has put into the Exchange, a file in memory which both have mapped
// (file descriptor kExchangeDescriptor of the oracle). When the results are there the oracle writes
// the same Batch to its standard output. The end of the input ends it.
//
// Both sides execute an instruction at the same address with the same operands in storage:
//
//   stub + 0                  the oracle loads all registers
//   stub + kInstruction       the instruction under test
//   behind it                 "fell through"
//   stub + kTaken             "branched": where branch instructions lead
//   stub + kTarget            a second instruction, for EXECUTE
//   kWindowAddress            kWindowBytes of storage that the case sets and the result shows

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/big_endian.h"

namespace lethe::differential {

inline constexpr std::uint64_t kCodeAddress = 0x1000'0000;
inline constexpr std::uint64_t kStubBytes = 128;
inline constexpr std::uint64_t kInstruction = 12;
inline constexpr std::uint64_t kTaken = 64;
inline constexpr std::uint64_t kTarget = 96;
inline constexpr std::uint32_t kMaxStubs = 32768;

inline constexpr std::uint64_t kDataAddress = 0x2000'0000;
inline constexpr std::uint64_t kDataBytes = 0x8'0000;
inline constexpr std::uint64_t kTableAddress = kDataAddress + 0x4'0000;  // FarTableByte, constant
inline constexpr std::uint64_t kTableBytes = 0x2'0000;
inline constexpr std::uint64_t kWindowAddress = kDataAddress + 0x2'0000;
inline constexpr std::uint64_t kWindowBytes = 1024;

// Where a generator's cases lie: these addresses, or others on another machine.
struct Layout {
  std::uint64_t code;
  std::uint64_t window;
  std::uint64_t table;
};
inline constexpr Layout kUserLayout = {
    .code = kCodeAddress, .window = kWindowAddress, .table = kTableAddress};

inline constexpr std::uint32_t kMaxBatch = 256;
inline constexpr std::uint32_t kBatches = 2;  // one is executed while the other one is made
inline constexpr int kExchangeDescriptor = 3;

constexpr std::uint8_t FarTableByte(std::uint64_t index) {
  return static_cast<std::uint8_t>(index * 5 + index / 256 + 1);
}

// BRC 1 to an instruction of `length` bytes in front of it.
constexpr std::array<std::uint8_t, 4> RepeatBranch(std::size_t length) {
  return {0xa7, 0x14, 0xff, static_cast<std::uint8_t>(0x100 - length / 2)};
}

struct Greeting {
  Be32 stubs;
};

struct Stub {
  std::array<std::uint8_t, 8> instruction{};
  std::array<std::uint8_t, 8> target{};
  // Condition code 3 means "to be continued": BRC 1 behind the instruction leads back to it.
  std::uint8_t repeat = 0;
};

struct State {
  std::array<Be64, 16> general;
  std::array<Be64, 16> floating;
  std::array<Be32, 16> access;  // 0 and 1 belong to the oracle's run-time library
  Be32 floating_control;
  Be32 condition;  // condition code and program mask, as SET PROGRAM MASK takes them
  std::array<std::uint8_t, 8> unused{};
  std::array<std::uint8_t, kWindowBytes> window;
};
static_assert(sizeof(State) == 336 + kWindowBytes && offsetof(State, floating) == 128 &&
              offsetof(State, access) == 256 && offsetof(State, floating_control) == 320 &&
              offsetof(State, condition) == 324);

struct Case {
  Be32 stub;
  Be32 unused;
  State state;
};

struct Outcome {
  static constexpr std::uint32_t kFellThrough = 0;
  static constexpr std::uint32_t kBranched = 1;
  static constexpr std::uint32_t kTrapped = 2;
};

struct Result {
  Be32 outcome;
  // kTrapped: signal number and code, the address of the instruction as the signal tells it, and
  // where the PSW points to.
  Be32 signal;
  Be32 code;
  Be32 unused;
  Be64 instruction;
  Be64 psw_address;
  State state;
};

struct Batch {
  Be32 number;  // below kBatches
  Be32 count;   // at most kMaxBatch
};

struct Exchange {
  struct Slot {
    std::array<Case, kMaxBatch> cases;
    std::array<Result, kMaxBatch> results;
  };
  std::array<Slot, kBatches> slots;
};

}  // namespace lethe::differential

#endif  // LETHE_TESTS_DIFFERENTIAL_RECORD_H_
