#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <type_traits>

#include "base/big_endian.h"
#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using S8 = std::int8_t;
using S32 = std::int32_t;
using S64 = std::int64_t;
using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

// Stores `desired` if the operand equals `expected`; returns what was there. Host-order values. The
// operation serializes, as the manual asks of all interlocked-update instructions.
template <typename T>
T CompareExchange(T* at, T expected, T desired) {
  return SwapIfLittleEndian<T>(
      CompareAndSwapAligned<T>(at, SwapIfLittleEndian(expected), SwapIfLittleEndian(desired)));
}

// Replaces the operand by update(old); returns the old value.
template <typename T, typename Update>
T FetchAndUpdate(T* at, Update update) {
  std::atomic_ref<T> cell(*at);
  T stored = cell.load(std::memory_order_relaxed);
  while (!cell.compare_exchange_weak(
      stored, SwapIfLittleEndian<T>(update(SwapIfLittleEndian<T>(stored))))) {
  }
  return SwapIfLittleEndian<T>(stored);
}

// CS, CSG.
template <typename T>
void CompareAndSwap(Cpu& cpu, const Op& op) {
  T* const operand = cpu.Interlocked<T>(cpu.Operand2(op));
  const T expected = RegisterAs<T>(cpu, op.r1);
  const T found = CompareExchange(operand, expected, RegisterAs<T>(cpu, op.r3));
  if (found != expected) SetRegisterAs<T>(cpu, op.r1, found);
  cpu.SetCc(found == expected ? 0 : 1);
}

// CDS, CDSG: each of the two operands is an even-odd pair. T is one half, Pair both.
template <typename Pair, typename T>
Pair InPairAt(Cpu& cpu, int even) {
  return static_cast<Pair>(RegisterAs<T>(cpu, even)) << (8 * sizeof(T)) |
         RegisterAs<T>(cpu, even + 1);
}

template <typename Pair, typename T>
void CompareDoubleAndSwap(Cpu& cpu, const Op& op) {
  cpu.SpecificationUnless(op.r1 % 2 == 0 && op.r3 % 2 == 0);
  Pair* const operand = cpu.Interlocked<Pair>(cpu.Operand2(op));
  const Pair expected = InPairAt<Pair, T>(cpu, op.r1);
  const Pair found = CompareExchange(operand, expected, InPairAt<Pair, T>(cpu, op.r3));
  if (found != expected) {
    SetRegisterAs<T>(cpu, op.r1, static_cast<T>(found >> (8 * sizeof(T))));
    SetRegisterAs<T>(cpu, op.r1 + 1, static_cast<T>(found));
  }
  cpu.SetCc(found == expected ? 0 : 1);
}

void TestAndSet(Cpu& cpu, const Op& op) {
  U8* const operand = cpu.Interlocked<U8>(cpu.Operand2(op));
  const U8 old = std::atomic_ref<U8>(*operand).exchange(0xff);
  cpu.SetCc(old >> 7);
}

// How LAA and its kin combine. Signed additions overflow, logical ones carry.
struct AddSigned {
  template <typename T>
  static T Of(T a, T b) {
    return static_cast<T>(a + b);
  }
  template <typename T>
  static void SetCc(Cpu& cpu, T a, T b) {
    std::make_signed_t<T> sum;
    const bool overflow = __builtin_add_overflow(static_cast<std::make_signed_t<T>>(a),
                                                 static_cast<std::make_signed_t<T>>(b), &sum);
    SetCcSigned(cpu, sum, overflow);
  }
};
struct AddUnsigned {
  template <typename T>
  static T Of(T a, T b) {
    return static_cast<T>(a + b);
  }
  template <typename T>
  static void SetCc(Cpu& cpu, T a, T b) {
    T sum;
    const bool carry = __builtin_add_overflow(a, b, &sum);
    cpu.SetCc(static_cast<U8>(static_cast<unsigned>(carry) << 1 | static_cast<unsigned>(sum != 0)));
  }
};
struct And {
  template <typename T>
  static T Of(T a, T b) {
    return a & b;
  }
  template <typename T>
  static void SetCc(Cpu& cpu, T a, T b) {
    cpu.SetCcNonZero(a & b);
  }
};
struct Or {
  template <typename T>
  static T Of(T a, T b) {
    return a | b;
  }
  template <typename T>
  static void SetCc(Cpu& cpu, T a, T b) {
    cpu.SetCcNonZero(a | b);
  }
};
struct ExclusiveOr {
  template <typename T>
  static T Of(T a, T b) {
    return a ^ b;
  }
  template <typename T>
  static void SetCc(Cpu& cpu, T a, T b) {
    cpu.SetCcNonZero(a ^ b);
  }
};

