#ifndef LETHE_EMULATED_HOST_CPU_CPU_H_
#define LETHE_EMULATED_HOST_CPU_CPU_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "emulated-host/cpu/address_context.h"
#include "emulated-host/cpu/cpu_host.h"
#include "emulated-host/cpu/cpu_model.h"
#include "emulated-host/cpu/guest_bytes.h"
#include "emulated-host/cpu/instruction.h"
#include "emulated-host/cpu/program_event.h"
#include "emulated-host/cpu/program_interruption.h"
#include "emulated-host/cpu/registers.h"
#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {

class CodeCache;
class CpuGroup;
class InstructionSet;

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
    kInstruction,  // an instruction the host completes; PSW is behind it
    kWait,         // the PSW has the wait bit on
    kOperation,  // operation exception, reported only if CpuModel::intercept_operation; PSW behind
    kProgramLoop,  // the program-new PSW is invalid or loops on the same exception
    kHost,         // a CpuHost function said kLeave
    kDebug,        // what SetDebug asked for; PSW is at the next instruction
  };
  Reason reason = Reason::kHost;
  // First halfword of the instruction, and the four bytes behind it (SIE: IPA and IPB); of the
  // target instruction if it was executed by EX or EXRL.
  std::uint16_t ipa = 0;
  std::uint32_t ipb = 0;
  std::uint8_t length = 0;                   // of the instruction; an executed one: of EX/EXRL
  ProgramCode program = ProgramCode::kNone;  // kProgramLoop
  DebugEvent debug;                          // kDebug
};

// Where a logical address leads.
struct Translation {
  ProgramInterruption exception;  // code kNone: the rest is valid
  std::uint64_t absolute = 0;     // the byte's absolute address
  std::uint64_t real = 0;
  bool is_protected = false;  // by a table entry (DAT protection); not an exception here
  // With a translation exception: the absolute address of the table entry that was looked at last,
  // and whether that table was too short to hold it.
  std::uint64_t entry = 0;
  bool beyond_table = false;
};

// How to make an access that differs from the CPU's present mode: MVCP, MVCS, MVCK, MVCOS ...
struct AccessMode {
  AddressSpace space = AddressSpace::kPrimary;
  std::uint8_t key = 0;
};

// One z/Architecture CPU. Owned by the KVM layer; Run() is called by one thread at a time. The
// members under "from any thread" may be called concurrently with Run().
//
// Instruction functions (files general_*.cc, control_*.cc, ...) take (Cpu&, const Op&) and use the
// members under "for instruction functions". The accessors' bodies are in cpu_inline.h.
class Cpu {
 public:
  // --- for the host (KVM layer) ---------------------------------------------------------------
  // `group`: all CPUs of the machine (purges are broadcast in it). `model`: facilities, CPU id.
  // Everything referred to outlives the CPU.
  Cpu(const CpuModel& model, std::uint16_t address, GuestStorage& storage, CpuGroup& group,
      CpuHost& host);
  ~Cpu();
  Cpu(const Cpu&) = delete;
  Cpu& operator=(const Cpu&) = delete;

  Exit Run();  // until the host has something to do
  // Only outside of Run() or in CpuHost calls on this thread. Changing psw, control registers or
  // prefix through the reference needs ContextChanged() afterwards.
  Registers& registers() { return registers_; }
  void ContextChanged();
  std::uint16_t address() const { return address_; }  // CPU address (STAP, SIGP)
  const CpuModel& model() const { return model_; }
  GuestStorage& storage() { return storage_; }
  CpuGroup& group() { return group_; }
  std::int64_t cpu_timer() const;  // current value; counts down while Run() is active
  void SetCpuTimer(std::int64_t value);
  void SetClockComparator(std::uint64_t value);
  void SetControl(int number, std::uint64_t value);
  void SetPrefix(std::uint32_t prefix);
  void SetPsw(const Psw& psw);
  // For which secure configuration the CPU runs; kNoConfiguration: ordinary.
  void SetConfiguration(ConfigurationId configuration);
  ConfigurationId configuration() const { return configuration_; }
  std::uint64_t Tod() const;  // the TOD clock that the program sees
  // What Run stops for besides. An instruction that the host completes counts as done at the next
  // Run.
  void SetDebug(DebugRequest request);
  // Inside of OnAttention, where an interruption has just been taken: Run stops before it goes on,
  // as behind an instruction.
  void StopForDebug();

