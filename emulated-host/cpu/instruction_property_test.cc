// What the architecture promises of every instruction, tried on the rows of the
// instruction table:
//
//   - it may stand across a page boundary; it does the same there, and is
//   nullified when its second part is not there;
//   - each byte of storage that it changes is a PER storage-alteration event.
//
// Operands lie around page boundaries; each page that may be touched is taken
// away in its turn.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "emulated-host/cpu/instruction_set.h"
#include "emulated-host/cpu/test_machine.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kStorage = 1 << 20;
constexpr std::uint64_t kSegmentTable = 0xf0000;
constexpr std::uint64_t kPageTable = 0xf1000;
constexpr std::uint64_t kProgram = 0x10ff0;   // leaves room for one instruction and what ends it
constexpr std::uint64_t kCrossing = 0x12000;  // the boundary that instructions are put across
constexpr std::uint64_t kOperands = 0x20000;  // pages that hold operands
constexpr int kOperandPages = 8;
constexpr std::uint64_t kScratch = 0x40000;
constexpr std::uint64_t kOperandBytes = kOperandPages * kPageSize;
constexpr std::uint64_t kProgramOld = 0x150;
constexpr std::uint64_t kWaitAtProgramNew = 0x1d0;
constexpr std::uint8_t kKey = 3;
constexpr std::uint64_t kMask = TestMachine::kSupervisor | Psw::kDat | std::uint64_t{kKey} << 52;

// Why a row is left out, or treated apart.
enum class Kind { kPlain, kInUnits, kNotRepeatable, kChangesMode, kLeftOut };

struct Special {
  absl::string_view mnemonic;
  Kind kind;
  absl::string_view reason;
};

