#ifndef LETHE_VMM_INSTRUCTION_H_
#define LETHE_VMM_INSTRUCTION_H_

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "accel/kvm-s390/flic.h"
#include "accel/kvm-s390/vcpu.h"
#include "base/log.h"
#include "pv/ipl_parameter_block.h"
#include "vmm/cpu_set.h"
#include "vmm/guest_memory.h"
#include "vmm/machine_request.h"
#include "vmm/operand_access.h"
#include "vmm/sclp.h"
#include "vmm/vcpu_thread.h"

namespace lethe::vmm {

// The text of an instruction that KVM left to us: first halfword and the four bytes behind it.
struct InstructionText {
  std::uint16_t ipa = 0;
  std::uint32_t ipb = 0;

  // RS format: opcode R1 R3 B2 D2.
  unsigned rs_r1() const { return (ipa >> 4) & 0xf; }
  unsigned rs_r3() const { return ipa & 0xf; }
  // RRE format: opcode(16) // R1 R2.
  unsigned rre_r1() const { return (ipb >> 20) & 0xf; }
  unsigned rre_r2() const { return (ipb >> 16) & 0xf; }
  // S and RS format: B2 D2.
  unsigned base() const { return ipb >> 28; }
  unsigned displacement() const { return (ipb >> 16) & 0xfff; }
};

// What instruction handlers reach of the machine. The operand access changes with the guest's mode,
// while all CPUs are out.
struct Platform {
  GuestMemory& memory;
  CpuSet& cpus;
  Sclp& sclp;
  const kvm::Flic& flic;
  RequestQueue& requests;
  IplParameterBlocks& ipl_blocks;
  std::mutex& ipl_mutex;  // guards ipl_blocks
  const Log& log;
  const OperandAccess* operands;
  bool secure_execution;  // the host can run protected guests
  std::string name;       // of the guest
  std::array<std::uint8_t, 16> uuid;
};

// One instruction to execute, on its CPU's thread.
struct Instruction {
  VcpuThread& cpu;
  InstructionText text;
  Platform& platform;

  std::uint64_t& gpr(unsigned number) const { return cpu.vcpu().registers().gprs[number]; }
  bool protected_guest() const { return platform.operands->guest_is_protected(); }
  bool problem_state() const;
  // B2 + D2, wrapped to the addressing mode of an ordinary guest.
  std::uint64_t Address() const;
  OperandAddress LogicalOperand() const {
    return {OperandAddress::Space::kLogical, Address(), static_cast<std::uint8_t>(text.base())};
  }
  absl::StatusOr<ProgramCode> Read(OperandAddress from, absl::Span<std::uint8_t> to) const {
    return platform.operands->Read(cpu.vcpu(), from, to);
  }
  absl::StatusOr<ProgramCode> Write(OperandAddress to, absl::Span<const std::uint8_t> from) const {
    return platform.operands->Write(cpu.vcpu(), to, from);
  }
};

// How an instruction ended.
struct Completion {
  std::optional<unsigned> condition_code;         // unchanged if there is none
  ProgramCode interruption = ProgramCode::kNone;  // the instruction is suppressed
  bool park = false;                              // a request to the machine's owner is posted

  static Completion Done() { return {}; }
  static Completion WithCode(unsigned condition_code) {
    return {condition_code, ProgramCode::kNone, false};
  }
  static Completion Interrupted(ProgramCode code) { return {std::nullopt, code, false}; }
  static Completion Parked() { return {std::nullopt, ProgramCode::kNone, true}; }
};

using InstructionHandler = absl::StatusOr<Completion> (*)(const Instruction&);

}  // namespace lethe::vmm

#endif  // LETHE_VMM_INSTRUCTION_H_