  // Interruption actions, to be called in OnAttention or outside of Run(): store the parameters in
  // the prefix area, swap PSWs, purge what must be purged. No check of masks. The current PSW
  // becomes the old one as it is: whoever presents a program interruption has set its address.
  // PER events of the last instruction go with the program interruption, or before any other one.
  void PresentProgram(const ProgramInterruption& interruption, std::uint8_t instruction_length);
  void PresentExternal(std::uint16_t code, std::uint16_t cpu_address, std::uint32_t parameter,
                       std::uint64_t parameter64);
  void PresentInputOutput(std::uint16_t subchannel_id, std::uint16_t number,
                          std::uint32_t parameter, std::uint32_t word);
  void PresentMachineCheck(std::uint64_t code, std::uint64_t failing_address,
                           std::uint32_t external_damage);
  void PresentRestart();
  // Presents a clock comparator or CPU timer interruption if one is pending and enabled (clock
  // comparator first). False: none was.
  bool PresentTimers();
  // The TOD time at which a timer interruption that PSW and CR 0 enable becomes pending (0: it is;
  // ~0: never). For an enabled wait.
  std::uint64_t NextTimerDeadline() const;

  // Guest accesses on behalf of the host's instruction handlers, through DAT of this CPU. kNone or
  // the program interruption that the access meets (nothing presented).
  ProgramInterruption CheckLogical(LogicalAddress at, std::size_t length, Access access);
  ProgramInterruption ReadLogical(LogicalAddress from, absl::Span<std::uint8_t> to);
  ProgramInterruption WriteLogical(LogicalAddress to, absl::Span<const std::uint8_t> from);
  bool ReadReal(std::uint64_t real, absl::Span<std::uint8_t> to);  // false: addressing
  bool WriteReal(std::uint64_t real, absl::Span<const std::uint8_t> from);
  // Stores the status in the layout of the machine-check save area (fixed real locations 4608 and
  // up) into 512 bytes of one page. False: addressing.
  bool StoreStatus(std::uint64_t absolute);

  // Resets, on this CPU's registers only (Principles of Operation, "Resets").
  void Reset();
  void InitialReset();
  void ClearReset();

  // --- from any thread -------------------------------------------------------------------------
  void RequestAttention();                    // OnAttention is called soon
  void SetInterruptionPending(bool pending);  // see CpuHost::OnAttention

  // A byte of the host's that others set whenever they like, be it in a signal handler: OnAttention
  // is called as long as it is not zero. Outside of Run() only; `byte` outlives the CPU.
  void WatchExitRequest(const std::uint8_t* byte) { exit_request_ = byte; }

  // --- for instruction functions ---------------------------------------------------------------
  std::uint64_t& gr(int n) { return registers_.general[n]; }
  std::uint32_t Low(int n) { return static_cast<std::uint32_t>(registers_.general[n]); }
  std::uint32_t High(int n) { return static_cast<std::uint32_t>(registers_.general[n] >> 32); }
  void SetLow(int n, std::uint32_t value);   // bits 0-31 unchanged
  void SetHigh(int n, std::uint32_t value);  // bits 32-63 unchanged
  std::uint32_t& ar(int n) { return registers_.access[n]; }
  std::uint64_t cr(int n) { return registers_.control[n]; }           // SetControl to change
  std::uint64_t& fpr(int n) { return registers_.floating_point[n]; }  // SHORT: the left half
  std::uint32_t& fpc() { return registers_.floating_point_control; }

  // Condition code. Kept evaluated: for comparisons that is three host instructions without a
  // branch, less than storing the operands and a kind would be.
  std::uint8_t Cc() { return cc_; }
  void SetCc(std::uint8_t cc) { cc_ = cc; }
  void SetCcCompare(std::int64_t a, std::int64_t b);    // signed: 0 equal, 1 low, 2 high
  void SetCcCompare(std::uint64_t a, std::uint64_t b);  // logical
  void SetCcSign(std::int64_t result);                  // 0 zero, 1 negative, 2 positive
  void SetCcNonZero(std::uint64_t result);              // 0 zero, 1 not zero
  void
  SetCcOverflow();  // cc 3, and fixed-point overflow if PSW mask enables (throws: call it last)

