#ifndef LETHE_TESTS_CONFORMANCE_ONE_CPU_H_
#define LETHE_TESTS_CONFORMANCE_ONE_CPU_H_

#include <pthread.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/machine.h"

namespace lethe::conformance {

// Locations of new PSWs; the old ones are 0x80 below.
inline constexpr std::uint64_t kRestartNew = 0x1a0;
inline constexpr std::uint64_t kExternalNew = 0x1b0;
inline constexpr std::uint64_t kSupervisorCallNew = 0x1c0;
inline constexpr std::uint64_t kProgramNew = 0x1d0;
inline constexpr std::uint64_t kMachineCheckNew = 0x1e0;
inline constexpr std::uint64_t kInputOutputNew = 0x1f0;
inline constexpr std::uint64_t kNewPsws[] = {kRestartNew, kExternalNew,     kSupervisorCallNew,
                                             kProgramNew, kMachineCheckNew, kInputOutputNew};
constexpr std::uint64_t OldPswOf(std::uint64_t new_psw) { return new_psw - 0x80; }

// Bits of PSWs.
inline constexpr std::uint64_t kPerMask = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kDatOn = std::uint64_t{1} << 58;
inline constexpr std::uint64_t kInputOutputOn = std::uint64_t{1} << 57;
inline constexpr std::uint64_t kExternalOn = std::uint64_t{1} << 56;
inline constexpr std::uint64_t kMachineCheckOn = std::uint64_t{1} << 50;
inline constexpr std::uint64_t kProblemState = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kAllOn = kInputOutputOn | kExternalOn | kMachineCheckOn;

// Subclass masks of control register 0.
inline constexpr std::uint64_t kEmergencyOn = 0x4000;
inline constexpr std::uint64_t kExternalCallOn = 0x2000;
inline constexpr std::uint64_t kClockComparatorOn = 0x0800;
inline constexpr std::uint64_t kCpuTimerOn = 0x0400;
inline constexpr std::uint64_t kServiceSignalOn = 0x0200;
inline constexpr std::uint64_t kAllExternalOn =
    kEmergencyOn | kExternalCallOn | kClockComparatorOn | kCpuTimerOn | kServiceSignalOn;
// Of control registers 6 and 14.
inline constexpr std::uint64_t kAllSubclassesOn = 0xff00'0000;
inline constexpr std::uint64_t kChannelReportOn = 0x1000'0000;

// Machine-check interruption codes: an exigent condition, a repressible one.
inline constexpr std::uint64_t kSystemDamage = 0x8000'0000'0000'0000;   // exigent
inline constexpr std::uint64_t kChannelReport = 0x0040'0000'0000'0000;  // repressible

// The fixture of statements about CPUs: a machine with one CPU (address 0), as after initial reset.
// Each new PSW leads to a DIAGNOSE X'501' of its own, with everything disabled, so that a run ends
// where the first interruption has led.
class OneCpu : public ::testing::Test, protected Machine {
 protected:
  using Machine::Run;  // GoogleTest has one as well

  static constexpr std::uint64_t kLandings = 0x18000;
  static constexpr std::uint32_t kDiagnose501 = 0x05010000;  // its ipb
  static constexpr std::uint64_t kEnabledWait = kDisabledWait | kExternalOn;

  OneCpu() : OneCpu(kMemorySize) {}
  explicit OneCpu(std::size_t memory_size) : Machine(memory_size), cpu_(AddCpu()) {
    Call(cpu_.fd, abi::KVM_S390_INITIAL_RESET);
    for (const std::uint64_t psw : kNewPsws) {
      SetNewPsw(psw, kSupervisor, LandingOf(psw));
      Program({0x83, 0x00, 0x05, 0x01}, LandingOf(psw));  // DIAG 0,0,0x501
    }
  }

  static constexpr std::uint64_t LandingOf(std::uint64_t new_psw) {
    return kLandings + new_psw * 16;
  }
  // Which new PSW the last run ended at: its location; 0: none of them.
  std::uint64_t Landed() const {
    for (const std::uint64_t psw : kNewPsws) {
      if (cpu_.run->psw_addr == LandingOf(psw) + 4) return psw;
    }
    return 0;
  }

