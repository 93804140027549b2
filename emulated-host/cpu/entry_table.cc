#include "emulated-host/cpu/entry_table.h"

#include "emulated-host/cpu/asn_translation.h"

namespace lethe::emulated {
namespace {

constexpr std::uint32_t kInvalid = 0x8000'0000;

EntryTableEntry LoadEntry(Cpu& cpu, std::uint64_t real) {
  const std::uint64_t absolute = cpu.AbsoluteOf(real);
  const auto address = cpu.LoadAbsolute<std::uint64_t>(absolute);
  const auto masks = cpu.LoadAbsolute<std::uint64_t>(absolute + 8);
  const auto options = cpu.LoadAbsolute<std::uint64_t>(absolute + 16);
  const auto option = [&](int bit) { return (options & Psw::Bit(bit)) != 0; };

  EntryTableEntry entry;
  if (option(1)) {
    entry.mode_bits = Psw::kExtendedAddressing | Psw::kBasicAddressing;
    entry.instruction_address = address & ~std::uint64_t{1};
  } else {
    entry.mode_bits = (address & kInvalid) != 0 ? Psw::kBasicAddressing : 0;
    entry.instruction_address = address & 0x7fff'fffe;
  }
  entry.problem_state = (address & 1) != 0;
  entry.authorization_key_mask = static_cast<std::uint16_t>(masks >> 48);
  entry.asn = static_cast<std::uint16_t>(masks >> 32);
  entry.entry_key_mask = static_cast<std::uint16_t>(masks >> 16);
  entry.stacking = option(0);
  entry.replaces_key = option(3);
  entry.replaces_key_mask = option(4);
  entry.replaces_extended_authorization = option(5);
  entry.access_register_mode = option(6);
  entry.secondary_is_new_primary = option(7);
  entry.entry_key = static_cast<std::uint8_t>(options >> 52 & 15);
  entry.extended_authorization_index = static_cast<std::uint16_t>(options >> 32);
  entry.aste_origin = options & 0x7fff'ffc0;
  entry.parameter = cpu.LoadAbsolute<std::uint64_t>(absolute + 24);
  return entry;
}

}  // namespace

std::uint32_t LinkageTableDesignation(Cpu& cpu) {
  constexpr std::uint64_t kOffset = 24;  // in the primary ASN-second-table entry
  constexpr std::uint32_t kSubsystemLinkage = 0x8000'0000;
  const std::uint64_t aste = cpu.cr(5) & 0x7fff'ffc0;
  const auto designation = cpu.LoadAbsolute<std::uint32_t>(cpu.AbsoluteOf(aste + kOffset));
  if ((designation & kSubsystemLinkage) == 0) cpu.Interrupt(ProgramCode::kSpecialOperation);
  return designation;
}

EntryTableEntry TranslatePcNumber(Cpu& cpu, std::uint32_t number) {
  const std::uint32_t designation = LinkageTableDesignation(cpu);
  const std::uint32_t linkage_index = number >> 8;
  const std::uint32_t entry_index = number & 0xff;
  // Lengths count blocks: of 32 linkage-table entries, of 4 entry-table entries.
  if (linkage_index / 32 > (designation & 0x7f)) {
    ThrowWithNumber(ProgramCode::kLxTranslation, number);
  }
  const std::uint64_t linkage = (designation & 0x7fff'ff80) + linkage_index * std::uint64_t{4};
  const auto linkage_entry = cpu.LoadAbsolute<std::uint32_t>(cpu.AbsoluteOf(linkage));
  if ((linkage_entry & kInvalid) != 0) ThrowWithNumber(ProgramCode::kLxTranslation, number);
  if (entry_index / 4 > (linkage_entry & 0x3f)) {
    ThrowWithNumber(ProgramCode::kExTranslation, number);
  }
  return LoadEntry(cpu, (linkage_entry & 0x7fff'ffc0) + entry_index * std::uint64_t{32});
}

}  // namespace lethe::emulated
