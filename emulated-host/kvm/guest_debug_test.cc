#include "emulated-host/kvm/guest_debug.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "emulated-host/kvm/kernel_fixture.h"

namespace lethe::emulated {
namespace {

using Vcpu = KernelUser::Vcpu;

constexpr std::uint64_t kProgramNew = 0x1d0;
constexpr std::uint64_t kSupervisorCallNew = 0x1c0;
constexpr std::uint64_t kHandler = 0x3000;

int Debug(KernelUser& user, Vcpu& cpu, std::uint32_t control, std::uint64_t breakpoints = 0,
          std::uint32_t number = 0) {
  abi::kvm_guest_debug debug{};
  debug.control = control;
  debug.arch.nr_hw_bp = number;
  debug.arch.hw_bp = breakpoints;
  return user.Pass(cpu.fd, abi::KVM_SET_GUEST_DEBUG, debug);
}

void ExpectDebug(const Vcpu& cpu, std::uint8_t type, std::uint64_t psw_address) {
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_DEBUG);
  EXPECT_EQ(cpu.run->debug.arch.type, type);
  EXPECT_EQ(cpu.run->psw_addr, psw_address);
}

constexpr std::uint32_t kStep = abi::KVM_GUESTDBG_ENABLE | abi::KVM_GUESTDBG_SINGLESTEP;

TEST(GuestDebug, StepEndsInTheInterruptionThatTheInstructionCauses) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0x0a, 0x01, 0x00, 0x00});  // svc; an operation exception
  user.SetNewPsw(kSupervisorCallNew, KernelUser::kSupervisor, KernelUser::kProgramAt + 2);
  user.SetNewPsw(kProgramNew, KernelUser::kSupervisor, kHandler);
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(Debug(user, cpu, kStep), 0);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectDebug(cpu, abi::KVM_SINGLESTEP, KernelUser::kProgramAt + 2);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectDebug(cpu, abi::KVM_SINGLESTEP, kHandler);
  EXPECT_EQ(cpu.run->debug.arch.addr, kHandler);
}

TEST(GuestDebug, StepOverWhatTheUserCompletesEndsInTheUsersInterruption) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0x83, 0x00, 0x00, 0x00});
  user.SetNewPsw(kProgramNew, KernelUser::kSupervisor, kHandler);
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  EXPECT_EQ(Debug(user, cpu, kStep), 0);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
  EXPECT_EQ(cpu.run->s390_sieic.ipa, 0x8300);
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_PROGRAM_INT;
  irq.u.pgm.code = 6;
  EXPECT_EQ(user.Pass(cpu.fd, abi::KVM_S390_IRQ, irq), 0);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectDebug(cpu, abi::KVM_SINGLESTEP, kHandler);
}

TEST(GuestDebug, BreakpointStopsBeforeItsInstruction) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  user.Program({0x18, 0x12, 0x18, 0x13, 0x18, 0x14, 0x83, 0x00, 0x00, 0x00});
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  HardwareBreakpoint breakpoint{};
  breakpoint.address = KernelUser::kProgramAt + 4;
  breakpoint.type = abi::KVM_HW_BP;
  EXPECT_EQ(Debug(user, cpu, abi::KVM_GUESTDBG_ENABLE | abi::KVM_GUESTDBG_USE_HW_BP,
                  reinterpret_cast<std::uintptr_t>(&breakpoint), 1),
            0);
  EXPECT_EQ(user.Run(cpu), 0);
  ExpectDebug(cpu, abi::KVM_HW_BP, KernelUser::kProgramAt + 4);
  EXPECT_EQ(user.Run(cpu), 0);
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
}

TEST(GuestDebug, RefusesWhatItDoesNotKnow) {
  KernelUser user;
  Vcpu& cpu = user.AddCpu();
  EXPECT_EQ(Debug(user, cpu, abi::KVM_GUESTDBG_ENABLE | 4), -EINVAL);
  EXPECT_EQ(Debug(user, cpu, 0), 0);
}

}  // namespace
}  // namespace lethe::emulated