  // Executes `bytes`, to be followed by what makes the run end, with everything disabled.
  int Execute(std::initializer_list<std::uint8_t> bytes, std::uint64_t mask = kSupervisor) {
    Program(bytes);
    SetPsw(cpu_, mask);
    return Run(cpu_);
  }
  // Executes `bytes` and then a DIAGNOSE X'501': expects to come back from that.
  void Complete(std::initializer_list<std::uint8_t> bytes, std::uint64_t mask = kSupervisor) {
    Program({0x83, 0x00, 0x05, 0x01}, kProgramAt + bytes.size());
    ASSERT_EQ(Execute(bytes, mask), 0);
    ExpectIntercept(4, 0x8300, kDiagnose501);
    ASSERT_EQ(cpu_.run->psw_addr, kProgramAt + bytes.size() + 4);
  }
  // Executes `bytes`: expects the program interruption `code` as the guest sees it.
  void ExpectProgramInterruption(std::initializer_list<std::uint8_t> bytes, std::uint16_t code,
                                 std::uint64_t mask = kSupervisor) {
    ASSERT_EQ(Execute(bytes, mask), 0);
    ASSERT_EQ(Landed(), kProgramNew);
    EXPECT_EQ(Load<std::uint16_t>(0x8e), code);
  }
  std::uint64_t ConditionCode() const { return cpu_.run->psw_mask >> 44 & 3; }
  std::uint64_t& General(int number) { return cpu_.run->s.regs.gprs[number]; }

  void ExpectIntercept(std::uint8_t code, std::uint16_t ipa, std::uint32_t ipb) {
    ExpectIntercept(code);
    EXPECT_EQ(cpu_.run->s390_sieic.ipa, ipa);
    EXPECT_EQ(cpu_.run->s390_sieic.ipb, ipb);
  }
  void ExpectIntercept(std::uint8_t code) {
    ASSERT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
    ASSERT_EQ(int{cpu_.run->s390_sieic.icptcode}, int{code});
  }

  int Inject(const abi::kvm_s390_irq& irq) { return Inject(cpu_, irq); }
  int Inject(Vcpu& cpu, abi::kvm_s390_irq irq) { return Pass(cpu.fd, abi::KVM_S390_IRQ, irq); }
  int InjectType(std::uint64_t type) {
    abi::kvm_s390_irq irq{};
    irq.type = type;
    return Inject(irq);
  }
  int InjectProgram(std::uint16_t code, std::uint8_t flags = 0) {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_PROGRAM_INT;
    irq.u.pgm.code = code;
    irq.u.pgm.flags = flags;
    return Inject(irq);
  }
  int InjectEmergency(std::uint16_t source) {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_INT_EMERGENCY;
    irq.u.emerg.code = source;
    return Inject(irq);
  }
  int InjectExternalCall(std::uint16_t source) {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_INT_EXTERNAL_CALL;
    irq.u.extcall.code = source;
    return Inject(irq);
  }
  int InjectMachineCheck(std::uint64_t code, std::uint64_t control14) {
    abi::kvm_s390_irq irq{};
    irq.type = abi::KVM_S390_MCHK;
    irq.u.mchk.mcic = code;
    irq.u.mchk.cr14 = control14;
    return Inject(irq);
  }
  // The older call, on the CPU's or the machine's descriptor.
  int Interrupt(int fd, std::uint64_t type, std::uint32_t parameter = 0,
                std::uint64_t parameter64 = 0) {
    abi::kvm_s390_interrupt old{static_cast<std::uint32_t>(type), parameter, parameter64};
    return Pass(fd, abi::KVM_S390_INTERRUPT, old);
  }
  int InjectInputOutput(std::uint16_t id, std::uint16_t number, std::uint32_t parameter,
                        unsigned subclass) {
    const std::uint64_t word = std::uint64_t{subclass} << 27;
    return Interrupt(vm(), number, std::uint32_t{id} << 16 | number,
                     std::uint64_t{parameter} << 32 | word);
  }
  // The local interruptions that are pending, as KVM_S390_GET_IRQ_STATE tells them.
  std::vector<abi::kvm_s390_irq> PendingOf(Vcpu& cpu) {
    constexpr int kMost = 300;
    std::vector<abi::kvm_s390_irq> list(kMost);
    abi::kvm_s390_irq_state state{};
    state.buf = reinterpret_cast<std::uintptr_t>(list.data());
    state.len = static_cast<std::uint32_t>(list.size() * sizeof(list[0]));
    const int bytes = Pass(cpu.fd, abi::KVM_S390_GET_IRQ_STATE, state);
    EXPECT_GE(bytes, 0);
    list.resize(bytes < 0 ? 0 : static_cast<std::size_t>(bytes) / sizeof(list[0]));
    return list;
  }