  // Effective address of operand 1 / operand 2 (base, index, displacement, addressing mode).
  LogicalAddress Operand1(const Op& op);
  LogicalAddress Operand2(const Op& op);
  std::uint64_t Address1(const Op& op);  // the address only (shift counts, LA)
  std::uint64_t Address2(const Op& op);
  std::uint64_t RelativeAddress(const Op& op);     // instruction address + op.i2
  std::uint64_t InstructionAddress(const Op& op);  // of EX/EXRL for an executed instruction
  std::uint64_t NextAddress(const Op& op);         // what the PSW holds after it
  std::uint8_t InstructionLength(const Op& op);    // of EX/EXRL for an executed instruction
  std::uint64_t WrapAddress(std::uint64_t address) { return address & address_mask_; }
  LogicalAddress AddressInRegister(int n);  // wrapped gr(n), access register n (string operands)
  void SetAddressInRegister(int n, std::uint64_t address);  // 24/31-bit mode: bits 32-63 only
  int AddressingBits();                                     // 24, 31 or 64

  // Storage, through DAT, keys, low-address protection, page ownership. T: uint8_t ... uint64_t,
  // Uint128; values in host order. Each access up to 8 bytes is single-copy atomic if aligned.
  template <typename T>
  T Load(LogicalAddress from);
  template <typename T>
  void Store(LogicalAddress to, T value);
  // Any length up to 4096 (may cross one page boundary): all bytes are checked first.
  void LoadBytes(LogicalAddress from, absl::Span<std::uint8_t> to);
  void StoreBytes(LogicalAddress to, absl::Span<const std::uint8_t> from);
  // Throws what an access of `length` bytes (up to 4096) would throw; changes nothing but reference
  // and change bits.
  void CheckAccess(LogicalAddress at, std::size_t length, Access access);
  // Host bytes of the operand up to the end of its page (at most `length`), access checked. Valid
  // until the instruction function returns or does another access that throws. The second one has
  // told everybody already that all its bytes change.
  absl::Span<const std::uint8_t> FetchSpan(LogicalAddress from, std::size_t length);
  absl::Span<std::uint8_t> StoreSpan(LogicalAddress to, std::size_t length);
  // A naturally aligned operand for an interlocked update with host atomics (value in big-endian
  // order!). Specification exception if not aligned.
  template <typename T>
  T* Interlocked(LogicalAddress at);
  // The same spans with an explicit address space and access key. The space may be kPrimary,
  // kSecondary, kHome, or kAccessRegister (then `at.base` is the access register). DAT is used
  // even if the PSW says DAT off.
  absl::Span<const std::uint8_t> FetchSpan(LogicalAddress from, std::size_t length,
                                           AccessMode mode);
  absl::Span<std::uint8_t> StoreSpan(LogicalAddress to, std::size_t length, AccessMode mode);
  // The space and key of the PSW. Only with DAT on does the space mean anything.
  AccessMode CurrentMode() const;

  // Real and absolute storage (prefixing as named; no DAT). LoadReal/StoreReal: low-address and
  // key-controlled protection as for operands (LURA, STURA); addressing exceptions and page
  // ownership. LoadAbsolute/StoreAbsolute: neither keys nor low-address protection (tables, lowcore
  // of interruptions). Aligned.
  template <typename T>
  T LoadReal(std::uint64_t real);
  template <typename T>
  void StoreReal(std::uint64_t real, T value);
  template <typename T>
  T LoadAbsolute(std::uint64_t absolute);
  template <typename T>
  void StoreAbsolute(std::uint64_t absolute, T value);
  std::uint64_t AbsoluteOf(std::uint64_t real) const;  // prefixing
  // The frame of an absolute page that admits this CPU; addressing exception if there is none.
  PageFrame AccessibleFrame(std::uint64_t absolute);
  // The storage key of an absolute page (ISKE, SSKE, RRBE, IVSK, TPROT) without regard to
  // ownership; addressing exception. Whoever changes it broadcasts CpuGroup::PurgeAll afterwards if
  // protection became stronger or a reference or change bit went off.
  std::atomic<std::uint8_t>& StorageKey(std::uint64_t absolute);