// LAA, LAN ...: R1 gets what was in storage.
template <typename Operation, typename T>
void LoadAnd(Cpu& cpu, const Op& op) {
  T* const operand = cpu.Interlocked<T>(cpu.Operand2(op));
  const T value = RegisterAs<T>(cpu, op.r3);
  const T old = FetchAndUpdate(
      operand, [value](T stored) { return Operation::template Of<T>(stored, value); });
  SetRegisterAs<T>(cpu, op.r1, old);
  Operation::template SetCc<T>(cpu, old, value);
}

// ASI, ALSI ...: interlocked when aligned, an ordinary fetch and store otherwise.
template <typename Operation, typename T>
void AddImmediateToStorage(Cpu& cpu, const Op& op) {
  const LogicalAddress at = cpu.Operand1(op);
  const T value = static_cast<T>(InImmediate<S8>(cpu, op));
  T old;
  if (at.address % sizeof(T) == 0) {
    old = FetchAndUpdate(cpu.Interlocked<T>(at),
                         [value](T stored) { return static_cast<T>(stored + value); });
  } else {
    cpu.CheckAccess(at, sizeof(T), Access::kStore);
    old = cpu.Load<T>(at);
    cpu.Store<T>(at, static_cast<T>(old + value));
  }
  Operation::template SetCc<T>(cpu, old, value);
}

// --- COMPARE AND SWAP AND STORE --------------------------------------------------------------

// Storage operand of `size` bytes, as a 128-bit number.
Uint128 LoadSized(Cpu& cpu, LogicalAddress at, unsigned size) {
  switch (size) {
    case 1:
      return cpu.Load<U8>(at);
    case 2:
      return cpu.Load<U16>(at);
    case 4:
      return cpu.Load<U32>(at);
    case 8:
      return cpu.Load<U64>(at);
    default:
      return cpu.Load<Uint128>(at);
  }
}

void StoreSized(Cpu& cpu, LogicalAddress at, unsigned size, Uint128 value) {
  switch (size) {
    case 1:
      return cpu.Store<U8>(at, static_cast<U8>(value));
    case 2:
      return cpu.Store<U16>(at, static_cast<U16>(value));
    case 4:
      return cpu.Store<U32>(at, static_cast<U32>(value));
    case 8:
      return cpu.Store<U64>(at, static_cast<U64>(value));
    default:
      return cpu.Store<Uint128>(at, value);
  }
}

// Swaps in the replacement if R3 (or the pair) equals the operand; otherwise loads R3 from it.
template <typename T>
bool SwapByRegister(Cpu& cpu, LogicalAddress at, int number, T replacement) {
  const T expected = RegisterAs<T>(cpu, number);
  const T found = CompareExchange(cpu.Interlocked<T>(at), expected, replacement);
  if (found != expected) SetRegisterAs<T>(cpu, number, found);
  return found == expected;
}

bool SwapByPair(Cpu& cpu, LogicalAddress at, int even, Uint128 replacement) {
  const Uint128 expected = InPairAt<Uint128, U64>(cpu, even);
  const Uint128 found = CompareExchange(cpu.Interlocked<Uint128>(at), expected, replacement);
  if (found != expected) {
    cpu.gr(even) = static_cast<U64>(found >> 64);
    cpu.gr(even + 1) = static_cast<U64>(found);
  }
  return found == expected;
}