  // All masks that admit interruptions, in the control registers.
  void EnableSubclasses() {
    SetControl(cpu_, 0, 0xe0 | kAllExternalOn);
    SetControl(cpu_, 6, kAllSubclassesOn);
    SetControl(cpu_, 14, 0xc200'0000 | kAllSubclassesOn);
    SetOneRegister(abi::KVM_REG_S390_CLOCK_COMP, ~std::uint64_t{0});
    SetOneRegister(abi::KVM_REG_S390_CPU_TIMER, ~std::uint64_t{0} >> 1);
  }
  // Control registers that differ from those the CPU has; the others stay as they are.
  void SetControlNow(int number, std::uint64_t value) {
    abi::kvm_sregs registers{};
    Pass(cpu_.fd, abi::KVM_GET_SREGS, registers);
    registers.crs[number] = value;
    Pass(cpu_.fd, abi::KVM_SET_SREGS, registers);
  }

  int SetOneRegister(std::uint64_t id, std::uint64_t value) {
    abi::kvm_one_reg request{id, reinterpret_cast<std::uintptr_t>(&value)};
    return Pass(cpu_.fd, abi::KVM_SET_ONE_REG, request);
  }
  std::uint64_t OneRegister(std::uint64_t id) {
    std::uint64_t value = 0;
    abi::kvm_one_reg request{id, reinterpret_cast<std::uintptr_t>(&value)};
    EXPECT_EQ(Pass(cpu_.fd, abi::KVM_GET_ONE_REG, request), 0);
    return value;
  }

  // Runs the CPU on a thread of its own and does `meanwhile` when it is inside, as far as one can
  // tell from outside: what KVM_RUN returned. Once more, and later, if KVM_RUN was entered too
  // late.
  int RunBeside(const std::function<void(pthread_t)>& meanwhile) {
    constexpr std::uint32_t kNotInside = 0xffff;
    std::chrono::milliseconds patience(50);
    for (;;) {
      int result = 0;
      cpu_.run->exit_reason = kNotInside;
      std::thread runner([&] { result = Run(cpu_); });
      std::this_thread::sleep_for(patience);
      meanwhile(runner.native_handle());
      runner.join();
      if (result != -EINTR || cpu_.run->exit_reason != kNotInside) return result;
      cpu_.run->immediate_exit = 0;
      patience *= 2;
    }
  }
  // Makes the thread leave KVM_RUN as a user of KVM does.
  void Kick(pthread_t thread) {
    __atomic_store_n(&cpu_.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    EXPECT_EQ(kernel().Kick(cpu_.fd, thread), 0);
  }
  int RunUntilKicked() {
    const int result = RunBeside([this](pthread_t thread) { Kick(thread); });
    cpu_.run->immediate_exit = 0;
    return result;
  }

  Vcpu& cpu_;
};

// Names the statement of a TEST_P after the field `name` of its case.
struct CaseName {
  template <typename Case>
  std::string operator()(const ::testing::TestParamInfo<Case>& at) const {
    return at.param.name;
  }
};

}  // namespace lethe::conformance

#endif  // LETHE_TESTS_CONFORMANCE_ONE_CPU_H_