constexpr Special kSpecial[] = {
    // Interruptible, or ending with condition code 3 after a CPU-determined
    // amount.
    {"MVCL", Kind::kInUnits, ""},
    {"CLCL", Kind::kInUnits, ""},
    {"MVCLE", Kind::kInUnits, ""},
    {"CLCLE", Kind::kInUnits, ""},
    {"MVCLU", Kind::kInUnits, ""},
    {"CLCLU", Kind::kInUnits, ""},
    {"CKSM", Kind::kInUnits, ""},
    {"SRST", Kind::kInUnits, ""},
    {"SRSTU", Kind::kInUnits, ""},
    {"CLST", Kind::kInUnits, ""},
    {"MVST", Kind::kInUnits, ""},
    {"CUSE", Kind::kInUnits, ""},
    {"TRE", Kind::kInUnits, ""},
    {"TRTE", Kind::kInUnits, ""},
    {"TRTRE", Kind::kInUnits, ""},
    {"TROO", Kind::kInUnits, ""},
    {"TROT", Kind::kInUnits, ""},
    {"TRTO", Kind::kInUnits, ""},
    {"TRTT", Kind::kInUnits, ""},
    {"CU12", Kind::kInUnits, ""},
    {"CU14", Kind::kInUnits, ""},
    {"CU21", Kind::kInUnits, ""},
    {"CU24", Kind::kInUnits, ""},
    {"CU41", Kind::kInUnits, ""},
    {"CU42", Kind::kInUnits, ""},
    {"CMPSC", Kind::kInUnits, ""},
    {"CFC", Kind::kInUnits, ""},
    {"UPT", Kind::kInUnits, ""},
    {"MVCOS", Kind::kInUnits, ""},
    {"MVCP", Kind::kInUnits, ""},
    {"MVCS", Kind::kInUnits, ""},
    {"MVCK", Kind::kInUnits, ""},
    // Each execution has a result of its own.
    {"STCK", Kind::kNotRepeatable, ""},
    {"STCKF", Kind::kNotRepeatable, ""},
    {"STCKE", Kind::kNotRepeatable, ""},
    {"STPT", Kind::kNotRepeatable, ""},
    {"ECTG", Kind::kNotRepeatable, ""},
    // What follows would run in another machine than the test's.
    {"LPSW", Kind::kLeftOut, "replaces the machine that the test relies on"},
    {"LPSWE", Kind::kLeftOut, "replaces the machine that the test relies on"},
    {"SSM", Kind::kChangesMode, ""},
    {"STNSM", Kind::kChangesMode, ""},
    {"STOSM", Kind::kChangesMode, ""},
    {"LCTL", Kind::kLeftOut, "replaces the machine that the test relies on"},
    {"LCTLG", Kind::kLeftOut, "replaces the machine that the test relies on"},
    {"SPX", Kind::kLeftOut, "replaces the machine that the test relies on"},
    {"LASP", Kind::kLeftOut, "replaces the machine that the test relies on"},
    {"SCKC", Kind::kChangesMode, ""},
    {"SPT", Kind::kChangesMode, ""},
    {"SCK", Kind::kChangesMode, ""},
    {"EX", Kind::kLeftOut, "executes whatever stands there"},
    {"EXRL", Kind::kLeftOut, "executes whatever stands there"},
    {"SVC", Kind::kLeftOut, "ends each program here"},
    {"STURA", Kind::kLeftOut, "stores at any real address"},
    {"STURG", Kind::kLeftOut, "stores at any real address"},
    {"SSKE", Kind::kLeftOut, "changes the keys that the test relies on"},
    {"RRBE", Kind::kLeftOut, "changes the keys that the test relies on"},
    {"PFMF", Kind::kLeftOut, "clears whatever page it is told"},
    {"TB", Kind::kLeftOut, "clears whatever page it is told"},
    {"IPTE", Kind::kLeftOut, "changes the tables that the test relies on"},
    {"IDTE", Kind::kLeftOut, "changes the tables that the test relies on"},
    {"CSP", Kind::kLeftOut, "purges, on a real operand"},
    {"CSPG", Kind::kLeftOut, "purges, on a real operand"},
    {"SAC", Kind::kLeftOut, "changes the address space"},
    {"SACF", Kind::kLeftOut, "changes the address space"},
    {"SSAR", Kind::kLeftOut, "changes the address space"},
    {"BSA", Kind::kLeftOut, "needs a linkage of its own: control_branch_test"},
    {"BSG", Kind::kLeftOut, "needs a linkage of its own: control_branch_test"},
    {"BAKR", Kind::kLeftOut, "needs a linkage of its own: control_space_test"},
    {"PC", Kind::kLeftOut, "needs a linkage of its own: control_program_call_test"},
    {"PR", Kind::kLeftOut, "needs a linkage of its own: control_program_call_test"},
    {"PT", Kind::kLeftOut, "needs a linkage of its own: control_program_call_test"},
    {"TRAP2", Kind::kLeftOut, "needs a linkage of its own: control_branch_test"},
    {"TRAP4", Kind::kLeftOut, "needs a linkage of its own: control_branch_test"},
    {"RP", Kind::kLeftOut, "needs a linkage of its own: control_branch_test"},
    {"SCKPF", Kind::kLeftOut, "no operand in storage, changes the clock"},
};

Kind KindOf(const Instruction& row, std::string* reason) {
  if (row.handler == &Intercepted) {
    *reason = "the host completes it";
    return Kind::kLeftOut;
  }
  for (const Special& special : kSpecial) {
    if (special.mnemonic != row.mnemonic) continue;
    *reason = std::string(special.reason);
    return special.kind;
  }
  return Kind::kPlain;
}

// Branches end elsewhere than the program does.
bool IsBranch(const Instruction& row) {
  static const std::set<std::uint16_t> kBranches = {
      0x47,   0x07,   0xa74,  0xc04,  0x45,   0x05,   0x4d,   0x0d,   0xa75,  0xc05,
      0x0c,   0x0b,   0x010c, 0x010d, 0x010e, 0x46,   0x06,   0xe346, 0xb946, 0xa76,
      0xa77,  0xcc6,  0x86,   0x87,   0xeb44, 0xeb45, 0x84,   0x85,   0xec44, 0xec45,
      0xecf6, 0xece4, 0xecf7, 0xece5, 0xec76, 0xec64, 0xec77, 0xec65, 0xecfe, 0xecfc,
      0xecff, 0xecfd, 0xec7e, 0xec7c, 0xec7f, 0xec7d};
  return kBranches.contains(row.opcode);
}

