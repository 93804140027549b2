// Which values of register fields, masks and addresses are specification exceptions (Principles of
// Operation, "Specification Exception" and each instruction), tried on every row of the instruction
// tables with all values: those that the tables below name are, and nothing else is. None of them
// changes anything.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <vector>

#include "emulated-host/cpu/cpu_model.h"
#include "emulated-host/cpu/property_case.h"

namespace lethe::emulated {
namespace {

// What is varied.
enum class Variation : std::uint8_t {
  kR1,       // the field
  kR2,       //
  kR3,       // also M3
  kX2,       // also L1, L, M4
  kBase1,    // bits 60-63 of the register that B1 designates
  kBase2,    //
  kIn1,      // of the one that R1 designates
  kIn2,      //
  kIn3,      //
  kBeside1,  // of the one behind that
  kBeside2,  //
  kBeside3,  //
  kRelative  // bits 59-62 of a relative operand's address
};
constexpr int kVariations = 13;

// Bit n: the value n is a specification exception.
constexpr std::uint16_t kOdd = 0xaaaa;
constexpr std::uint16_t kEven = 0x5555;
constexpr std::uint16_t kNoFloatPair = 0xcccc;
constexpr std::uint16_t kRounding = 0xff04;  // 2 and 8-15 are no rounding method
constexpr std::uint16_t kHexRounding = 0xff0c;
constexpr std::uint16_t kOffHalfword = 0xaaaa;
constexpr std::uint16_t kOffWord = 0xeeee;
constexpr std::uint16_t kOffDoubleword = 0xfefe;
constexpr std::uint16_t kOffQuadword = 0xfffe;

struct Demand {
  Variation variation;
  std::uint16_t bad;
  std::vector<absl::string_view> names;
};

const Demand kDemands[] = {
    // Pairs of general registers.
    {Variation::kR1,
     kOdd,
     {"MR",   "M",    "MFY",  "MLR",   "ML",    "MLGR",  "MLG",   "DR",    "D",    "DLR",  "DL",
      "DLGR", "DLG",  "DSGR", "DSGFR", "DSG",   "DSGF",  "FLOGR", "CDS",   "CDSY", "CDSG", "LPQ",
      "STPQ", "MVCL", "CLCL", "MVCLE", "CLCLE", "MVCLU", "CLCLU", "SLDL",  "SRDL", "SLDA", "SRDA",
      "CUSE", "TRE",  "TROO", "TROT",  "TRTO",  "TRTT",  "TRTE",  "TRTRE", "CU12", "CU14", "CU21",
      "CU24", "CU41", "CU42", "MSTA",  "ESTA",  "CSP",   "CSPG",  "CMPSC"}},
    {Variation::kR2,
     kOdd,
     {"MVCL", "CLCL", "CKSM", "CUSE", "CU12", "CU14", "CU21", "CU24", "CU41", "CU42", "CMPSC"}},
    {Variation::kR3,
     kOdd,
     {"CDS", "CDSY", "CDSG", "LPD", "LPDG", "MVCLE", "CLCLE", "MVCLU", "CLCLU"}},
    // Pairs of floating-point registers.
    {Variation::kR1,
     kNoFloatPair,
     {"LDXBR", "LXEBR",  "MXDBR", "SQXBR",  "LPXBR", "LNXBR", "LTXBR", "LCXBR", "LXDBR", "LEXBR",
      "FIXBR", "KXBR",   "CXBR",  "AXBR",   "SXBR",  "MXBR",  "DXBR",  "LXDB",  "LXEB",  "MXDB",
      "TCXB",  "CXLFBR", "CXFBR", "CXLGBR", "CXGBR", "LXR",   "LZXR",  "MXR",   "MXDR",  "AXR",
      "SXR",   "MXD",    "DXR",   "LXDR",   "LXER",  "SQXR",  "LPXR",  "LNXR",  "LTXR",  "LCXR",
      "FIXR",  "CXR",    "CXFR",  "CXGR",   "LXD",   "LXE"}},
    {Variation::kR2, kNoFloatPair, {"SQXBR", "LPXBR",  "LNXBR", "LTXBR",  "LCXBR", "LDXBR", "LEXBR",
                                    "FIXBR", "KXBR",   "CXBR",  "AXBR",   "SXBR",  "MXBR",  "DXBR",
                                    "CFXBR", "CLFXBR", "CGXBR", "CLGXBR", "LXR",   "LDXR",  "MXR",
                                    "AXR",   "SXR",    "DXR",   "SQXR",   "LPXR",  "LNXR",  "LTXR",
                                    "LCXR",  "LEXR",   "FIXR",  "CXR",    "CFXR",  "CGXR"}},
    // Registers that must differ: of R1 = 4, R3 = 12 and R2 = 8.
    {Variation::kR1, 0x1100, {"DIEBR", "DIDBR"}},
    {Variation::kR2, 0x1010, {"DIEBR", "DIDBR"}},
    {Variation::kR3, 0x0110, {"DIEBR", "DIDBR"}},
    // Rounding methods.
    {Variation::kR3, kRounding, {"LEDBR",  "LDXBR",  "LEXBR",  "FIXBR",  "FIEBR",  "FIDBR",
                                 "CELFBR", "CDLFBR", "CXLFBR", "CEFBR",  "CDFBR",  "CXFBR",
                                 "CFEBR",  "CFDBR",  "CFXBR",  "CLFEBR", "CLFDBR", "CLFXBR",
                                 "CELGBR", "CDLGBR", "CXLGBR", "CEGBR",  "CDGBR",  "CXGBR",
                                 "CGEBR",  "CGDBR",  "CGXBR",  "CLGEBR", "CLGDBR", "CLGXBR"}},
    {Variation::kX2, kRounding, {"DIEBR", "DIDBR"}},
    {Variation::kR3,
     kHexRounding,
     {"TBEDR", "TBDR", "CFER", "CFDR", "CFXR", "CGER", "CGDR", "CGXR"}},
    {Variation::kBase2, 0xff70, {"SRNMB"}},
    {Variation::kIn1, 0xff70, {"SFPC", "SFASR"}},
    // Lengths: of L1 = 15 and L2 = 3; of two-byte characters.
    {Variation::kX2, 0x000f, {"MP", "DP"}},
    {Variation::kR3, 0xff00, {"MP", "DP"}},
    {Variation::kX2, kEven, {"PKU", "UNPKU"}},
    {Variation::kBeside1, kOdd, {"MVCLU", "CLCLU", "TRTO", "TRTT"}},
    {Variation::kBeside3, kOdd, {"MVCLU", "CLCLU"}},
    // Boundaries. Relative operands are varied by halfwords.
    {Variation::kBase1, kOffWord, {"CSST", "LPD", "PLO"}},
    {Variation::kBase1, kOffDoubleword, {"LPDG", "LASP", "STRAG"}},
    {Variation::kBase2, kOffHalfword, {"STAP", "EX"}},
    {Variation::kBase2,
     kOffWord,
     {"CS", "CSY", "LAA", "LAAL", "LAN", "LAO", "LAX", "LPD", "LAM", "LAMY", "STAM", "STAMY", "PLO",
      "STCTL", "LCTL", "SPX", "STPX", "TRACE", "TRACG"}},
    {Variation::kBase2,
     kOffDoubleword,
     {"CSG",   "CDS",   "CDSY",  "LAAG", "LAALG", "LANG", "LAOG", "LAXG",  "LPDG", "STCTG",
      "LCTLG", "STIDP", "STFLE", "LPSW", "LPSWE", "SCK",  "SCKC", "STCKC", "SPT",  "STPT"}},
    {Variation::kBase2, kOffQuadword, {"CDSG", "LPQ", "STPQ"}},
    {Variation::kIn2, kOffWord, {"STURA", "LURA"}},
    {Variation::kIn2, kOffDoubleword, {"LURAG", "STURG"}},
    {Variation::kIn2, 0xffe0, {"ESTA"}},  // code, at most 4
    {Variation::kRelative,
     kOdd,
     {"CRL", "CGFRL", "CLRL", "CLGFRL", "LRL", "LGFRL", "LLGFRL", "STRL"}},
    {Variation::kRelative, kOffWord, {"CGRL", "CLGRL", "LGRL", "STGRL"}},
};

// Registers that no field designates: bits that may not be one, each alone.
struct ImpliedDemand {
  int number;
  std::uint64_t bad;
  std::vector<absl::string_view> names;
};

const ImpliedDemand kImpliedDemands[] = {
    {0, 0xffff'fee0, {"PLO"}},  // but for the test bit and function codes below 24
    {0, 0xf000, {"MVPG"}},
    {0, 0xf8fc, {"CSST"}},  // store characteristic at most 4, function code at most 2
    {0, 0xffff'0000, {"SRSTU", "SCKPF"}},
    {0, 0xffff'ff00, {"CLST", "SRST", "MVST"}},
    {1, 0x1, {"CFC"}},
    {2, 0x1, {"CFC"}},
    {3, 0x1, {"CFC"}},
    {4, 0xf, {"UPT"}},
    {5, 0xf, {"UPT"}},
};

// Always an exception here.
constexpr absl::string_view kElsewhere[] = {
    "RP"};  // a parameter list behind it: control_branch_test
class SpecificationExceptions : public ::testing::Test {
 protected:
  static constexpr Window kWindow = {"pages", PropertyMachine::kFrames + 4 * kPageSize,
                                     Psw::kExtendedAddressing | Psw::kBasicAddressing};
  static constexpr std::uint64_t kOperand = kWindow.middle + 0x100;
  static constexpr int kValues = 16;

  SpecificationExceptions() {
    machine_.SetWindow(kWindow);
    one_.window = kWindow;
    one_.psw_mask = kWindow.mode | Psw::kDat | std::uint64_t{PropertyMachine::kKey} << 52;
  }

  void Prepare(const Instruction& row, const InstructionFields& fields) {
    one_.is_relative = IsRelative(row.format);
    one_.operand = kOperand;
    one_.start = {};
    one_.start.control = machine_.control();
    one_.start.general.fill(kOperand);
    one_.start.general[0] = 0;
    if (row.mnemonic == "CMPSC") one_.start.general[0] = 0x1000;  // symbols of nine bits
    if (row.mnemonic == "IDTE") one_.start.general.fill(0x800);   // clearing by ASCE
    if (row.mnemonic == "SFPC" || row.mnemonic == "SFASR") one_.start.general.fill(0);
    one_.start.frames.resize(PropertyMachine::kFrameBytes);
    one_.start.keys.assign(PropertyMachine::kStorage / kPageSize, PropertyMachine::kKey << 4);
    one_.text = fields.opcode();
    if (fields.Has(Field::kR1)) one_.text = fields.With(one_.text, Field::kR1, 4);
    if (fields.Has(Field::kR2)) one_.text = fields.With(one_.text, Field::kR2, 8);
    one_.text = fields.With(one_.text, Field::kX2, HasLength(row) ? 15 : 0);
    if (IsMask(row)) {
      one_.text = fields.With(one_.text, Field::kR3, 0);
    } else if (fields.Has(Field::kR3)) {
      one_.text = fields.With(one_.text, Field::kR3, row.format == Format::kSS_b ? 3 : 12);
    }
    one_.text = fields.With(one_.text, Field::kB1, 2);
    one_.text = fields.With(one_.text, Field::kB2, 6);
  }

  static bool HasLength(const Instruction& row) {
    return row.format == Format::kSS_a || row.format == Format::kSS_b ||
           row.format == Format::kSS_f;
  }
  static bool IsMask(const Instruction& row) {
    switch (row.format) {
      case Format::kRRF_c:
      case Format::kRRF_d:
      case Format::kRRF_e:
        return true;
      default:
        return false;
    }
  }

  // Is it a specification exception?
  bool Try(const InstructionFields& fields) {
    ++runs_;
    const PlacedProgram program = Put(machine_, fields, one_, one_.place, false);
    machine_.Load(one_.start);
    const Ending ending = machine_.Run({one_.psw_mask, program.address}, true);
    if (ending.code != ProgramCode::kSpecification || ending.length == 0) return false;
    if (!(ending.state == one_.start) || ending.length != program.length ||
        ending.psw.mask != one_.psw_mask ||
        ending.psw.address != program.address + program.length) {
      ADD_FAILURE() << one_.Describe() << Difference(ending.state, one_.start);
    }
    return true;
  }

  // Values that are exceptions, as bits.
  std::uint16_t Measure(const Instruction& row, const InstructionFields& fields,
                        Variation variation) {
    std::uint16_t bad = 0;
    for (int value = 0; value < kValues; ++value) {
      Prepare(row, fields);
      if (!Set(fields, variation, value)) return 0;
      const bool executes = row.mnemonic == "EX" || row.mnemonic == "EXRL";
      one_.place = value % 2 == 0 || executes ? Place::kInline : Place::kExecuteRelative;
      if (Try(fields)) bad = static_cast<std::uint16_t>(bad | 1 << value);
    }
    return bad;
  }

  bool Set(const InstructionFields& fields, Variation variation, int value) {
    constexpr Field kFieldOf[kVariations] = {
        Field::kR1, Field::kR2, Field::kR3, Field::kX2, Field::kB1, Field::kB2, Field::kR1,
        Field::kR2, Field::kR3, Field::kR1, Field::kR2, Field::kR3, Field::kI2};
    const Field field = kFieldOf[static_cast<int>(variation)];
    if (!fields.Has(field)) return false;
    const auto number = static_cast<int>(fields.Of(one_.text, field));
    switch (variation) {
      case Variation::kR1:
      case Variation::kR2:
      case Variation::kR3:
      case Variation::kX2:
        one_.text = fields.With(one_.text, field, value);
        return true;
      case Variation::kBase1:
      case Variation::kBase2:
      case Variation::kIn1:
      case Variation::kIn2:
      case Variation::kIn3:
        one_.start.general[number % 16] += static_cast<std::uint64_t>(value);
        return true;
      case Variation::kBeside1:
      case Variation::kBeside2:
      case Variation::kBeside3:
        one_.start.general[(number + 1) % 16] += static_cast<std::uint64_t>(value);
        return true;
      case Variation::kRelative:
        one_.operand += static_cast<std::uint64_t>(2 * value);
        return one_.is_relative;
    }
    return false;
  }

  std::uint64_t MeasureImplied(const Instruction& row, const InstructionFields& fields,
                               int number) {
    std::uint64_t bad = 0;
    for (int bit = 0; bit < 64; ++bit) {
      Prepare(row, fields);
      one_.place = Place::kInline;
      one_.start.general[number] ^= std::uint64_t{1} << bit;
      if (Try(fields)) bad |= std::uint64_t{1} << bit;
    }
    return bad;
  }

  template <typename Attempt>
  void ForEachRow(Attempt attempt) {
    for (const absl::Span<const Instruction> chapter : AllChapters()) {
      for (const Instruction& row : chapter) {
        if (CpuModel::Default().Has(row.facility)) attempt(row, InstructionFields(row));
      }
    }
  }

  PropertyMachine machine_;
  PropertyCase one_;
  long runs_ = 0;
};

template <typename Demands, typename Filter>
std::uint64_t Demanded(const Demands& demands, const Instruction& row, Filter filter) {
  std::uint64_t bad = 0;
  for (const auto& demand : demands) {
    if (filter(demand) && std::ranges::find(demand.names, row.mnemonic) != demand.names.end()) {
      bad |= demand.bad;
    }
  }
  return bad;
}

TEST_F(SpecificationExceptions, AreTheseValuesOfOperandsAndNoOthers) {
  int rows = 0;
  ForEachRow([&](const Instruction& row, const InstructionFields& fields) {
    ++rows;
    const bool elsewhere = std::ranges::find(kElsewhere, row.mnemonic) != std::end(kElsewhere);
    for (int i = 0; i < kVariations; ++i) {
      const auto variation = static_cast<Variation>(i);
      const std::uint64_t bad = Measure(row, fields, variation);
      std::uint64_t demanded = Demanded(
          kDemands, row, [=](const Demand& demand) { return demand.variation == variation; });
      if (elsewhere && variation == Variation::kBase2) demanded = 0xffff;
      EXPECT_EQ(bad, demanded) << row.mnemonic << ", variation " << i << std::hex << ": " << bad
                               << ", not " << demanded;
    }
  });
  std::cout << rows << " instructions (rows), " << runs_ << " runs\n";
}

TEST_F(SpecificationExceptions, AreTheseBitsOfImpliedRegistersAndNoOthers) {
  ForEachRow([&](const Instruction& row, const InstructionFields& fields) {
    if (std::ranges::find(kElsewhere, row.mnemonic) != std::end(kElsewhere)) return;
    if (row.mnemonic == "CMPSC" || row.mnemonic == "SFPC" || row.mnemonic == "SFASR") {
      return;  // general_compression_test, float_instructions_test
    }
    for (const int number : {0, 1, 2, 3, 4, 5}) {
      if (number > 1 && (fields.Has(Field::kR1) || fields.Has(Field::kB1))) break;
      const std::uint64_t bad = MeasureImplied(row, fields, number);
      std::uint64_t demanded = Demanded(kImpliedDemands, row, [=](const ImpliedDemand& demand) {
        return demand.number == number;
      });
      EXPECT_EQ(bad, demanded) << row.mnemonic << ", register " << number << std::hex << ": " << bad
                               << ", not " << demanded;
    }
  });
  std::cout << runs_ << " runs\n";
}

}  // namespace
}  // namespace lethe::emulated