  // Dynamic address translation with `asce` (also when the PSW says DAT off), never throwing.
  // TEID and exception access id are filled in for `space` and `access_register`.
  Translation Translate(std::uint64_t address, std::uint64_t asce, AddressSpace space,
                        int access_register = 0);
  // Address-space-control element of a space; kAccessRegister: access-register translation of
  // access register `number` (throws; ALET 0 and 1 give the primary and secondary one).
  std::uint64_t AsceOf(AddressSpace space, int number = 0);
  // Access-register translation of any ALET (TAR, BSA ...). `eax`: extended authorization index.
  // The exception's access id is set to `number`.
  struct AletTranslation {
    ProgramInterruption exception;
    std::uint64_t asce = 0;
    std::uint64_t aste = 0;     // absolute address of the ASN-second-table entry
    bool is_protected = false;  // fetch-only access-list entry
    bool from_dispatchable_unit = true;
  };
  AletTranslation TranslateAlet(std::uint32_t alet, std::uint16_t eax, int number);

  // Told-no's.
  [[noreturn]] void Interrupt(ProgramCode code);  // nullifying where the manual says so
  [[noreturn]] void DataException(std::uint8_t dxc);
  void SpecificationUnless(bool condition);
  void PrivilegedOperationIfProblemState();
  bool ProblemState() const { return (registers_.psw.mask & Psw::kProblemState) != 0; }
  std::uint64_t psw_mask() const;  // with the current condition code
  bool HasFacility(Facility facility) const { return model_.Has(facility); }

  // Branching: a branch function returns one of these. Those that say "taken" set the
  // breaking-event address.
  const Op* BranchTo(std::uint64_t address);        // taken, any address (wrapped here)
  const Op* BranchRelative(const Op& op);           // taken, to RelativeAddress(op); fast
  const Op* Next(const Op& op) { return &op + 1; }  // not taken
  // The PSW was changed as a whole or in its mode bits (SetPsw, SetPswMask, SetControl of an
  // address space, SetPrefix): continue at `address`.
  const Op* Resume(std::uint64_t address);
  const Op* BranchAndResume(std::uint64_t address);  // the same for a branch: taken
  // An interruptible instruction has done a unit of operation and is to be entered again.
  const Op* Again(const Op& op) { return ContinueAt(InstructionAddress(op)); }
  // Replaces PSW bits 0-63 (with the condition code); what SSM, STOSM, STNSM, SPKA, SAC, SAM need.
  // To be followed by Resume(NextAddress(op)), unless only bits of the mask that neither address
  // modes nor DAT depend on were changed (key, condition code, program mask, I/O and external
  // masks): then a branching function may return Next(op).
  void SetPswMask(std::uint64_t mask);
  // LPSW, LPSWE: loads the PSW, whatever it is (an invalid one interrupts early, as it must). Sets
  // the breaking-event address, but is no branch to PER.
  const Op* LoadPsw(const Psw& psw);
  // The same for an instruction that branches (PROGRAM CALL, PROGRAM RETURN, RESUME PROGRAM ...).
  const Op* BranchToPsw(const Psw& psw);
  // Will PER have something to say of the current instruction? (Space-switch events depend on it.)
  // To be asked when all is done.
  bool HasProgramEvent();
  // STURA, STURG have stored.
  void NoteStoreUsingRealAddress();
  // The host completes this instruction (Exit::kInstruction). PSW points behind it.
  const Op* Intercept(const Op& op);

  // --- for the rest of this folder: dispatch, execute, code cache ------------------------------
  void SetCurrent(const Op* op) { current_ = op; }
  std::uint64_t code_base() const { return code_base_; }
  const Op* LeaveBlock(std::uint64_t address) {  // continue at `address`, slowly
    next_address_ = address;
    return nullptr;
  }
  const Op* ContinueAt(std::uint64_t address) {  // as BranchTo, for what is no branch
    SettleBreakingEvent();
    return Jump(address);
  }
  const Op* LinkBranch(const Op& op);
  const Op* Redecode(const Op& op);
  const Op* UnknownOperation(const Op& op);
  // EX, EXRL: the instruction at `target` with `modifier` ORed into its second byte.
  const Op* Execute(const Op& op, std::uint64_t target, std::uint8_t modifier);
  const Op* EndExecuted();
  const Op* CrossPage(const Op& op);
  const Op* SupervisorCall(const Op& op);