// CSST. Register 0: function code in bits 56-63 (0: 4, 1: 8, 2: 16 bytes swapped), store
// characteristic in bits 48-55 (power of two). Register 1: address of the parameter list, which
// holds the replacement value, then at 16 the value to store.
void CompareAndSwapAndStore(Cpu& cpu, const Op& op) {
  const unsigned function = cpu.gr(0) & 0xff;
  const unsigned characteristic = cpu.gr(0) >> 8 & 0xff;
  const bool second_facility = cpu.HasFacility(33);
  cpu.SpecificationUnless(function <= (second_facility ? 2u : 1u) &&
                          characteristic <= (second_facility ? 4u : 3u));
  const unsigned swap_size = 4u << function;
  const unsigned store_size = 1u << characteristic;
  const LogicalAddress first = cpu.Operand1(op);
  const LogicalAddress second = cpu.Operand2(op);
  LogicalAddress parameters = cpu.AddressInRegister(1);
  parameters.address &= ~std::uint64_t{15};  // whatever the register's last bits say
  cpu.SpecificationUnless(first.address % swap_size == 0 && second.address % store_size == 0 &&
                          (function != 2 || op.r3 % 2 == 0));
  const Uint128 replacement = LoadSized(cpu, parameters, swap_size);
  const LogicalAddress store_value{.address = cpu.WrapAddress(parameters.address + 16),
                                   .base = parameters.base};
  const Uint128 stored = LoadSized(cpu, store_value, store_size);
  cpu.CheckAccess(second, store_size, Access::kStore);
  const bool swapped =
      function == 0   ? SwapByRegister<U32>(cpu, first, op.r3, static_cast<U32>(replacement))
      : function == 1 ? SwapByRegister<U64>(cpu, first, op.r3, static_cast<U64>(replacement))
                      : SwapByPair(cpu, first, op.r3, replacement);
  if (swapped) StoreSized(cpu, second, store_size, stored);
  cpu.SetCc(swapped ? 0 : 1);
}

constexpr Instruction kTable[] = {
    {0xba, "CS", Format::kRS_a, kBase, Straight<&CompareAndSwap<U32>>},
    {0xeb14, "CSY", Format::kRSY_a, 18, Straight<&CompareAndSwap<U32>>},
    {0xeb30, "CSG", Format::kRSY_a, kBase, Straight<&CompareAndSwap<U64>>},
    {0xbb, "CDS", Format::kRS_a, kBase, Straight<&CompareDoubleAndSwap<U64, U32>>},
    {0xeb31, "CDSY", Format::kRSY_a, 18, Straight<&CompareDoubleAndSwap<U64, U32>>},
    {0xeb3e, "CDSG", Format::kRSY_a, kBase, Straight<&CompareDoubleAndSwap<Uint128, U64>>},
    {0xc82, "CSST", Format::kSSF, 32, Straight<&CompareAndSwapAndStore>},
    {0x93, "TS", Format::kS, kBase, Straight<&TestAndSet>},
    // Interlocked-access facility 1
    {0xebf8, "LAA", Format::kRSY_a, 45, Straight<&LoadAnd<AddSigned, U32>>},
    {0xebe8, "LAAG", Format::kRSY_a, 45, Straight<&LoadAnd<AddSigned, U64>>},
    {0xebfa, "LAAL", Format::kRSY_a, 45, Straight<&LoadAnd<AddUnsigned, U32>>},
    {0xebea, "LAALG", Format::kRSY_a, 45, Straight<&LoadAnd<AddUnsigned, U64>>},
    {0xebf4, "LAN", Format::kRSY_a, 45, Straight<&LoadAnd<And, U32>>},
    {0xebe4, "LANG", Format::kRSY_a, 45, Straight<&LoadAnd<And, U64>>},
    {0xebf6, "LAO", Format::kRSY_a, 45, Straight<&LoadAnd<Or, U32>>},
    {0xebe6, "LAOG", Format::kRSY_a, 45, Straight<&LoadAnd<Or, U64>>},
    {0xebf7, "LAX", Format::kRSY_a, 45, Straight<&LoadAnd<ExclusiveOr, U32>>},
    {0xebe7, "LAXG", Format::kRSY_a, 45, Straight<&LoadAnd<ExclusiveOr, U64>>},
    {0xeb6a, "ASI", Format::kSIY, 34, Straight<&AddImmediateToStorage<AddSigned, U32>>},
    {0xeb7a, "AGSI", Format::kSIY, 34, Straight<&AddImmediateToStorage<AddSigned, U64>>},
    {0xeb6e, "ALSI", Format::kSIY, 34, Straight<&AddImmediateToStorage<AddUnsigned, U32>>},
    {0xeb7e, "ALGSI", Format::kSIY, 34, Straight<&AddImmediateToStorage<AddUnsigned, U64>>},
};

}  // namespace

absl::Span<const Instruction> AtomicInstructions() { return kTable; }

}  // namespace lethe::emulated
