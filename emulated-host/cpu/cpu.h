#ifndef LETHE_EMULATED_HOST_CPU_CPU_H_
#define LETHE_EMULATED_HOST_CPU_CPU_H_

// CONTRACT HEADER: the owner of the CPU core completes this file; the declarations here are what
// the KVM layer and the instruction chapters build on.

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "emulated-host/cpu/cpu_host.h"
#include "emulated-host/cpu/instruction.h"
#include "emulated-host/cpu/program_interruption.h"
#include "emulated-host/cpu/registers.h"
#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {

// Where an operand lies: a logical address and the number of the base register that formed it
// (which selects the access register in access-register mode).
struct LogicalAddress {
  std::uint64_t address = 0;
  std::uint8_t base = 0;
};

enum class Access : std::uint8_t { kFetch, kStore, kInstructionFetch };

// Why Cpu::Run returned.
struct Exit {
  enum class Reason : std::uint8_t {
    kInstruction,  // an instruction the host completes; PSW is behind it; text in `text`
    kWait,         // the PSW has the wait bit on
    kOperation,    // operation exception, reported only if CpuModel::intercept_operation
    kProgramLoop,  // the program-new PSW is invalid or loops on the same exception
    kHost,         // a CpuHost function said kLeave
  };
  Reason reason = Reason::kHost;
  // First halfword of the instruction, and the four bytes behind it (SIE: IPA and IPB).
  std::uint16_t ipa = 0;
  std::uint32_t ipb = 0;
  std::uint8_t length = 0;         // of the instruction; an executed one: of EX/EXRL
  ProgramCode program = ProgramCode::kNone;  // kProgramLoop
};


// One z/Architecture CPU. Owned by the KVM layer; Run() is called by one thread at a time. The
// members under "from any thread" may be called concurrently with Run().
//
// Instruction functions (files general_*.cc, control_*.cc, ...) take (Cpu&, const Op&) and use the
// members under "for instruction functions".
class Cpu {
 public:
  // --- for the host (KVM layer) ---------------------------------------------------------------
  // `group`: all CPUs of the machine (purges are broadcast in it). `model`: facilities, CPU id.
  Cpu(const CpuModel& model, std::uint16_t address, GuestStorage& storage, CpuGroup& group,
      CpuHost& host);
  ~Cpu();
  Exit Run();                       // until the host has something to do
  Registers& registers();           // only outside of Run() or in CpuHost calls on this thread
  std::uint16_t address() const;    // CPU address (STAP, SIGP)
  std::int64_t cpu_timer() const;   // current value; counts down while Run() is active
  void SetCpuTimer(std::int64_t value);
  void SetClockComparator(std::uint64_t value);
  void SetControl(int number, std::uint64_t value);
  void SetPrefix(std::uint32_t prefix);
  void SetPsw(const Psw& psw);
  // For which secure configuration the CPU runs; kNoConfiguration: ordinary.
  void SetConfiguration(ConfigurationId configuration);
  ConfigurationId configuration() const;

  // Interruption actions, to be called in OnAttention or outside of Run(): store the parameters in
  // the prefix area, swap PSWs, purge what must be purged. No check of masks.
  void PresentProgram(const ProgramInterruption& interruption, std::uint8_t instruction_length);
  void PresentExternal(std::uint16_t code, std::uint16_t cpu_address, std::uint32_t parameter,
                       std::uint64_t parameter64);
  void PresentInputOutput(std::uint16_t subchannel_id, std::uint16_t number,
                          std::uint32_t parameter, std::uint32_t word);
  void PresentMachineCheck(std::uint64_t code, std::uint64_t failing_address,
                           std::uint32_t external_damage);
  void PresentRestart();
  // Is a clock comparator or CPU timer interruption pending and enabled? (The CPU presents these
  // two itself at the right priority when the host asks with PresentTimers().)
  bool PresentTimers();
  // In an enabled wait: the TOD time at which a timer becomes pending (~0: never).
  std::uint64_t NextTimerDeadline() const;

  // Guest accesses on behalf of the host's instruction handlers, through DAT of this CPU. kNone or
  // the program interruption that the access meets (nothing presented).
  ProgramInterruption ReadLogical(LogicalAddress from, absl::Span<std::uint8_t> to);
  ProgramInterruption WriteLogical(LogicalAddress to, absl::Span<const std::uint8_t> from);
  bool ReadReal(std::uint64_t real, absl::Span<std::uint8_t> to);        // false: addressing
  bool WriteReal(std::uint64_t real, absl::Span<const std::uint8_t> from);
  void StoreStatus(std::uint64_t absolute);

  // Resets, on this CPU's registers only (Principles of Operation, "Resets").
  void Reset();
  void InitialReset();
  void ClearReset();

  // --- from any thread -------------------------------------------------------------------------
  void RequestAttention();                   // OnAttention is called soon
  void SetInterruptionPending(bool pending); // see CpuHost::OnAttention