 private:
  friend class CpuGroup;

  static constexpr std::uint8_t kNoExitRequest = 0;

  // Bits of attention_.
  static constexpr std::uint32_t kHostAttention = 1;   // CpuHost::OnAttention
  static constexpr std::uint32_t kGroupRequest = 2;    // CpuGroup has something for us
  static constexpr std::uint32_t kTimerAttention = 4;  // a timer came due
  static constexpr std::uint32_t kResync = 8;          // fetch instructions anew
  static constexpr std::uint32_t kCodeWork = 16;       // deferred_stores_, pages_to_drop_

  struct JumpEntry {
    std::uint64_t address = 1;  // odd: empty
    std::uint32_t context = 0;
    std::uint32_t op = 0;  // number in the code cache
  };
  static constexpr std::size_t kJumpEntries = 4096;
  static std::size_t JumpIndex(std::uint64_t address) {
    return (address >> 1 ^ address >> 13) % kJumpEntries;
  }

  struct CodePageEntry;
  static constexpr std::size_t kCodePageEntries = 1024;

  // An instruction that EX, EXRL or a page crossing executes outside of its page.
  struct ExecutedOp {
    std::uint64_t text = 0;  // instruction bytes, left-aligned
    std::array<Op, 2> ops;   // the instruction and what ends it
  };
  static constexpr std::size_t kExecutedOps = 64;

  struct StoredRange {
    std::uint64_t absolute;
    std::size_t length;
  };

  // Guest execution on this thread for a scope, unless it is on already.
  class Inside;

  // Run loop (cpu.cc).
  void EnterGuest();
  void LeaveGuest();
  void RunBlocks();
  const Op* Enter();
  void Poll();
  void AskHost();
  void FinishCodeWork();
  bool PswAllowsInstructions();
  void CatchInterruption(const ProgramInterruption& interruption);
  void ExportPsw();  // registers_.psw <- condition code, next_address_
  void ImportPsw();  // and back
  void AfterPswChange(std::uint64_t old_mask);
  void InterruptionsMayBeEnabled();
  void Leave(Exit::Reason reason) {
    exit_.reason = reason;
    leaving_ = true;
  }
  bool ExitRequested() const { return __atomic_load_n(exit_request_, __ATOMIC_RELAXED) != 0; }
  bool WantsAttention() const {
    return attention_.load(std::memory_order_relaxed) != 0 || ExitRequested();
  }
  void RaiseAttention(std::uint32_t bits) { attention_.fetch_or(bits, std::memory_order_release); }
  std::uint64_t TextOf(const Op& op) const;

  // EXECUTE and page crossing (execute.cc).
  const Op* RunExecuted(std::uint64_t text, std::uint64_t target, std::uint64_t address,
                        std::uint8_t length);
  std::uint64_t FetchInstruction(std::uint64_t address);

  // Program-event recording and single steps (cpu_events.cc).
  const Op* Jump(std::uint64_t address);
  void SetBreakingEvent();
  void SettleBreakingEvent();
  bool StepsSingly() const;
  bool WatchesStores() const;
  bool Records(std::uint64_t event) const { return (step_.per_control & event) != 0; }
  void Step();
  void EndStep();
  void AbandonStep();
  void CompleteEvents();
  void DropEventsOf(const ProgramInterruption& interruption);
  void PresentEvents();
  void FinishStep();
  void NoteFetch(std::uint64_t address);
  void NoteFetchForDebug(std::uint64_t address);
  void NoteStore(const AddressContext& context, AddressSpace space, LogicalAddress at,
                 std::size_t length);
  bool IsAlterationSpace(AddressSpace space, LogicalAddress at);
  std::uint64_t AddressOf(const Op& op) const;

  // Interruptions (interruption.cc).
  std::uint8_t* PrefixArea(std::uint64_t offset, std::size_t length);
  template <typename Action>
  void Present(Action action);
  template <typename T>
  void StoreLowcore(std::uint64_t offset, T value);
  void SwapPsw(std::uint64_t old_psw, std::uint64_t new_psw);
  void StoreStatusAt(std::uint8_t* area);

