#ifndef LETHE_EMULATED_HOST_CPU_CPU_INLINE_H_
#define LETHE_EMULATED_HOST_CPU_CPU_INLINE_H_

// Bodies of the accessors that instruction functions inline. Included by cpu.h.

#include <algorithm>
#include <cstddef>

#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {

inline void Cpu::SetLow(int n, std::uint32_t value) {
  std::uint64_t& whole = registers_.general[n];
  whole = (whole & 0xffff'ffff'0000'0000) | value;
}

inline void Cpu::SetHigh(int n, std::uint32_t value) {
  std::uint64_t& whole = registers_.general[n];
  whole = (whole & 0xffff'ffff) | std::uint64_t{value} << 32;
}

inline void Cpu::SetCcCompare(std::int64_t a, std::int64_t b) {
  cc_ = static_cast<std::uint8_t>((a > b) << 1 | (a < b));
}
inline void Cpu::SetCcCompare(std::uint64_t a, std::uint64_t b) {
  cc_ = static_cast<std::uint8_t>((a > b) << 1 | (a < b));
}
inline void Cpu::SetCcSign(std::int64_t result) { SetCcCompare(result, std::int64_t{0}); }
inline void Cpu::SetCcNonZero(std::uint64_t result) { cc_ = result != 0; }

inline void Cpu::SetCcOverflow() {
  cc_ = 3;
  if (registers_.psw.mask & Psw::Bit(20)) Interrupt(ProgramCode::kFixedPointOverflow);
}

// A general register or, for kZeroRegister, the zero behind them.
inline std::uint64_t Cpu::AddressPart(int number) const {
  const char* const first =
      reinterpret_cast<const char*>(&registers_) + offsetof(Registers, general);
  return reinterpret_cast<const std::uint64_t*>(first)[number];
}

// As access registers are numbered, for which "no register" is 0.
inline std::uint8_t Cpu::BaseNumber(std::uint8_t number) { return number % kZeroRegister; }

inline std::uint64_t Cpu::Address1(const Op& op) {
  return (AddressPart(op.b1) + static_cast<std::uint64_t>(std::int64_t{op.d1})) & address_mask_;
}

inline std::uint64_t Cpu::Address2(const Op& op) {
  return (AddressPart(op.b2) + AddressPart(op.i5) +
          static_cast<std::uint64_t>(std::int64_t{op.d2})) &
         address_mask_;
}

inline LogicalAddress Cpu::Operand1(const Op& op) { return {Address1(op), BaseNumber(op.b1)}; }
inline LogicalAddress Cpu::Operand2(const Op& op) { return {Address2(op), BaseNumber(op.b2)}; }

inline std::uint64_t Cpu::InstructionAddress(const Op& op) {
  return op.executed ? executed_address_ : code_base_ + op.offset;
}

inline std::uint8_t Cpu::InstructionLength(const Op& op) {
  return op.executed ? executed_length_ : op.length;
}

inline std::uint64_t Cpu::NextAddress(const Op& op) {
  return (InstructionAddress(op) + InstructionLength(op)) & address_mask_;
}

inline std::uint64_t Cpu::RelativeAddress(const Op& op) {
  const std::uint64_t from = op.executed ? executed_target_ : code_base_ + op.offset;
  return (from + static_cast<std::uint64_t>(op.i2)) & address_mask_;
}

inline LogicalAddress Cpu::AddressInRegister(int n) {
  return {registers_.general[n] & address_mask_, static_cast<std::uint8_t>(n)};
}

inline void Cpu::SetAddressInRegister(int n, std::uint64_t address) {
  if (address_mask_ == ~std::uint64_t{0}) {
    registers_.general[n] = address;
  } else {
    SetLow(n, static_cast<std::uint32_t>(address & address_mask_));
  }
}

inline int Cpu::AddressingBits() {
  if (registers_.psw.mask & Psw::kExtendedAddressing) return 64;
  return registers_.psw.mask & Psw::kBasicAddressing ? 31 : 24;
}

template <typename T>
inline T Cpu::Load(LogicalAddress from) {
  const TlbEntry& entry = data_read_[AddressContext::Index(from.address)];
  if ((from.address & (kPageMask | (sizeof(T) - 1))) == entry.tag) [[likely]] {
    return ReadAligned<T>(reinterpret_cast<const std::uint8_t*>(entry.addend + from.address));
  }
  if constexpr (sizeof(T) == 16) {
    return LoadSlow16(from);
  } else {
    return static_cast<T>(LoadSlow(from, sizeof(T)));
  }
}

template <typename T>
inline void Cpu::Store(LogicalAddress to, T value) {
  const TlbEntry& entry = data_write_[AddressContext::Index(to.address)];
  if ((to.address & (kPageMask | (sizeof(T) - 1))) == entry.tag) [[likely]] {
    WriteAligned<T>(reinterpret_cast<std::uint8_t*>(entry.addend + to.address), value);
    return;
  }
  if constexpr (sizeof(T) == 16) {
    StoreSlow16(to, value);
  } else {
    StoreSlow(to, value, sizeof(T));
  }
}

inline absl::Span<const std::uint8_t> Cpu::FetchSpan(LogicalAddress from, std::size_t length) {
  length = std::min<std::size_t>(length, kPageSize - from.address % kPageSize);
  const TlbEntry& entry = data_read_[AddressContext::Index(from.address)];
  if ((from.address & kPageMask) == entry.tag) [[likely]] {
    return {reinterpret_cast<const std::uint8_t*>(entry.addend + from.address), length};
  }
  return {SpanSlow(from, Access::kFetch, length), length};
}

inline absl::Span<std::uint8_t> Cpu::StoreSpan(LogicalAddress to, std::size_t length) {
  length = std::min<std::size_t>(length, kPageSize - to.address % kPageSize);
  const TlbEntry& entry = data_write_[AddressContext::Index(to.address)];
  if ((to.address & kPageMask) == entry.tag) [[likely]] {
    return {reinterpret_cast<std::uint8_t*>(entry.addend + to.address), length};
  }
  return {SpanSlow(to, Access::kStore, length), length};
}

template <typename T>
inline T* Cpu::Interlocked(LogicalAddress at) {
  SpecificationUnless(at.address % sizeof(T) == 0);
  const TlbEntry& entry = data_write_[AddressContext::Index(at.address)];
  if ((at.address & kPageMask) == entry.tag) [[likely]] {
    return reinterpret_cast<T*>(entry.addend + at.address);
  }
  return reinterpret_cast<T*>(SpanSlow(at, Access::kStore, sizeof(T)));
}

template <typename T>
inline T Cpu::LoadReal(std::uint64_t real) {
  PageFrame frame;
  const std::uint64_t absolute = RealTarget(real, sizeof(T), Access::kFetch, &frame);
  return ReadAligned<T>(frame.bytes + absolute % kPageSize);
}

template <typename T>
inline void Cpu::StoreReal(std::uint64_t real, T value) {
  PageFrame frame;
  const std::uint64_t absolute = RealTarget(real, sizeof(T), Access::kStore, &frame);
  WriteAligned<T>(frame.bytes + absolute % kPageSize, value);
  if (frame.code->load(std::memory_order_relaxed) != 0) CodeStored(absolute, sizeof(T));
}

template <typename T>
inline T Cpu::LoadAbsolute(std::uint64_t absolute) {
  return ReadAligned<T>(AccessibleFrame(absolute).bytes + absolute % kPageSize);
}

template <typename T>
inline void Cpu::StoreAbsolute(std::uint64_t absolute, T value) {
  const PageFrame frame = AccessibleFrame(absolute);
  WriteAligned<T>(frame.bytes + absolute % kPageSize, value);
  if (frame.code->load(std::memory_order_relaxed) != 0) CodeStored(absolute, sizeof(T));
}

inline void Cpu::SpecificationUnless(bool condition) {
  if (!condition) [[unlikely]]
    Interrupt(ProgramCode::kSpecification);
}

inline void Cpu::PrivilegedOperationIfProblemState() {
  if (ProblemState()) [[unlikely]]
    Interrupt(ProgramCode::kPrivilegedOperation);
}

inline std::uint64_t Cpu::psw_mask() const {
  return (registers_.psw.mask & ~Psw::kConditionCodeMask) | std::uint64_t{cc_} << 44;
}

inline void Cpu::SetBreakingEvent() {
  breaking_base_ = code_base_;
  breaking_op_ = reinterpret_cast<std::uintptr_t>(current_) | kHasBase;
}

inline const Op* Cpu::BranchTo(std::uint64_t address) {
  SetBreakingEvent();
  return Jump(address);
}

inline const Op* Cpu::Jump(std::uint64_t address) {
  address &= address_mask_;
  const JumpEntry& entry = (*jumps_)[JumpIndex(address)];
  if (entry.address == address && entry.context == code_context_id_) [[likely]] {
    code_base_ = address & kPageMask;
    return ops_ + entry.op;
  }
  return LeaveBlock(address);
}

inline const Op* Cpu::BranchRelative(const Op& op) {
  if ((op.link & 1) == 0) [[likely]] {
    breaking_op_ = reinterpret_cast<std::uintptr_t>(&op);
    return reinterpret_cast<const Op*>(reinterpret_cast<const char*>(&op) + op.link);
  }
  return LinkBranch(op);
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CPU_INLINE_H_
