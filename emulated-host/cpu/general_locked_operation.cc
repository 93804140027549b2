#include <cstdint>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/mutex.h"
#include "emulated-host/cpu/cpu_group.h"
#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_spans.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using U8 = std::uint8_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// PERFORM LOCKED OPERATION. A function code is an operation (bits 0-5) and a kind of operand (bits
// 6-7). Operands 2, 4, 6 and 8 are in storage; 1, 3, 5 and 7 are values in registers or in the
// parameter list at the fourth-operand address.
enum class Operation : U8 {
  kCompareAndLoad,
  kCompareAndSwap,
  kDoubleCompareAndSwap,
  kCompareAndSwapAndStore,
  kCompareAndSwapAndDoubleStore,
  kCompareAndSwapAndTripleStore,
};
constexpr unsigned kFunctions = 24;

enum class Kind : U8 { kRegister32, kParameter64, kRegister64, kParameter128 };

// Offsets in the parameter list of the right ends of 16-byte fields: a value of n bytes ends there.
constexpr unsigned kFirstComparand = 16;
constexpr unsigned kFirstReplacement = 32;
constexpr unsigned kThirdComparand = 48;
constexpr unsigned kThirdReplacement = 64;
constexpr unsigned kFifth = 96;
constexpr unsigned kSeventh = 128;
// Offsets of the ALET of operands 4, 6 and 8; the eight-byte address follows four bytes later.
constexpr unsigned kFourthAlet = 68;
constexpr unsigned kSixthAlet = 100;
constexpr unsigned kEighthAlet = 132;
constexpr unsigned kListBoundary = 8;

class LockedOperation {
 public:
  LockedOperation(Cpu& cpu, const Op& op, unsigned function)
      : cpu_(cpu),
        op_(op),
        operation_(static_cast<Operation>(function / 4)),
        kind_(static_cast<Kind>(function % 4)),
        second_(cpu.Operand2(op)),
        fourth_(cpu.Operand1(op)) {}

  // All told-no's, before the lock is taken.
  void Check() {
    const bool pairs = InRegisters() && operation_ != Operation::kCompareAndLoad;
    const bool third_pair = InRegisters() && operation_ == Operation::kDoubleCompareAndSwap;
    cpu_.SpecificationUnless((!pairs || op_.r1 % 2 == 0) && (!third_pair || op_.r3 % 2 == 0));
    // Boundaries of all operands that are known without access.
    const bool uses_fourth = UsesList() || operation_ != Operation::kCompareAndSwap;
    cpu_.SpecificationUnless(
        second_.address % Size() == 0 &&
        (!uses_fourth || fourth_.address % (UsesList() ? kListBoundary : Size()) == 0));
    CheckOperand(second_,
                 operation_ == Operation::kCompareAndLoad ? Access::kFetch : Access::kStore);
    if (UsesList()) {
      cpu_.CheckAccess(fourth_, ListLength(), Access::kFetch);
      cpu_.CheckAccess(fourth_, ListLength(), InRegisters() ? Access::kFetch : Access::kStore);
    }
    if (operation_ == Operation::kCompareAndSwap) return;
    CheckOperand(FourthOperand(),
                 operation_ == Operation::kCompareAndLoad ? Access::kFetch : Access::kStore);
    if (operation_ >= Operation::kCompareAndSwapAndDoubleStore) {
      CheckOperand(ListedOperand(kSixthAlet), Access::kStore);
    }
    if (operation_ == Operation::kCompareAndSwapAndTripleStore) {
      CheckOperand(ListedOperand(kEighthAlet), Access::kStore);
    }
  }

  // The condition code. Stores operand 2 last: it is what others compare.
  U8 Perform() {
    const Uint128 found = LoadOperand(second_);
    if (found != Value(op_.r1, kFirstComparand)) {
      SetValue(op_.r1, kFirstComparand, found);
      return 1;
    }
    switch (operation_) {
      case Operation::kCompareAndLoad:
        SetValue(op_.r3, kThirdComparand, LoadOperand(FourthOperand()));
        return 0;
      case Operation::kCompareAndSwap:
        break;
      case Operation::kDoubleCompareAndSwap: {
        const LogicalAddress fourth = FourthOperand();
        const Uint128 other = LoadOperand(fourth);
        if (other != Value(op_.r3, kThirdComparand)) {
          SetValue(op_.r3, kThirdComparand, other);
          return 2;
        }
        StoreOperand(fourth, Value(op_.r3 + 1, kThirdReplacement));
        break;
      }
      case Operation::kCompareAndSwapAndStore:
        StoreOperand(FourthOperand(), Value(op_.r3, kThirdReplacement));
        break;
      case Operation::kCompareAndSwapAndTripleStore:
        StoreOperand(ListedOperand(kEighthAlet), ListValue(kSeventh));
        [[fallthrough]];
      case Operation::kCompareAndSwapAndDoubleStore:
        StoreOperand(ListedOperand(kSixthAlet), ListValue(kFifth));
        StoreOperand(FourthOperand(), ListValue(kThirdReplacement));
        break;
    }
    StoreOperand(second_, Value(op_.r1 + 1, kFirstReplacement));
    return 0;
  }

