// Control (and some general) instructions that tell the program what machine it runs on.

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/big_endian.h"
#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/facility_list.h"

namespace lethe::emulated {
namespace {

FacilityList SeenFacilities(Cpu& cpu) {
  return FacilitiesOf(cpu.model().facilities, cpu.configuration());
}

void StoreFacilityList(Cpu& cpu, const Op&) {
  constexpr std::uint64_t kAssignedLocation = 200;
  std::array<std::uint8_t, 4> list;
  StoreBigEndian(list.data(), static_cast<std::uint32_t>(SeenFacilities(cpu).Doubleword(0) >> 32));
  // Neither key-controlled nor low-address protection applies.
  if (!cpu.WriteReal(kAssignedLocation, list)) cpu.Interrupt(ProgramCode::kAddressing);
}

void StoreFacilityListExtended(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 8 == 0);
  const FacilityList seen = SeenFacilities(cpu);
  const std::size_t needed = seen.SignificantDoublewords();
  const std::size_t wanted = (cpu.gr(0) & 0xff) + 1;
  const std::size_t stored = std::min(needed, wanted);
  std::array<std::uint8_t, 8 * FacilityList::kDoublewords> bytes;
  for (std::size_t i = 0; i < stored; ++i) {
    StoreBigEndian(bytes.data() + 8 * i, seen.Doubleword(i));
  }
  cpu.StoreBytes(operand, absl::MakeConstSpan(bytes).first(8 * stored));
  cpu.gr(0) = (cpu.gr(0) & ~std::uint64_t{0xff}) | (needed - 1);
  cpu.SetCc(wanted >= needed ? 0 : 3);
}

void StoreCpuId(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 8 == 0);
  cpu.Store<std::uint64_t>(operand, cpu.model().cpu_id);
}

void StoreCpuAddress(Cpu& cpu, const Op& op) {
  const LogicalAddress operand = cpu.Operand2(op);
  cpu.SpecificationUnless(operand.address % 2 == 0);
  cpu.Store<std::uint16_t>(operand, cpu.address());
}

// The operand may lie anywhere.
void LoadProgramParameter(Cpu& cpu, const Op& op) {
  cpu.registers().program_parameter = cpu.Load<std::uint64_t>(cpu.Operand2(op));
}

// EXTRACT CPU ATTRIBUTE shows one cache level, private to the CPU, of a z196.
struct CacheLevel {
  std::uint64_t line;
  std::uint64_t size;
  std::uint64_t ways;
};
constexpr CacheLevel kDataCache = {256, 128 * 1024, 8};
constexpr CacheLevel kInstructionCache = {256, 64 * 1024, 4};

std::uint64_t CacheAttribute(std::uint64_t address) {
  constexpr std::uint64_t kNotProvided = ~std::uint64_t{0};
  constexpr std::uint64_t kPrivateSplitLevelOne = std::uint64_t{0x04} << 56;
  const bool instruction = (address & 1) != 0;
  const auto level = (address >> 1) & 7;
  const auto attribute = (address >> 4) & 15;
  if (address >> 8 != 0) return kNotProvided;
  if (attribute == 0) return kPrivateSplitLevelOne;
  if (level != 0) return kNotProvided;
  const CacheLevel& cache = instruction ? kInstructionCache : kDataCache;
  switch (attribute) {
    case 1:
      return cache.line;
    case 2:
      return cache.size;
    case 3:
      return cache.ways;
    default:
      return kNotProvided;
  }
}

void ExtractCpuAttribute(Cpu& cpu, const Op& op) {
  cpu.gr(op.r1) = CacheAttribute(cpu.Address2(op) & 0xff'ffff);
}

constexpr Instruction kInstructions[] = {
    {0xb202, "STIDP", Format::kS, kBase, Privileged<&StoreCpuId>},
    {0xb212, "STAP", Format::kS, kBase, Privileged<&StoreCpuAddress>},
    {0xb280, "LPP", Format::kS, 40, Privileged<&LoadProgramParameter>},
    {0xb2b0, "STFLE", Format::kS, 7, Straight<&StoreFacilityListExtended>},
    {0xb2b1, "STFL", Format::kS, kBase, Privileged<&StoreFacilityList>},
    {0xeb4c, "ECAG", Format::kRSY_a, 34, Straight<&ExtractCpuAttribute>},
};

}  // namespace

absl::Span<const Instruction> FacilityInstructions() { return kInstructions; }

}  // namespace lethe::emulated