// The opcode in its place, all other bits zero.
InstructionText OpcodeText(const Instruction& row) {
  for (const InstructionText text :
       {row.opcode < 0x100 ? std::uint64_t{row.opcode} << 56 : std::uint64_t{row.opcode} << 48,
        std::uint64_t{row.opcode} >> 8 << 56 | (row.opcode & std::uint64_t{0xff}) << 16,
        std::uint64_t{row.opcode} >> 4 << 56 | (row.opcode & std::uint64_t{0xf}) << 48}) {
    if (OpcodeOf(text) == row.opcode) return text;
  }
  return 0;
}

// All bits that do not belong to the opcode.
InstructionText OperandBits(const Instruction& row) {
  const InstructionText opcode = OpcodeText(row);
  const int length = LengthOfText(opcode);
  InstructionText bits = 0;
  for (int i = 63; i >= 64 - 8 * length; --i) {
    const InstructionText bit = InstructionText{1} << i;
    if (OpcodeOf(opcode ^ bit) == row.opcode) bits |= bit;
  }
  return bits;
}

struct State {
  std::array<std::uint64_t, 16> general{};
  std::array<std::uint32_t, 16> access{};
  std::array<std::uint64_t, 16> floating_point{};
  std::uint32_t floating_point_control = 0;
  std::uint64_t cc = 0;
  std::vector<std::uint8_t> operands;

  friend bool operator==(const State&, const State&) = default;
};

// What of two states is not the same.
std::string Difference(const State& a, const State& b) {
  std::string text;
  const auto add = [&text](const std::string& what, std::uint64_t x, std::uint64_t y) {
    if (x == y) return;
    char line[96];
    std::snprintf(line, sizeof(line), " %s %llx/%llx", what.c_str(),
                  static_cast<unsigned long long>(x), static_cast<unsigned long long>(y));
    text += line;
  };
  for (int i = 0; i < 16; ++i) add("r" + std::to_string(i), a.general[i], b.general[i]);
  for (int i = 0; i < 16; ++i) add("a" + std::to_string(i), a.access[i], b.access[i]);
  for (int i = 0; i < 16; ++i) {
    add("f" + std::to_string(i), a.floating_point[i], b.floating_point[i]);
  }
  add("fpc", a.floating_point_control, b.floating_point_control);
  add("cc", a.cc, b.cc);
  for (std::size_t i = 0; i < std::min(a.operands.size(), b.operands.size()); ++i) {
    add("byte " + std::to_string(kOperands + i), a.operands[i], b.operands[i]);
    if (text.size() > 300) break;
  }
  return text;
}

struct Case {
  InstructionText text = 0;
  State start;
};

struct Outcome {
  ProgramCode code = ProgramCode::kNone;  // of the interruption that ended it; kNone: the wait
  Psw old_psw;
  State state;
};