 private:
  // Up to the end of the last field that the operation uses.
  std::size_t ListLength() const {
    switch (operation_) {
      case Operation::kCompareAndSwap:
        return kFirstReplacement;
      case Operation::kCompareAndSwapAndDoubleStore:
        return kSixthAlet + 12;
      case Operation::kCompareAndSwapAndTripleStore:
        return kEighthAlet + 12;
      default:
        return kFourthAlet + 12;
    }
  }

  bool InRegisters() const { return kind_ == Kind::kRegister32 || kind_ == Kind::kRegister64; }
  // Operands 5 to 8 are always described in the list; the others are if their values are there.
  bool UsesList() const {
    return !InRegisters() || operation_ >= Operation::kCompareAndSwapAndDoubleStore;
  }
  unsigned Size() const {
    return kind_ == Kind::kRegister32 ? 4 : kind_ == Kind::kParameter128 ? 16 : 8;
  }

  LogicalAddress InList(unsigned offset) const { return Advance(cpu_, fourth_, offset); }

  // In access-register mode the ALET in the list goes to access register R3, which then names it.
  LogicalAddress ListedOperand(unsigned alet_offset) const {
    const U64 mode = cpu_.psw_mask() & Psw::kAddressSpaceMask;
    if (mode == U64{static_cast<U8>(AddressSpace::kAccessRegister)} << 46) {
      cpu_.SpecificationUnless(op_.r3 != 0);
      cpu_.ar(op_.r3) = cpu_.Load<U32>(InList(alet_offset));
    }
    const U64 address = cpu_.Load<U64>(InList(alet_offset + 4));
    return {.address = cpu_.WrapAddress(address), .base = op_.r3};
  }

  LogicalAddress FourthOperand() const { return UsesList() ? ListedOperand(kFourthAlet) : fourth_; }

  void CheckOperand(LogicalAddress at, Access access) const {
    cpu_.SpecificationUnless(at.address % Size() == 0);
    cpu_.CheckAccess(at, Size(), Access::kFetch);
    cpu_.CheckAccess(at, Size(), access);
  }

  Uint128 LoadOperand(LogicalAddress at) const {
    switch (Size()) {
      case 4:
        return cpu_.Load<U32>(at);
      case 8:
        return cpu_.Load<U64>(at);
      default:
        return cpu_.Load<Uint128>(at);
    }
  }

  void StoreOperand(LogicalAddress at, Uint128 value) const {
    switch (Size()) {
      case 4:
        return cpu_.Store<U32>(at, static_cast<U32>(value));
      case 8:
        return cpu_.Store<U64>(at, static_cast<U64>(value));
      default:
        return cpu_.Store<Uint128>(at, value);
    }
  }

  Uint128 ListValue(unsigned end) const { return LoadOperand(InList(end - Size())); }

  Uint128 Value(int number, unsigned end) const {
    switch (kind_) {
      case Kind::kRegister32:
        return cpu_.Low(number);
      case Kind::kRegister64:
        return cpu_.gr(number);
      default:
        return ListValue(end);
    }
  }

  void SetValue(int number, unsigned end, Uint128 value) const {
    switch (kind_) {
      case Kind::kRegister32:
        return cpu_.SetLow(number, static_cast<U32>(value));
      case Kind::kRegister64:
        cpu_.gr(number) = static_cast<U64>(value);
        return;
      default:
        return StoreOperand(InList(end - Size()), value);
    }
  }

  Cpu& cpu_;
  const Op& op_;
  const Operation operation_;
  const Kind kind_;
  const LogicalAddress second_;
  const LogicalAddress fourth_;
};

// General register 0.
constexpr U32 kTestBit = 0x100;
constexpr U32 kMustBeZero = 0xffff'fe00;

const Op* PerformLockedOperation(Cpu& cpu, const Op& op) {
  cpu.SpecificationUnless((cpu.Low(0) & kMustBeZero) == 0);
  const unsigned function = cpu.Low(0) & 0xff;
  if ((cpu.Low(0) & kTestBit) != 0) {
    cpu.SetCc(function < kFunctions ? 0 : 3);
    return cpu.Next(op);
  }
  cpu.SpecificationUnless(function < kFunctions);
  LockedOperation operation(cpu, op, function);
  // ALETs go by way of an access register, which keeps none if the operation is not performed.
  const U32 alet = cpu.ar(op.r3);
  auto put_back = absl::MakeCleanup([&] { cpu.ar(op.r3) = alet; });
  operation.Check();
  // Whoever waits here could not take part in a purge that the holder waits for: try again.
  absl::Mutex& lock = cpu.group().operation_lock();
  if (!lock.TryLock()) return cpu.Again(op);
  const auto unlock =
      absl::MakeCleanup([&lock]() ABSL_NO_THREAD_SAFETY_ANALYSIS { lock.Unlock(); });
  cpu.SetCc(operation.Perform());
  std::move(put_back).Cancel();
  return cpu.Next(op);
}

constexpr Instruction kTable[] = {
    {0xee, "PLO", Format::kSS_e, kBase, Branching<&PerformLockedOperation>},
};

}  // namespace

absl::Span<const Instruction> LockedOperationInstructions() { return kTable; }

}  // namespace lethe::emulated
