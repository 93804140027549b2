#ifndef LETHE_EMULATED_HOST_CPU_ENTRY_TABLE_H_
#define LETHE_EMULATED_HOST_CPU_ENTRY_TABLE_H_

#include <cstdint>

#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {

// What a PC number leads to (Principles of Operation, "PC-Number Translation").
struct EntryTableEntry {
  std::uint64_t instruction_address = 0;
  std::uint64_t mode_bits = 0;  // PSW bits 31 and 32 of the called program
  bool problem_state = false;
  std::uint16_t authorization_key_mask = 0;
  std::uint16_t asn = 0;  // 0: the current primary space
  std::uint16_t entry_key_mask = 0;
  bool stacking = false;
  bool replaces_key = false;
  bool replaces_key_mask = false;
  bool replaces_extended_authorization = false;
  bool access_register_mode = false;
  bool secondary_is_new_primary = false;
  std::uint8_t entry_key = 0;
  std::uint16_t extended_authorization_index = 0;
  std::uint64_t aste_origin = 0;  // real address
  std::uint64_t parameter = 0;

  bool is_long() const { return (mode_bits & Psw::kExtendedAddressing) != 0; }
};

// Throws special-operation (the primary space has no linkage table), LX- and EX-translation, and
// what access to the tables meets.
EntryTableEntry TranslatePcNumber(Cpu& cpu, std::uint32_t number);

// The linkage-table designation of the primary space; special-operation if subsystem linkage is
// off.
std::uint32_t LinkageTableDesignation(Cpu& cpu);

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_ENTRY_TABLE_H_