  // Timers (cpu_timers.cc).
  void TimerDue();  // any thread
  void UpdateTimers();
  bool ClockComparatorPending() const;
  bool CpuTimerPending() const;
  std::uint64_t TimerMasks() const;
  bool TimerInterruptionPending() const;
  void StartCpuTimer();
  void StopCpuTimer();

  // Storage (cpu_storage.cc).
  struct Target {
    std::uint8_t* bytes = nullptr;  // of the addressed byte
    std::uint64_t absolute = 0;     // of it; stores only
    bool watched = false;           // a store must be told to the code cache
  };
  struct Operand {
    AddressContext* context;
    AddressSpace space;
    bool fetch_only;
  };
  AddressContext& ContextFor(std::uint64_t asce, std::uint8_t key);
  std::uint64_t AddressPart(int number) const;
  static std::uint8_t BaseNumber(std::uint8_t number);
  Operand OperandOf(LogicalAddress at);
  Operand OperandOf(LogicalAddress at, AccessMode mode);
  AddressSpace CodeSpace() const;
  void UpdateContexts();
  void ClearTranslations();
  void WatchStores(std::uint64_t absolute_page);
  void ForgetCode(std::uint64_t absolute_page);
  void LookForOutsideStores();
  Target Resolve(const Operand& operand, LogicalAddress at, Access access);
  Target Fill(const Operand& operand, LogicalAddress at, Access access);
  bool LowAddressProtectionOn(std::uint64_t asce) const;
  bool LowAddressProtects(std::uint64_t asce, std::uint64_t address) const;
  bool KeyForbids(std::uint8_t access_key, std::uint8_t storage_key, std::uint64_t asce,
                  std::uint64_t address, bool store) const;
  [[noreturn]] void ThrowProtection(LogicalAddress at, AddressSpace space, std::uint64_t bits);
  // Nothing whose address a handler would have to keep: that would cost the tail call.
  std::uint64_t LoadSlow(LogicalAddress from, std::size_t length);
  Uint128 LoadSlow16(LogicalAddress from);
  void StoreSlow(LogicalAddress to, std::uint64_t value, std::size_t length);
  void StoreSlow16(LogicalAddress to, Uint128 value);
  std::uint8_t* SpanSlow(LogicalAddress at, Access access, std::size_t length);
  std::uint8_t* SpanOf(const Operand& operand, LogicalAddress at, Access access,
                       std::size_t length);
  void ResolveOwnership(std::uint64_t absolute, PageState state);
  // Stored (`done`), or about to be stored until the end of the instruction.
  void CodeStored(std::uint64_t absolute, std::size_t length, bool done = true);
  std::uint64_t RealTarget(std::uint64_t real, std::size_t length, Access access, PageFrame* frame);
  // An entry of a translation table; false: addressing exception.
  template <typename T>
  bool ReadTable(std::uint64_t absolute, T* entry);

  // Everything the fast paths touch comes first.
  Registers registers_;
  std::uint8_t cc_ = 0;
  std::uint64_t address_mask_ = 0xffffff;
  TlbEntry* data_read_ = nullptr;   // of the context that data accesses use; of blank_ if that
  TlbEntry* data_write_ = nullptr;  // depends on the operand (access-register mode)
  const Op* current_ = nullptr;     // instruction being executed
  // The op that was the last breaking event, unless the register has its address already (0). With
  // kHasBase, its page is at breaking_base_; without, it is at code_base_: one store is all that a
  // branch inside a page costs.
  static constexpr std::uintptr_t kHasBase = 1;
  std::uintptr_t breaking_op_ = 0;
  std::uint64_t breaking_base_ = 0;
  std::uint64_t code_base_ = 0;  // logical address of the page that current_ lies in
  std::uint32_t code_context_id_ = 0;
  std::atomic<std::uint32_t> attention_{0};
  const std::uint8_t* exit_request_ = &kNoExitRequest;
  Op* ops_ = nullptr;  // the code cache's memory
  std::unique_ptr<std::array<JumpEntry, kJumpEntries>> jumps_;

