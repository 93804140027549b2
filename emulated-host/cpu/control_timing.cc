// Control (and two general) instructions on the TOD clock, clock comparator and CPU timer.

#include <array>
#include <cstdint>

#include "base/big_endian.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"

namespace lethe::emulated {
namespace {

LogicalAddress DoublewordOperand(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 8 == 0);
  return operand;
}

// The clock is always in the set state.
constexpr std::uint8_t kClockIsSet = 0;

void StoreClock(Cpu& cpu, const Op& op) {
  cpu.Store<std::uint64_t>(cpu.Operand2(op), cpu.group().UniqueTod(cpu));
  cpu.SetCc(kClockIsSet);
}

void StoreClockFast(Cpu& cpu, const Op& op) {
  cpu.Store<std::uint64_t>(cpu.Operand2(op), cpu.Tod());
  cpu.SetCc(kClockIsSet);
}

void StoreClockExtended(Cpu& cpu, const Op& op) {
  // Epoch index (byte 0), TOD clock bits 0-63, bits 64-103 (not all zeros), programmable field.
  std::array<std::uint8_t, 16> clock{};
  StoreBigEndian<std::uint64_t>(clock.data() + 1, cpu.group().UniqueTod(cpu));
  clock[13] = 1;
  StoreBigEndian(clock.data() + 14, static_cast<std::uint16_t>(cpu.registers().tod_programmable));
  cpu.StoreBytes(cpu.Operand2(op), clock);
  cpu.SetCc(kClockIsSet);
}

const Op* SetClock(Cpu& cpu, const Op& op) {
  cpu.group().SetTod(cpu.Load<std::uint64_t>(DoublewordOperand(cpu, op)));
  cpu.SetCc(kClockIsSet);
  return cpu.Resume(cpu.NextAddress(op));
}

void SetTodProgrammableField(Cpu& cpu, const Op&) {
  const std::uint32_t value = cpu.Low(0);
  cpu.SpecificationUnless((value & 0xffff'0000) == 0);
  cpu.registers().tod_programmable = value;
}

const Op* SetClockComparator(Cpu& cpu, const Op& op) {
  cpu.SetClockComparator(cpu.Load<std::uint64_t>(DoublewordOperand(cpu, op)));
  return cpu.Resume(cpu.NextAddress(op));
}

void StoreClockComparator(Cpu& cpu, const Op& op) {
  cpu.Store<std::uint64_t>(DoublewordOperand(cpu, op), cpu.registers().clock_comparator);
}

const Op* SetCpuTimer(Cpu& cpu, const Op& op) {
  cpu.SetCpuTimer(static_cast<std::int64_t>(cpu.Load<std::uint64_t>(DoublewordOperand(cpu, op))));
  return cpu.Resume(cpu.NextAddress(op));
}

void StoreCpuTimer(Cpu& cpu, const Op& op) {
  cpu.Store<std::uint64_t>(DoublewordOperand(cpu, op), static_cast<std::uint64_t>(cpu.cpu_timer()));
}

// EXTRACT CPU TIME: GR 0 := first operand - CPU timer, GR 1 := second operand, R3 := the doubleword
// at the third operand.
void ExtractCpuTime(Cpu& cpu, const Op& op) {
  const std::uint64_t start = cpu.Load<std::uint64_t>(cpu.Operand1(op));
  const std::uint64_t used = cpu.Load<std::uint64_t>(cpu.Operand2(op));
  const std::uint64_t third = cpu.Load<std::uint64_t>(cpu.AddressInRegister(op.r3));
  cpu.gr(0) = start - static_cast<std::uint64_t>(cpu.cpu_timer());
  cpu.gr(1) = used;
  cpu.gr(op.r3) = third;
}

// As KVM without a steerable clock: no function is available.
void PerformTimingFacilityFunction(Cpu& cpu, const Op&) {
  constexpr std::uint64_t kReserved = 0x80;  // GR 0 bit 56
  cpu.SpecificationUnless((cpu.gr(0) & kReserved) == 0);
  cpu.SetCc(3);
}

constexpr Instruction kInstructions[] = {
    {0x0104, "PTFF", Format::kE, 28, Straight<&PerformTimingFacilityFunction>},
    {0x0107, "SCKPF", Format::kE, kBase, Privileged<&SetTodProgrammableField>},
    {0xb204, "SCK", Format::kS, kBase, PrivilegedBranching<&SetClock>},
    {0xb205, "STCK", Format::kS, kBase, Straight<&StoreClock>},
    {0xb206, "SCKC", Format::kS, kBase, PrivilegedBranching<&SetClockComparator>},
    {0xb207, "STCKC", Format::kS, kBase, Privileged<&StoreClockComparator>},
    {0xb208, "SPT", Format::kS, kBase, PrivilegedBranching<&SetCpuTimer>},
    {0xb209, "STPT", Format::kS, kBase, Privileged<&StoreCpuTimer>},
    {0xb278, "STCKE", Format::kS, kBase, Straight<&StoreClockExtended>},
    {0xb27c, "STCKF", Format::kS, 25, Straight<&StoreClockFast>},
    {0xc81, "ECTG", Format::kSSF, 31, Straight<&ExtractCpuTime>},
};

}  // namespace

absl::Span<const Instruction> TimingInstructions() { return kInstructions; }

}  // namespace lethe::emulated
