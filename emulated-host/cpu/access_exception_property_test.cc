// What the architecture promises of every instruction that is interrupted (Principles of Operation,
// "Program Execution", "Interruptions", "Protection"), tried on every row of the instruction
// tables:
//
//   - an operand that cannot be translated nullifies: nothing has changed, the old PSW points at
//     the instruction (at EXECUTE, if that executed it), and started anew when the page is there
//     the instruction ends as if it had always been there;
//   - protection, a missing frame and a wrong table entry suppress: nothing has changed, and the
//     old PSW points behind it;
//   - so do all other program interruptions that say so;
//   - the same if the second part of an instruction, or what EXECUTE executes, cannot be fetched;
//   - bytes that change and branches are program events, if they are recorded;
//   - the length, the instruction address and the translation-exception identification are right;
//   - an interruptible instruction ends the same way wherever it is stopped in between.
//
// Operands lie around boundaries of pages, segments, regions, and the ends of the addressing modes.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "emulated-host/cpu/cpu_model.h"
#include "emulated-host/cpu/property_case.h"

namespace lethe::emulated {
namespace {

// Rows that a property does not hold for, or that are tried in another way.
struct Rows {
  absl::string_view what;
  std::vector<absl::string_view> names;

  bool Has(const Instruction& row) const {
    return std::ranges::find(names, row.mnemonic) != names.end();
  }
};

const Rows kGoesOnAfterThree = {
    "condition code 3: a part has been processed, whose amount the CPU determines",
    {"MVCLE", "CLCLE", "MVCLU", "CLCLU", "CKSM",  "SRST", "SRSTU", "CLST",
     "MVST",  "CUSE",  "TRE",   "TRTE",  "TRTRE", "TROO", "TROT",  "TRTO",
     "TRTT",  "CU12",  "CU14",  "CU21",  "CU24",  "CU41", "CU42",  "CMPSC"}};

const Rows kInUnits = {"units of operation before the interrupted one are done",
                       {"MVCL", "CLCL", "CFC", "UPT"}};

const Rows kAlone = {
    "what follows is not where the program goes on, or is another program",
    {"BC",    "BCR",   "BRC",   "BRCL",  "BAL",   "BALR",  "BAS",  "BASR",  "BRAS",  "BRASL",
     "BASSM", "BSM",   "SAM24", "SAM31", "SAM64", "BCT",   "BCTR", "BCTG",  "BCTGR", "BRCT",
     "BRCTG", "BRCTH", "BXH",   "BXLE",  "BXHG",  "BXLEG", "BRXH", "BRXLE", "BRXHG", "BRXLG",
     "CRB",   "CGRB",  "CLRB",  "CLGRB", "CRJ",   "CGRJ",  "CLRJ", "CLGRJ", "CIB",   "CGIB",
     "CLIB",  "CLGIB", "CIJ",   "CGIJ",  "CLIJ",  "CLGIJ", "LPSW", "LPSWE", "SSM",   "STNSM",
     "STOSM", "LCTL",  "LCTLG", "SPX",   "LASP",  "SAC",   "SACF", "SSAR",  "BSA",   "BSG",
     "BAKR",  "PC",    "PR",    "PT",    "TRAP2", "TRAP4", "RP",   "SVC",   "EX",    "EXRL",
     "SPKA",  "IPTE",  "IDTE",  "SPM",   "TB",    "STURA", "STURG"}};

const Rows kTellsTheTime = {"each execution has a result of its own",
                            {"STCK", "STCKF", "STCKE", "STPT", "ECTG", "TRACE", "TRACG"}};

const Rows kOtherSpaces = {"operands in another space than the PSW says; real ones in none",
                           {"MVCP", "MVCS", "MVCOS", "BAKR", "MSTA", "EREG", "EREGG", "ESTA", "PR",
                            "EX", "EXRL", "STURA", "STURG", "LURA", "LURAG"}};

const Rows kRealOperands = {
    "operands have real addresses",
    {"STURA", "STURG", "LURA", "LURAG", "TB", "SSKE", "TRACE", "TRACG", "BSA", "IPTE"}};

const Rows kOtherKeys = {"the access key is not that of the PSW",
                         {"MVCDK", "MVCS", "BAKR", "MSTA", "PR"}};

const Rows kGoesWithoutBranching = {"goes on elsewhere, and is no branch",
                                    {"LPSW", "LPSWE", "SVC"}};

const Rows kOnlyTranslated = {
    "a special-operation exception with DAT off",
    {"BAKR", "MSTA", "EREG", "EREGG", "MVCP", "MVCS", "MVCOS", "PR", "ESTA"}};

const Rows kSetsKeys = {"sets the storage key that the test has changed", {"SSKE"}};

const Rows kNoOperand = {
    "no operand is fetched or stored at that address, or the host does it",
    {"BC",    "BRCL", "BAL",   "BAS",  "BRASL", "BCT",   "BCTG", "BRCTH", "BXH",   "BXLE", "BXHG",
     "BXLEG", "CRB",  "CGRB",  "CLRB", "CLGRB", "CIB",   "CGIB", "CLIB",  "CLGIB", "MC",   "LA",
     "LAY",   "LARL", "LAE",   "LAEY", "PFD",   "PFDRL", "SLL",  "SLLK",  "SLLG",  "SRL",  "SRLK",
     "SRLG",  "SLA",  "SLAK",  "SLAG", "SRA",   "SRAK",  "SRAG", "SLDL",  "SRDL",  "SLDA", "SRDA",
     "RLL",   "RLLG", "SAC",   "SACF", "TRAP4", "STFL",  "ECAG", "DIAG",  "SIGP",  "CSCH", "HSCH",
     "MSCH",  "SSCH", "STSCH", "TSCH", "TPI",   "SAL",   "RSCH", "STCRW", "STCPS", "RCHP", "SCHM",
     "SIGA",  "XSCH", "STSI",  "PC",   "SPKA",  "IPK",   "PTLB", "LRA",   "LRAG",  "LRAY", "TPROT",
     "TCEB",  "TCDB", "TCXB",  "SRNM", "SRNMB", "SRNMT", "SSKE"}};

const Rows kOtherTests = {
    "wants what is not here: see control_branch_test",
    {"RP" /* a parameter list behind it */, "TB" /* an absolute block that it clears */}};

constexpr std::uint64_t kUnassignedSystemMask = std::uint64_t{0xb8} << 56;

// The instruction has done what it does before it interrupts.
bool Completes(const Instruction& row, const Ending& ending) {
  switch (ending.code) {
    case ProgramCode::kFixedPointOverflow:
    case ProgramCode::kDecimalOverflow:
    case ProgramCode::kHfpExponentOverflow:
    case ProgramCode::kHfpExponentUnderflow:
    case ProgramCode::kHfpSignificance:
    case ProgramCode::kSpaceSwitch:
    case ProgramCode::kMonitorEvent:
      return true;
    case ProgramCode::kSpecification:  // early: of a system mask that it has set
      return (row.mnemonic == "SSM" || row.mnemonic == "STOSM") &&
             (ending.psw.mask & kUnassignedSystemMask) != 0;
    case ProgramCode::kFixedPointDivide:  // of a number that does not fit: its right part
      return row.mnemonic == "CVB" || row.mnemonic == "CVBY";
    case ProgramCode::kData:  // IEEE overflow, underflow, inexactness; compare and trap
      return ending.data_exception > 3 && ending.data_exception != 0x40 &&
             ending.data_exception != 0x80;
    default:
      return false;
  }
}

bool IsTranslation(ProgramCode code) {
  switch (code) {
    case ProgramCode::kSegmentTranslation:
    case ProgramCode::kPageTranslation:
    case ProgramCode::kAsceType:
    case ProgramCode::kRegionFirstTranslation:
    case ProgramCode::kRegionSecondTranslation:
    case ProgramCode::kRegionThirdTranslation:
      return true;
    default:
      return false;
  }
}

constexpr Facility kFetchStoreIndication = 75;

// What may be the matter with a page.
struct Fault {
  absl::string_view name;
  ProgramCode code;
  int level;  // of the table entry that is changed: 0 page ... 4 region first; -1: the storage key
  std::uint64_t bits;  // turned over in the entry, or the key
};

constexpr Fault kFaults[] = {
    {"page invalid", ProgramCode::kPageTranslation, 0, 0x400},
    {"segment invalid", ProgramCode::kSegmentTranslation, 1, 0x20},
    {"region-third invalid", ProgramCode::kRegionThirdTranslation, 2, 0x20},
    {"region-second invalid", ProgramCode::kRegionSecondTranslation, 3, 0x20},
    {"region-first invalid", ProgramCode::kRegionFirstTranslation, 4, 0x20},
    {"page entry wrong", ProgramCode::kTranslationSpecification, 0, 0x800},
    {"segment of another type", ProgramCode::kTranslationSpecification, 1, 0x4},
    {"region of another type", ProgramCode::kTranslationSpecification, 2, 0x8},
    {"page protected", ProgramCode::kProtection, 0, 0x200},
    {"segment protected", ProgramCode::kProtection, 1, 0x200},
    {"no frame", ProgramCode::kAddressing, 0, 0x4000'0000},
    {"no page table", ProgramCode::kAddressing, 1, 0x4000'0000},
    {"other key", ProgramCode::kProtection, -1, 0x60},
    {"other key, fetch protection", ProgramCode::kProtection, -1, 0x68},
};

class InterruptedInstructions : public ::testing::Test {
 protected:
  // LETHE_PROPERTY_CASES, _SEED and _ROW: more, others, and only those of one row.
  static std::uint64_t Wanted(const char* name, std::uint64_t otherwise) {
    const char* const wanted = std::getenv(name);
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : otherwise;
  }
  static int CasesPerRow() { return static_cast<int>(Wanted("LETHE_PROPERTY_CASES", kManyCases)); }

  // What is known of the row that is being tried.
  struct Seen {
    long interrupted = 0;  // by a fault of the test's
    bool touched = false;  // the window
  };

  // May the row that is being tried do otherwise? Asked when it does.
  bool Excused(const Rows& rows) {
    if (!rows.Has(*row_)) return false;
    excused_.insert({&rows, row_->mnemonic});
    return true;
  }
  void Complain(const std::string& what) {
    const std::string name(row_->mnemonic);
    if (++complaints_[name] <= 2) {
      ADD_FAILURE() << name << " " << one_.Describe() << ": " << what;
    }
  }
  static std::string Text(const Ending& ending) {
    char line[120];
    std::snprintf(line, sizeof(line), "code %x length %d PSW %016llx %llx identification %llx",
                  static_cast<int>(ending.code), ending.length,
                  static_cast<unsigned long long>(ending.psw.mask),
                  static_cast<unsigned long long>(ending.psw.address),
                  static_cast<unsigned long long>(ending.translation_exception));
    return line;
  }

  bool Steps() const { return kAlone.Has(*row_); }
  Ending Start(const PlacedProgram& program) {
    return machine_.Run({one_.psw_mask, program.address}, Steps());
  }

  // A program interruption of this instruction says where it was, and has changed nothing.
  void CheckInterruption(const Ending& ending, const PlacedProgram& program,
                         const std::string& what) {
    if (ending.code == ProgramCode::kNone) return;
    if (ending.code == ProgramCode::kSpecification && ending.length == 0) {
      // Early: of a PSW that it has loaded.
      if (!Steps()) Complain(what + ": no length, " + Text(ending));
      return;
    }
    const bool nullifies = Nullifies(ending.code);
    const std::uint64_t address = program.address + (nullifies ? 0 : program.length);
    if (ending.length != program.length ||
        (ending.psw.address != address && !(Completes(*row_, ending) && Steps()))) {
      Complain(what + ": wrong place, " + Text(ending));
    }
    if (Completes(*row_, ending)) return;
    MachineState state = ending.state;
    if (ending.code == ProgramCode::kData) {
      constexpr std::uint32_t kDataExceptionCode = 0xff00;
      state.floating_point_control = (state.floating_point_control & ~kDataExceptionCode) |
                                     (one_.start.floating_point_control & kDataExceptionCode);
    }
    if (state == one_.start && ending.psw.mask == one_.psw_mask) return;
    if (Excused(kInUnits) || Excused(kGoesOnAfterThree)) return;
    Complain(what + ": left something changed, " + Text(ending) + Difference(state, one_.start));
  }

  void CheckIdentification(const Ending& ending, const std::vector<int>& pages,
                           const std::string& what) {
    if (ending.code != ProgramCode::kProtection && !IsTranslation(ending.code)) return;
    const std::uint64_t identification = ending.translation_exception;
    bool is_there = false;
    bool stored = false;
    for (const int page : pages) {
      if (machine_.WindowPage(page) != (identification & kPageMask)) continue;
      is_there = true;
      stored = stored_.contains(page);
    }
    std::uint64_t space = ending.psw.mask >> 46 & 3;
    const auto home = static_cast<std::uint64_t>(AddressSpace::kHome);
    if (one_.is_relative && space != home) space = 0;  // where instructions are
    if (!is_there) Complain(what + ": another address, " + Text(ending));
    if ((identification & 3) != space && !Excused(kOtherSpaces)) {
      Complain(what + ": another space, " + Text(ending));
    }
    if (!IsTranslation(ending.code)) return;
    const std::uint64_t kind = identification & 0xc00;
    const bool is_offered = CpuModel::Default().Has(kFetchStoreIndication);
    if ((kind == 0x800 || kind == 0x400) != is_offered)
      Complain(what + ": neither fetch nor store");
    if (kind == 0x400 && !stored) Complain(what + ": a store that is none, " + Text(ending));
  }

  void Compare(const Ending& ending, const Ending& reference, const std::string& what) {
    if (ending.code == reference.code && ending.psw == reference.psw &&
        ending.state == reference.state) {
      return;
    }
    if (Excused(kTellsTheTime)) return;
    Complain(what + ": " + Text(ending) + " instead of " + Text(reference) +
             Difference(ending.state, reference.state));
  }

  // Pages of the window in which bytes have changed.
  std::set<int> ChangedPages(const Ending& ending) const {
    std::set<int> pages;
    for (int i = 0; i < PropertyMachine::kWindowPages; ++i) {
      const auto at = static_cast<std::ptrdiff_t>(i * kPageSize);
      if (!std::equal(one_.start.frames.begin() + at,
                      one_.start.frames.begin() + at + std::ptrdiff_t{kPageSize},
                      ending.state.frames.begin() + at)) {
        pages.insert(i);
      }
    }
    return pages;
  }

  // Must the fault show?
  bool MustBeMet(const Fault& fault, const Ending& reference, int page) {
    if (reference.code != ProgramCode::kNone) return false;
    if (fault.code == ProgramCode::kProtection && !changed_.contains(page)) return false;
    return !Excused(kRealOperands) && (fault.level >= 0 || !Excused(kOtherKeys));
  }

  // Undisturbed.
  Ending Reference(const PlacedProgram& program) {
    machine_.Load(one_.start);
    const Ending reference = Start(program);
    touched_ = machine_.Touched();
    changed_ = ChangedPages(reference);
    stored_.clear();
    for (const int page : touched_) {
      if (machine_.Stored(page)) stored_.insert(page);
    }
    if (!touched_.empty()) seen_.touched = true;
    CheckInterruption(reference, program, "undisturbed");
    return reference;
  }

  // Goes on where a program interruption says that the instruction is.
  Ending Anew(const Ending& ending) {
    Psw psw = ending.psw;
    if (!Nullifies(ending.code)) psw.address -= ending.length;
    return machine_.Run(psw, Steps());
  }

  void TryFault(const PlacedProgram& program, const Ending& reference, int page,
                const Fault& fault) {
    const std::uint64_t address = machine_.WindowPage(page);
    const bool is_key = fault.level < 0;
    // The instruction's own key may be the very one that the fault is made of.
    if (is_key && reference.code == ProgramCode::kProtection) return;
    std::uint64_t entry = 0;
    std::vector<int> pages;
    if (!is_key) {
      entry = machine_.EntryOf(fault.level, address);
      if (entry == machine_.EntryOf(fault.level, PropertyMachine::kProgram)) return;
      for (int i = 0; i < PropertyMachine::kWindowPages; ++i) {
        if (machine_.EntryOf(fault.level, machine_.WindowPage(i)) == entry) pages.push_back(i);
      }
    } else {
      pages.push_back(page);
    }
    ++runs_;
    const std::string what(fault.name);
    machine_.Load(one_.start);
    const std::uint64_t before = is_key ? 0 : machine_.Entry(entry);
    const std::uint64_t frame = PropertyMachine::FrameOf(page);
    constexpr std::uint8_t kOwnKey = PropertyMachine::kKey << 4;
    if (is_key) {
      machine_.SetKey(frame, static_cast<std::uint8_t>(fault.bits));
    } else {
      machine_.SetEntry(entry, before ^ fault.bits);
    }
    Ending first = Start(program);
    if (is_key) {
      machine_.SetKey(frame, kOwnKey);
      if (!first.state.keys.empty()) first.state.keys[frame / kPageSize] = kOwnKey;
    } else {
      machine_.SetEntry(entry, before);
    }
    const bool is_met = first.code == fault.code &&
                        (first.code != reference.code || !(first.state == reference.state) ||
                         first.translation_exception != reference.translation_exception);
    if (!is_met) {
      if (!is_key || first.state == reference.state || !Excused(kSetsKeys)) {
        Compare(first, reference, what + ", not met");
      }
      if (MustBeMet(fault, reference, page)) Complain(what + ": not met");
      return;
    }
    ++seen_.interrupted;
    CheckInterruption(first, program, what);
    CheckIdentification(first, pages, what);
    Compare(Anew(first), reference, what + ", then anew");
  }

  // A store into the first 512 bytes of page 0 or 1.
  void TryLowAddresses(const PlacedProgram& program, const Ending& reference) {
    constexpr std::uint64_t kProtected = 512;
    constexpr std::uint64_t kLowAddressProtection = Psw::Bit(35);
    constexpr std::uint64_t kIdentification = 0x80;
    bool must = false;
    for (const int page : changed_) {
      if (machine_.WindowPage(page) > kPageSize) continue;
      const std::uint64_t at = page * kPageSize;
      must |= !std::equal(&one_.start.frames[at], &one_.start.frames[at] + kProtected,
                          &reference.state.frames[at]);
    }
    if (!must) return;
    ++runs_;
    const std::string what = "low-address protection";
    one_.start.control[0] |= kLowAddressProtection;
    machine_.Load(one_.start);
    Ending first = Start(program);
    CheckInterruption(first, program, what);
    one_.start.control[0] &= ~kLowAddressProtection;
    if (first.code != ProgramCode::kProtection) {
      if (reference.code == ProgramCode::kNone) Complain(what + ": not met, " + Text(first));
      return;
    }
    ++low_addresses_;
    if ((first.translation_exception & ~std::uint64_t{0x1003}) != kIdentification) {
      Complain(what + ": another identification, " + Text(first));
    }
    machine_.cpu().SetControl(0, one_.start.control[0]);
    Compare(Anew(first), reference, what + ", then anew");
  }

  // The page of the instruction's second part, or of the target of EXECUTE, is not there.
  void TryFetch(const PlacedProgram& program, const Ending& reference) {
    if (one_.place == Place::kInline) return;
    ++runs_;
    ++fetches_;
    constexpr std::uint64_t kInvalid = 0x400;
    const std::uint64_t page =
        one_.place == Place::kAcrossPages ? PropertyMachine::kCrossing : PropertyMachine::kTarget;
    const std::uint64_t entry = machine_.EntryOf(0, page);
    machine_.Load(one_.start);
    machine_.SetEntry(entry, page | kInvalid);
    Ending first = Start(program);
    machine_.SetEntry(entry, page);
    const std::string what = "no page to fetch from";
    if (first.code != ProgramCode::kPageTranslation ||
        (first.translation_exception & kPageMask) != page) {
      return Complain(what + ": not met, " + Text(first));
    }
    // How long an instruction is that cannot be fetched, nobody knows.
    if (one_.place == Place::kAcrossPages) first.length = static_cast<std::uint8_t>(program.length);
    CheckInterruption(first, program, what);
    if (!(first.state == one_.start))
      Complain(what + ": left" + Difference(first.state, one_.start));
    Compare(Anew(first), reference, what + ", then anew");
  }

  // With DAT off, the first half of the window is the end of storage, and the second not there.
  void TryEndOfStorage(const PlacedProgram& program, const Ending& reference) {
    constexpr int kThere = PropertyMachine::kWindowPages / 2;
    constexpr std::size_t kBytes = kThere * kPageSize;
    if (one_.window.middle != PropertyMachine::kStorage || reference.code != ProgramCode::kNone ||
        touched_.empty() || touched_.back() < kThere) {
      return;
    }
    ++runs_;
    machine_.Load(one_.start);
    std::copy_n(one_.start.frames.begin(), kBytes, machine_.EndOfStorage());
    Ending ending = machine_.Run({one_.psw_mask & ~Psw::kDat, program.address}, Steps());
    const bool has_stored =
        !std::equal(one_.start.frames.begin(), one_.start.frames.begin() + std::ptrdiff_t{kBytes},
                    machine_.EndOfStorage());
    std::fill_n(machine_.EndOfStorage(), kBytes, std::uint8_t{0});
    const std::string what = "end of storage";
    if (ending.code != ProgramCode::kAddressing) {
      // What is in page 0 is another, and may end the operation before it comes there.
      if (kGoesOnAfterThree.Has(*row_) || Excused(kOnlyTranslated) || Excused(kRealOperands))
        return;
      return Complain(what + ": not met, " + Text(ending));
    }
    ++ends_;
    ending.psw.mask |= Psw::kDat;
    ending.state.others.clear();
    CheckInterruption(ending, program, what);
    if (has_stored && !Excused(kInUnits) && !Excused(kGoesOnAfterThree)) {
      Complain(what + ": stored");
    }
  }

  // As the case starts, but with program events recorded.
  Ending Recorded(const PlacedProgram& program, std::uint64_t events, std::uint64_t first,
                  std::uint64_t last) {
    ++runs_;
    MachineState start = one_.start;
    start.control[9] = events;
    start.control[10] = first;
    start.control[11] = last;
    machine_.Load(start);
    return machine_.Run({one_.psw_mask | Psw::kPer, program.address}, Steps());
  }

  // A byte that has changed is an event if it is watched; its neighbours' pages are none.
  void TryAlteration(const PlacedProgram& program, const Ending& reference) {
    if (reference.code != ProgramCode::kNone || changed_.empty()) return;
    const int page = *changed_.begin();
    std::uint64_t at = page * kPageSize;
    while (one_.start.frames[at] == reference.state.frames[at]) ++at;
    const std::uint64_t address = machine_.WindowPage(page) + at % kPageSize;
    const Ending ending = Recorded(program, PerControl::kAlteration, address, address);
    ++altered_;
    if (ending.events != PerCode::kAlteration && !Excused(kRealOperands)) {
      Complain("a byte changed without an event, " + Text(ending));
    }
    for (int other = 0; other < PropertyMachine::kWindowPages; ++other) {
      if (stored_.contains(other)) continue;
      const std::uint64_t begin = machine_.WindowPage(other);
      const Ending without =
          Recorded(program, PerControl::kAlteration, begin, begin + kPageSize - 1);
      if (without.events != 0) Complain("an event without a store, " + Text(without));
      break;
    }
  }

  // Who goes on elsewhere has branched.
  void TryBranching(const PlacedProgram& program, const Ending& reference) {
    if (!Steps() || reference.code != ProgramCode::kNone) return;
    const Ending ending = Recorded(program, PerControl::kBranching, 0, ~std::uint64_t{0});
    const bool has_gone = reference.psw.address != program.address + program.length;
    if (has_gone) ++gone_;
    if (has_gone && ending.events != PerCode::kBranching && !Excused(kGoesWithoutBranching)) {
      Complain("a branch without an event, " + Text(ending) + Text(reference));
    }
  }

  // No page is there until it is asked for.
  void TryOnDemand(const PlacedProgram& program, const Ending& reference) {
    ++runs_;
    machine_.Load(one_.start);
    constexpr std::uint64_t kInvalid = 0x400;
    std::map<std::uint64_t, std::uint64_t> absent;  // address to entry
    for (int i = 0; i < PropertyMachine::kWindowPages; ++i) {
      const std::uint64_t address = machine_.WindowPage(i);
      const std::uint64_t entry = machine_.EntryOf(0, address);
      machine_.SetEntry(entry, machine_.Entry(entry) | kInvalid);
      absent[address] = entry;
    }
    Ending ending = Start(program);
    while (ending.code == ProgramCode::kPageTranslation) {
      const auto page = absent.find(ending.translation_exception & kPageMask);
      if (page == absent.end()) break;
      machine_.SetEntry(page->second, machine_.Entry(page->second) & ~kInvalid);
      absent.erase(page);
      ending = Anew(ending);
    }
    for (const auto& [address, entry] : absent) {
      machine_.SetEntry(entry, machine_.Entry(entry) & ~kInvalid);
    }
    Compare(ending, reference, "pages on demand");
  }

  // Stopped before each unit of operation.
  void TryStopped(const PlacedProgram& program, const Ending& reference) {
    ++runs_;
    machine_.Load(one_.start);
    Psw psw{one_.psw_mask, program.address};
    Ending ending;
    do {
      ending = machine_.Run(psw, true);
      psw = ending.psw;
    } while (ending.code == ProgramCode::kNone && psw.address != program.end);
    if (ending.code == ProgramCode::kNone) ending.psw.address += 2;  // SUPERVISOR CALL
    Compare(ending, reference, "stopped at each unit");
  }

  // The same by EXECUTE, across pages, and by itself.
  void TryElsewhere(const Ending& reference, const PlacedProgram& program, bool loops) {
    const PlacedProgram there = Put(machine_, fields(), one_, Place::kInline, loops);
    machine_.Load(one_.start);
    Ending ending = machine_.Run({one_.psw_mask, there.address}, false);
    const bool nullified = ending.code != ProgramCode::kNone && Nullifies(ending.code);
    const std::uint64_t moved =
        nullified ? program.address - there.address : program.end - there.end;
    ending.psw.address += ending.code == ProgramCode::kNone || nullified
                              ? moved
                              : program.address + program.length - there.address - there.length;
    Compare(reference, ending, "not as by itself");
  }

  const InstructionFields& fields() const { return *fields_; }

  void TryCase(bool loops) {
    machine_.SetWindow(one_.window);
    const bool steps = Steps();
    PlacedProgram program = Put(machine_, fields(), one_, one_.place, loops);
    const Ending reference = Reference(program);
    ++runs_;
    if (one_.place != Place::kInline && !steps) {
      TryElsewhere(reference, program, loops);
      program = Put(machine_, fields(), one_, one_.place, loops);
    }
    const std::vector<int> touched = touched_;
    for (const int page : touched) {
      for (const Fault& fault : kFaults) TryFault(program, reference, page, fault);
    }
    if (!touched.empty()) TryOnDemand(program, reference);
    TryFetch(program, reference);
    TryEndOfStorage(program, reference);
    TryAlteration(program, reference);
    TryBranching(program, reference);
    TryLowAddresses(program, reference);
    if (!steps && (loops || kInUnits.Has(*row_))) TryStopped(program, reference);
  }

  void TryRow(const Instruction& row) {
    row_ = &row;
    seen_ = {};
    const InstructionFields fields(row);
    fields_ = &fields;
    const bool loops = kGoesOnAfterThree.Has(row);
    generator_ = CaseGenerator(Wanted("LETHE_PROPERTY_SEED", 0) << 16 | row.opcode);
    int cases = CasesPerRow();
    for (const Rows* const rows :
         {&kGoesOnAfterThree, &kInUnits, &kOtherSpaces, &kRealOperands, &kOtherKeys}) {
      if (rows->Has(row)) cases = CasesPerRow() * 4;
    }
    for (int i = 0; i < cases; ++i) {
      one_ = generator_.Make(row, fields, machine_.control());
      TryCase(loops);
      ++cases_;
    }
    if (!machine_.IsSound()) Complain("stored without a mark");
    const bool names_storage = fields.Has(Field::kB1) || fields.Has(Field::kB2) ||
                               row.format == Format::kRIL_b || row.format == Format::kRIL_c;
    if (seen_.interrupted != 0) {
      ++interrupted_rows_;
    } else if ((names_storage || seen_.touched) && cases >= kManyCases && !Excused(kNoOperand) &&
               !Excused(kOtherTests)) {
      ADD_FAILURE() << row.mnemonic << " has never met a fault";
    }
    ++rows_;
  }

  // Whoever is excused must need it.
  void CheckExcuses() {
    for (const Rows* const rows :
         {&kInUnits, &kTellsTheTime, &kOtherSpaces, &kRealOperands, &kOtherKeys, &kSetsKeys,
          &kOnlyTranslated, &kGoesWithoutBranching, &kNoOperand, &kOtherTests}) {
      for (const absl::string_view name : rows->names) {
        EXPECT_TRUE(excused_.contains({rows, name})) << name << " needs no excuse: " << rows->what;
      }
    }
  }

  static constexpr int kManyCases = 16;

  PropertyMachine machine_;
  CaseGenerator generator_{0};
  const Instruction* row_ = nullptr;
  const InstructionFields* fields_ = nullptr;
  PropertyCase one_;
  Seen seen_;
  std::vector<int> touched_;
  std::set<int> stored_;   // into, says the change bit
  std::set<int> changed_;  // to other contents
  std::map<std::string, int> complaints_;
  std::set<std::pair<const Rows*, absl::string_view>> excused_;
  int rows_ = 0;
  int low_addresses_ = 0;
  int fetches_ = 0;
  int ends_ = 0;
  int altered_ = 0;
  int gone_ = 0;
  int interrupted_rows_ = 0;
  long cases_ = 0;
  long runs_ = 0;
};

TEST_F(InterruptedInstructions, NothingChangesAndAllComesOutTheSame) {
  const char* const only = std::getenv("LETHE_PROPERTY_ROW");
  for (const absl::Span<const Instruction> chapter : AllChapters()) {
    for (const Instruction& row : chapter) {
      if (!CpuModel::Default().Has(row.facility)) continue;
      if (only != nullptr && row.mnemonic != only) continue;
      TryRow(row);
    }
  }
  if (only == nullptr) {
    for (const int tried : {fetches_, ends_, low_addresses_, altered_, gone_}) EXPECT_GT(tried, 0);
    if (CasesPerRow() >= kManyCases) CheckExcuses();
  }
  std::cout << rows_ << " instructions (rows), " << interrupted_rows_ << " interrupted by faults, "
            << fetches_ << " fetches, " << ends_ << " ends of storage, " << low_addresses_
            << " times low-address protection, " << altered_ << " stores and " << gone_
            << " branches recorded, " << cases_ << " cases, " << runs_ << " runs, "
            << complaints_.size() << " differ\n";
}

// The list's operand address is odd, and found to be so after its ALET.
TEST(LockedOperation, LoadsNoAccessRegisterBeforeItIsSuppressed) {
  constexpr std::uint64_t kList = PropertyMachine::kFrames + 0x100;
  constexpr std::uint64_t kSpace = std::uint64_t{1} << 46;  // access-register mode
  PropertyMachine machine;
  machine.SetWindow({"", PropertyMachine::kFrames + 4 * kPageSize,
                     Psw::kExtendedAddressing | Psw::kBasicAddressing});
  MachineState start;
  start.control = machine.control();
  start.general[0] = 1;  // compare and load, 64 bits, parameter list
  start.general[4] = PropertyMachine::kFrames;
  start.general[6] = kList;
  start.access[12] = 5;
  start.frames.resize(PropertyMachine::kFrameBytes);
  start.frames[0x100 + 72 + 7] = 3;
  machine.PutText(PropertyMachine::kProgram, 0xee2c'4000'6000'0000, 6);  // PLO 2,0(4),12,0(6)
  machine.Load(start);
  const Ending ending = machine.Run(
      {TestMachine::kSupervisor | Psw::kDat | kSpace, PropertyMachine::kProgram}, false);
  EXPECT_EQ(ending.code, ProgramCode::kSpecification);
  EXPECT_EQ(ending.state.access, start.access);
}

}  // namespace
}  // namespace lethe::emulated