  const CpuModel& model_;
  const std::uint16_t address_;
  GuestStorage& storage_;
  CpuGroup& group_;
  CpuHost& host_;
  std::unique_ptr<InstructionSet> instructions_;
  std::unique_ptr<CodeCache> code_;
  std::unique_ptr<std::array<CodePageEntry, kCodePageEntries>> code_pages_;
  ConfigurationId configuration_ = kNoConfiguration;

  std::uint64_t next_address_ = 0;  // where Enter() goes on
  Exit exit_;
  bool leaving_ = false;
  bool inside_ = false;           // guest execution is on
  bool running_ = false;          // inside of Run()
  bool presenting_ = false;       // an interruption is being stored: no instruction to restart
  bool program_new_psw_ = false;  // the PSW was loaded by a program interruption just now

  // Of the instruction that runs as a single step.
  struct StepState {
    bool open = false;
    bool complete = false;          // its events are all recorded
    bool is_psw_load = false;       // LPSW, LPSWE: what breaks the sequence is no branch
    std::uint8_t length = 0;        // 0: not fetched
    std::uint64_t per_control = 0;  // control registers 9, 10 and 11 at its start; 0: PER is off
    AddressRange per_range;
    std::uint64_t breaking_event_before = 0;
    std::uint64_t address = 0;    // of its instruction
    std::uint8_t debug_code = 0;  // what debug_ has it recorded for
  };
  StepState step_;        // stays after its end until the host has done its part
  ProgramEvents events_;  // recorded and not presented
  DebugRequest debug_;
  bool debug_due_ = false;  // something has been recorded for it that the host has not been told

  std::vector<std::unique_ptr<AddressContext>> contexts_;
  std::unique_ptr<AddressContext> blank_;  // always empty
  AddressContext* code_context_ = nullptr;
  AddressContext* data_context_ = nullptr;  // nullptr: depends on the operand
  AddressSpace data_space_ = AddressSpace::kPrimary;
  std::uint32_t next_context_id_ = 1;
  std::uint64_t outside_stores_ = 0;  // the group's count, as far as the code cache knows
  std::uint64_t context_clock_ = 0;
  std::uint64_t purges_ = 0;  // how often translations were cleared

  // Stores that other CPUs hear of when the instruction is done, and pages to be unwatched then.
  std::vector<StoredRange> deferred_stores_;
  std::vector<std::uint64_t> pages_to_drop_;

  // The executed instruction's own address, that of its text, and its length.
  std::uint64_t executed_address_ = 0;
  std::uint64_t executed_target_ = 0;
  std::uint64_t executed_text_ = 0;
  std::uint8_t executed_length_ = 0;
  std::unique_ptr<std::array<ExecutedOp, kExecutedOps>> executed_;

  // CPU timer: its value while it stands still, otherwise the host's TOD time at which it is zero.
  std::atomic<std::uint64_t> cpu_timer_{0};
  std::atomic<bool> cpu_timer_runs_{false};
  std::atomic<bool> interruption_pending_{false};
  std::atomic<bool> timer_due_{false};
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
//
// A straight instruction calls the next one's handler as its last act, so that the host's branch
// predictor sees one indirect jump per instruction; branches return to the run loop, which polls
// for attention. Blocks are short, so the stack stays bounded even without tail calls.
template <void (*kFunction)(Cpu&, const Op&)>
const Op* Straight(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  kFunction(cpu, *op);
  const Op* const next = op + 1;
  return next->handler(cpu, next);
}

template <void (*kFunction)(Cpu&, const Op&)>
const Op* Privileged(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  cpu.PrivilegedOperationIfProblemState();
  kFunction(cpu, *op);
  const Op* const next = op + 1;
  return next->handler(cpu, next);
}

template <const Op* (*kFunction)(Cpu&, const Op&)>
const Op* Branching(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  return kFunction(cpu, *op);
}

template <const Op* (*kFunction)(Cpu&, const Op&)>
const Op* PrivilegedBranching(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  cpu.PrivilegedOperationIfProblemState();
  return kFunction(cpu, *op);
}

inline const Op* Intercepted(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  cpu.PrivilegedOperationIfProblemState();
  return cpu.Intercept(*op);
}

}  // namespace lethe::emulated

#include "emulated-host/cpu/cpu_inline.h"  // IWYU pragma: export

#endif  // LETHE_EMULATED_HOST_CPU_CPU_H_