class Bench {
 public:
  Bench() : machine_(kStorage) {
    machine_.WaitOnInterruptions();
    for (std::uint64_t i = 0; i < 512; ++i)
      machine_.Set<std::uint64_t>(kSegmentTable + i * 8, 0x20);
    machine_.Set<std::uint64_t>(kSegmentTable, kPageTable);
    for (std::uint64_t i = 0; i < 256; ++i) SetPage(i * kPageSize, 0);
    // Small numbers are addresses as well: they lead elsewhere than to the
    // prefix area.
    for (const std::uint64_t page : {std::uint64_t{0}, kPageSize}) {
      machine_.Set<std::uint64_t>(kPageTable + page / kPageSize * 8, kScratch + page);
    }
    for (std::uint64_t page = 0; page < kStorage; page += kPageSize) {
      machine_.key(page) = kKey << 4;
    }
    cpu().SetControl(0, cpu().cr(0) | Psw::Bit(45) | Psw::Bit(37));  // AFP, secondary space
    for (const int number : {1, 7, 13}) cpu().SetControl(number, kSegmentTable);
    cpu().SetControl(3, 0xffff'0000);
    control_ = cpu().registers().control;
  }

  Cpu& cpu() { return machine_.cpu(); }

  void SetPage(std::uint64_t page, std::uint64_t bits) {
    machine_.Set<std::uint64_t>(kPageTable + page / kPageSize * 8, page | bits);
    cpu().ContextChanged();
  }
  // PER shall record stores into [first, last].
  void Watch(std::uint64_t first, std::uint64_t last) {
    control_[9] = PerControl::kAlteration;
    control_[10] = first;
    control_[11] = last;
  }
  // The instruction at `at`, and behind it a loop while the condition code is 3
  // (`in_units`) and the end.
  void Put(InstructionText text, std::uint64_t at, bool in_units) {
    const int length = LengthOfText(text);
    for (int i = 0; i < length; ++i) {
      *machine_.bytes(at + i) = static_cast<std::uint8_t>(text >> (56 - 8 * i));
    }
    std::uint64_t end = at + length;
    // Condition code 3 of these is a result: overlap, or more than 256 bytes
    // asked for.
    static const std::set<std::uint16_t> kFinal = {0x0e, 0xda, 0xdb, 0xd9, 0xc80};
    if (in_units && !kFinal.contains(OpcodeOf(text))) {
      machine_.Set<std::uint16_t>(end, 0xa714);  // brc 1
      machine_.Set<std::int16_t>(end + 2, static_cast<std::int16_t>(-length / 2));
      end += 4;
    }
    machine_.Set<std::uint16_t>(end, 0x0a00);
  }

  void Load(const State& state) {
    Registers& registers = cpu().registers();
    registers.control = control_;
    cpu().ContextChanged();
    registers.general = state.general;
    registers.access = state.access;
    registers.floating_point = state.floating_point;
    registers.floating_point_control = state.floating_point_control;
    std::memset(machine_.bytes(kScratch), 0, 2 * kPageSize);
    std::memcpy(machine_.bytes(kOperands), state.operands.data(), state.operands.size());
  }

  // Runs from a PSW until the end of the program or a program interruption.
  Outcome Run(const Psw& psw) {
    const Exit exit = machine_.RunFrom(psw.address, psw.mask);
    Outcome outcome;
    EXPECT_NE(exit.reason,
              Exit::Reason::kProgramLoop);  // the host may have its part
    const Registers& registers = cpu().registers();
    if (registers.psw.address == kWaitAtProgramNew) {
      outcome.code = static_cast<ProgramCode>(machine_.Get<std::uint16_t>(0x8e));
      outcome.old_psw = OldPsw(kProgramOld);
    } else {
      outcome.old_psw = OldPsw(0x140);
    }
    outcome.state.general = registers.general;
    outcome.state.access = registers.access;
    outcome.state.floating_point = registers.floating_point;
    outcome.state.floating_point_control = registers.floating_point_control;
    outcome.state.cc = outcome.old_psw.mask >> 44 & 3;
    outcome.state.operands.assign(machine_.bytes(kOperands),
                                  machine_.bytes(kOperands) + kOperandBytes);
    return outcome;
  }
  Outcome Try(const Case& one, std::uint64_t at, std::uint64_t more_mask = 0) {
    Load(one.start);
    return Run({kMask | more_mask | one.start.cc << 44, at});
  }
  std::uint64_t TranslationException() { return machine_.Get<std::uint64_t>(0xa8); }
  std::uint8_t PerCodeStored() { return machine_.Get<std::uint8_t>(0x96); }

 private:
  Psw OldPsw(std::uint64_t at) {
    return {machine_.Get<std::uint64_t>(at), machine_.Get<std::uint64_t>(at + 8)};
  }

  TestMachine machine_;
  std::array<std::uint64_t, 16> control_{};
};

class Generator {
 public:
  Case Make(const Instruction& row) {
    Case one;
    one.text = OpcodeText(row) | (Random() & OperandBits(row));
    // Even registers hold addresses around page boundaries, odd ones lengths.
    for (int i = 0; i < 16; ++i) {
      one.start.general[i] = i % 2 == 0 ? Address() : Length();
    }
    one.start.general[0] = Random() % 3 == 0 ? 0 : Random() & 0xff;
    for (std::uint64_t& value : one.start.floating_point) value = Random();
    one.start.cc = Random() & 3;
    one.start.operands.resize(kOperandBytes);
    for (std::size_t i = 0; i < kOperandBytes; i += 8) {
      const std::uint64_t value = Random();
      std::memcpy(&one.start.operands[i], &value, 8);
    }
    return one;
  }
  std::uint64_t Random() { return random_(); }