  // --- for instruction functions ---------------------------------------------------------------
  std::uint64_t& gr(int n);                  // 64-bit general register
  std::uint32_t Low(int n);                  // bits 32-63
  std::uint32_t High(int n);                 // bits 0-31
  void SetLow(int n, std::uint32_t value);   // bits 0-31 unchanged
  void SetHigh(int n, std::uint32_t value);
  std::uint32_t& ar(int n);
  std::uint64_t cr(int n);                   // SetControl to change
  std::uint64_t& fpr(int n);                 // SHORT operands in the left half
  std::uint32_t& fpc();

  // Condition code; may be kept lazily.
  std::uint8_t Cc();
  void SetCc(std::uint8_t cc);
  void SetCcCompare(std::int64_t a, std::int64_t b);     // signed: 0 equal, 1 low, 2 high
  void SetCcCompare(std::uint64_t a, std::uint64_t b);   // logical
  void SetCcSign(std::int64_t result);                   // 0 zero, 1 negative, 2 positive
  void SetCcNonZero(std::uint64_t result);               // 0 zero, 1 not zero
  void SetCcOverflow();                      // cc 3, and fixed-point overflow if PSW mask enables
                                             // (throws: call it last)

  // Effective address of operand 1 / operand 2 (base, index, displacement, addressing mode).
  LogicalAddress Operand1(const Op& op);
  LogicalAddress Operand2(const Op& op);
  std::uint64_t Address1(const Op& op);      // the address only (shift counts, LA)
  std::uint64_t Address2(const Op& op);
  std::uint64_t RelativeAddress(const Op& op);           // instruction address + op.i2
  std::uint64_t InstructionAddress(const Op& op);
  std::uint64_t NextAddress(const Op& op);               // what the PSW holds after it
  std::uint64_t WrapAddress(std::uint64_t address);      // to the addressing mode
  LogicalAddress AddressInRegister(int n);   // wrapped gr(n), access register n (string operands)
  void SetAddressInRegister(int n, std::uint64_t address);  // 24/31-bit mode: bits 32-63 only
  int AddressingBits();                      // 24, 31 or 64

  // Storage, through DAT, keys, low-address protection, page ownership. T: uint8_t ... uint64_t,
  // unsigned __int128; values in host order. Each access is single-copy atomic if aligned.
  template <typename T> T Load(LogicalAddress from);
  template <typename T> void Store(LogicalAddress to, T value);
  // Any length up to 4096 (may cross one page boundary): all bytes are checked first.
  void LoadBytes(LogicalAddress from, absl::Span<std::uint8_t> to);
  void StoreBytes(LogicalAddress to, absl::Span<const std::uint8_t> from);
  // Throws what an access of `length` bytes (up to 4096) would throw; changes nothing.
  void CheckAccess(LogicalAddress at, std::size_t length, Access access);
  // Host bytes of the operand up to the end of its page (at most `length`), access checked. Valid
  // until the instruction function returns or does another access that throws.
  absl::Span<const std::uint8_t> FetchSpan(LogicalAddress from, std::size_t length);
  absl::Span<std::uint8_t> StoreSpan(LogicalAddress to, std::size_t length);
  // A naturally aligned operand for an interlocked update with host atomics (value in big-endian
  // order!). Specification exception if not aligned.
  template <typename T> T* Interlocked(LogicalAddress at);
  // Real and absolute storage (prefixing as named; no DAT; key protection as the manual says).
  template <typename T> T LoadReal(std::uint64_t real);
  template <typename T> void StoreReal(std::uint64_t real, T value);
  template <typename T> T LoadAbsolute(std::uint64_t absolute);
  template <typename T> void StoreAbsolute(std::uint64_t absolute, T value);

  // Told-no's.
  [[noreturn]] void Interrupt(ProgramCode code);         // suppressing (nullifying where the manual says)
  [[noreturn]] void DataException(std::uint8_t dxc);
  void SpecificationUnless(bool condition);
  void PrivilegedOperationIfProblemState();
  bool ProblemState();
  std::uint64_t psw_mask();                  // with the current condition code
  bool HasFacility(Facility facility);

  // Branching: a branch function returns one of these.
  const Op* BranchTo(std::uint64_t address);             // taken, any address
  const Op* BranchRelative(const Op& op);                // taken, to RelativeAddress(op); fast
  const Op* Next(const Op& op);                          // not taken
  // The PSW was changed as a whole or in its mode bits: continue at `address`.
  const Op* Resume(std::uint64_t address);
  // The host completes this instruction (Exit::kInstruction). PSW points behind it.
  const Op* Intercept(const Op& op);
};

// How a function becomes a table entry (the handler columns):
//   Straight<&F>    void F(Cpu&, const Op&)        falls through to the next instruction
//   Privileged<&F>  the same, privileged-operation exception in the problem state first
//   Branching<&F>   const Op* F(Cpu&, const Op&)   returns what BranchTo/Next/... return
//   PrivilegedBranching<&F>
//   Intercepted     privileged check, then Intercept (host completes)
// Interruptible instructions (MVCLE, CLST, CKSM ...) set their registers to the progress made and
// return cpu.BranchTo(cpu.InstructionAddress(op)) to be entered again, at least every 4096 bytes
// (or cc 3 where the manual defines a CPU-determined amount).

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CPU_H_