 private:
  std::uint64_t Address() {
    const std::uint64_t boundary = kOperands + (2 + Random() % (kOperandPages - 4)) * kPageSize;
    std::uint64_t address = boundary - 32 + Random() % 64;
    if (Random() % 2 != 0) address &= ~std::uint64_t{15};
    return address;
  }
  std::uint64_t Length() { return Random() % 4 == 0 ? Random() % 6000 : Random() % 80; }

  std::mt19937_64 random_{42};
};

bool UsesBase(const Instruction& row) {
  switch (row.format) {
    case Format::kRRE:
    case Format::kRRD:
    case Format::kRRF_a:
    case Format::kRRF_b:
    case Format::kRRF_c:
    case Format::kRRF_d:
    case Format::kRRF_e:
      return false;
    default:
      return !IsRelative(row.format);
  }
}

bool HasSecondBase(const Instruction& row) {
  switch (row.format) {
    case Format::kSS_a:
    case Format::kSS_b:
    case Format::kSS_c:
    case Format::kSS_d:
    case Format::kSS_e:
    case Format::kSS_f:
    case Format::kSSE:
    case Format::kSSF:
      return true;
    default:
      return false;
  }
}

// Makes operands hit: a displacement or index that leads out of the operands'
// pages is of no use.
void TameDisplacements(const Instruction& row, Case& one) {
  switch (row.format) {
    case Format::kRX_a:
    case Format::kRX_b:
    case Format::kRXE:
    case Format::kRXF:
    case Format::kRXY_a:
    case Format::kRXY_b:
      one.text &= ~(std::uint64_t{0xf} << 48);  // no index
      [[fallthrough]];
    default:
      break;
  }
  const int length = LengthOfText(one.text);
  if (length < 4) return;
  const InstructionText bits = OperandBits(row);
  // Small displacements, even bases, not 0.
  one.text &= ~(bits & 0x0000'0fe0'0000'0000);
  if (row.format == Format::kRXY_a || row.format == Format::kRXY_b ||
      row.format == Format::kRSY_a || row.format == Format::kRSY_b || row.format == Format::kSIY) {
    one.text &= ~(bits & 0x0000'0000'ff00'0000);
  }
  if (length == 6) one.text &= ~(bits & 0x0000'0000'0fe0'0000);
  one.text &= ~(bits & 0x0000'1000'1000'0000);
  if (UsesBase(row)) one.text |= bits & 0x0000'4000'0000'0000;
  if (HasSecondBase(row)) one.text |= bits & 0x0000'0000'4000'0000;
}

class InstructionProperties : public ::testing::Test {
 protected:
  void Complain(const Instruction& row, const Case& one, const std::string& what) {
    char text[32];
    std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(one.text));
    ++complaints_[std::string(row.mnemonic)];
    if (complaints_[std::string(row.mnemonic)] <= 2) {
      ADD_FAILURE() << row.mnemonic << " " << text << ": " << what;
    }
  }

  static int CasesPerRow() {
    const char* const wanted = std::getenv("LETHE_PROPERTY_CASES");
    return wanted != nullptr ? std::atoi(wanted) : 12;
  }

  template <typename Try>
  void ForEachRow(Try attempt) {
    std::set<std::string> left_out;
    for (const absl::Span<const Instruction> chapter : AllChapters()) {
      for (const Instruction& row : chapter) {
        std::string reason;
        const Kind kind = KindOf(row, &reason);
        if (kind == Kind::kLeftOut) {
          left_out.insert(std::string(row.mnemonic) + " (" + reason + ")");
          continue;
        }
        if (!CpuModel::Default().Has(row.facility)) {
          left_out.insert(std::string(row.mnemonic) + " (not in the model)");
          continue;
        }
        ++rows_;
        attempt(row, kind);
      }
    }
    std::cout << "instruction properties: " << rows_ << " rows, " << cases_ << " cases, " << met_
              << " with the condition met on " << met_rows_.size() << " rows; left out "
              << left_out.size() << ":";
    for (const std::string& one : left_out) std::cout << " " << one << ",";
    std::cout << "\n";
  }

  void Met(const Instruction& row) {
    ++met_;
    met_rows_.insert(row.opcode);
  }

  Bench bench_;
  Generator generator_;
  std::map<std::string, int> complaints_;
  std::set<std::uint16_t> met_rows_;
  int rows_ = 0;
  long cases_ = 0;
  long met_ = 0;
};

TEST_F(InstructionProperties, AcrossAPageBoundary) {
  ForEachRow([this](const Instruction& row, Kind kind) {
    const int length = LengthOfText(OpcodeText(row));
    if (length == 2 || IsBranch(row) || IsRelative(row.format)) return;
    const bool compares = kind == Kind::kPlain || kind == Kind::kInUnits;
    for (int before = 2; before < length; before += 2) {
      ++cases_;
      Case one = generator_.Make(row);
      TameDisplacements(row, one);
      bench_.Put(one.text, kProgram, kind == Kind::kInUnits);
      Outcome reference;
      if (compares) reference = bench_.Try(one, kProgram);
      const std::uint64_t at = kCrossing - static_cast<std::uint64_t>(before);
      bench_.Put(one.text, at, kind == Kind::kInUnits);
      bench_.SetPage(kCrossing, 0x400);
      const Outcome first = bench_.Try(one, at);
      bench_.SetPage(kCrossing, 0);
      if (first.code != ProgramCode::kPageTranslation || first.old_psw.address != at ||
          (bench_.TranslationException() & kPageMask) != kCrossing || !(first.state == one.start)) {
        Complain(row, one, "second part not there:" + Difference(first.state, one.start));
      }
      Met(row);
      if (!compares) continue;
      const Outcome second = bench_.Try(one, at);
      if (second.code != reference.code || !(second.state == reference.state)) {
        Complain(row, one, "across the boundary:" + Difference(second.state, reference.state));
      }
    }
  });
  EXPECT_GT(met_rows_.size(), 500u);
}

TEST_F(InstructionProperties, AlteredBytesAreEvents) {
  ForEachRow([this](const Instruction& row, Kind kind) {
    if (kind == Kind::kChangesMode || IsBranch(row)) return;
    for (int i = 0; i < CasesPerRow(); ++i) {
      ++cases_;
      Case one = generator_.Make(row);
      TameDisplacements(row, one);
      bench_.Put(one.text, kProgram, kind == Kind::kInUnits);
      const Outcome plain = bench_.Try(one, kProgram);
      std::vector<std::uint64_t> changed;
      for (std::uint64_t byte = 0; byte < kOperandBytes; ++byte) {
        if (plain.state.operands[byte] != one.start.operands[byte]) {
          changed.push_back(kOperands + byte);
        }
      }
      if (changed.empty()) continue;
      Met(row);
      const std::uint64_t watched = changed[generator_.Random() % changed.size()];
      bench_.Watch(watched, watched);
      const Outcome first = bench_.Try(one, kProgram, Psw::kPer);
      const bool event = (static_cast<int>(first.code) & 0x80) != 0 &&
                         bench_.PerCodeStored() == PerCode::kAlteration;
      if (!event) Complain(row, one, "byte changed without an event");
      // A page that nothing changed in is not to be heard of.
      bench_.Watch(kOperands, kOperands + kPageSize - 1);
      const Outcome second = bench_.Try(one, kProgram, Psw::kPer);
      if (changed.front() >= kOperands + kPageSize && second.code != plain.code) {
        Complain(row, one, "event without a change");
      }
    }
  });
  EXPECT_GT(met_rows_.size(), 70u);
}

}  // namespace
}  // namespace lethe::emulated
