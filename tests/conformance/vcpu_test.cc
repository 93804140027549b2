// CPUs of a machine: how they are made, and what their descriptors answer at all.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

using VirtualCpu = OneCpu;

constexpr unsigned long kUnassigned = 0x0000aeff;
constexpr unsigned long kForeign = 0x0000bb80;  // not of KVM

TEST_F(VirtualCpu, AnAddressIsTakenOnce) {
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_VCPU, 0), -EEXIST);
}

TEST_F(VirtualCpu, AddressesMayHaveGaps) {
  const int fd = Call(vm(), abi::KVM_CREATE_VCPU, 63);
  EXPECT_GE(fd, 0);
  kernel().Close(fd);
}

TEST_F(VirtualCpu, TheHighestAddressIsBelowTheMostIds) {
  const int most = Extension(abi::KVM_CAP_MAX_VCPU_ID);
  const int fd = Call(vm(), abi::KVM_CREATE_VCPU, static_cast<std::uint64_t>(most) - 1);
  EXPECT_GE(fd, 0);
  kernel().Close(fd);
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_VCPU, static_cast<std::uint64_t>(most)), -EINVAL);
}

TEST_F(VirtualCpu, NoAddressIs255OrMore) {
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_VCPU, 255), -EINVAL);
  EXPECT_EQ(Call(vm(), abi::KVM_CREATE_VCPU, 0x10000), -EINVAL);
}

TEST_F(VirtualCpu, ACpuIsCreatedStopped) {
  Vcpu& second = AddCpu(1);
  EXPECT_EQ(Call(second.fd, abi::KVM_GET_MP_STATE), int{abi::KVM_MP_STATE_STOPPED});
}

TEST_F(VirtualCpu, TheRunStructureSaysWhichRegistersItHolds) {
  constexpr std::uint64_t kAlways = abi::KVM_SYNC_PREFIX | abi::KVM_SYNC_GPRS | abi::KVM_SYNC_ACRS |
                                    abi::KVM_SYNC_CRS | abi::KVM_SYNC_ARCH0 | abi::KVM_SYNC_PFAULT |
                                    abi::KVM_SYNC_DIAG318;
  const std::uint64_t valid = cpu_.run->kvm_valid_regs;
  EXPECT_EQ(valid & kAlways, kAlways);
  EXPECT_EQ(valid & ~abi::KVM_SYNC_S390_VALID_FIELDS, 0);
}

TEST_F(VirtualCpu, TheRunStructureHoldsVectorOrFloatingPointRegisters) {
  const std::uint64_t valid = cpu_.run->kvm_valid_regs;
  EXPECT_NE((valid & abi::KVM_SYNC_VRS) != 0, (valid & abi::KVM_SYNC_FPRS) != 0);
}

TEST_F(VirtualCpu, UnknownRequestsAreNotForIt) {
  EXPECT_EQ(Call(cpu_.fd, kUnassigned), -ENOTTY);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_GET_API_VERSION), -ENOTTY);
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_CREATE_VCPU, 1), -ENOTTY);
}

TEST_F(VirtualCpu, RequestsOfOtherDriversAreInvalid) {
  EXPECT_EQ(Call(cpu_.fd, kForeign), -EINVAL);
}

TEST_F(VirtualCpu, ThereIsNoListOfRegisters) {
  std::uint64_t count = 0;
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_GET_REG_LIST, count), -ENOTTY);
}

TEST_F(VirtualCpu, ItTranslatesNoAddresses) {
  std::uint64_t translation[3] = {};
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_TRANSLATE, translation), -EINVAL);
}

TEST_F(VirtualCpu, UserControlledAddressSpacesAreForUserControlledMachines) {
  std::uint64_t mapping[3] = {};
  // A kernel that cannot make such machines does not know the requests either.
  const int refusal = Extension(abi::KVM_CAP_S390_UCONTROL) == 0 ? -ENOTTY : -EINVAL;
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_S390_UCAS_MAP, mapping), refusal);
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_S390_UCAS_UNMAP, mapping), refusal);
}

TEST_F(VirtualCpu, FaultBringsInAPage) {
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_VCPU_FAULT, 0x5000), 0);
}

TEST_F(VirtualCpu, FaultNeedsMemoryThere) {
  EXPECT_EQ(Call(cpu_.fd, abi::KVM_S390_VCPU_FAULT, kMemorySize + 0x100000), -EFAULT);
}

TEST_F(VirtualCpu, EnablesTheChannelSubsystem) {
  EXPECT_EQ(EnableCapability(cpu_.fd, abi::KVM_CAP_S390_CSS_SUPPORT), 0);
  EXPECT_EQ(EnableCapability(cpu_.fd, abi::KVM_CAP_S390_CSS_SUPPORT), 0);
}

TEST_F(VirtualCpu, EnablesNothingElse) {
  EXPECT_EQ(EnableCapability(cpu_.fd, abi::KVM_CAP_S390_USER_SIGP), -EINVAL);
  EXPECT_EQ(EnableCapability(cpu_.fd, abi::KVM_CAP_S390_IRQCHIP), -EINVAL);
  EXPECT_EQ(EnableCapability(cpu_.fd, 0xffff), -EINVAL);
}

TEST_F(VirtualCpu, EnablesWithoutFlags) {
  abi::kvm_enable_cap wanted{};
  wanted.cap = abi::KVM_CAP_S390_CSS_SUPPORT;
  wanted.flags = 1;
  EXPECT_EQ(Pass(cpu_.fd, abi::KVM_ENABLE_CAP, wanted), -EINVAL);
}

TEST_F(VirtualCpu, OutlivesTheDescriptorOfTheMachine) {
  kernel().Close(vm());
  Program({0x83, 0x00, 0x05, 0x01});
  SetPsw(cpu_, kSupervisor);
  EXPECT_EQ(Run(cpu_), 0);
  EXPECT_EQ(cpu_.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
}

// Requests that take a structure, given an address that nobody may use.
struct BadPointerCase {
  const char* name;
  unsigned long request;
};
class VcpuBadPointer : public OneCpu, public ::testing::WithParamInterface<BadPointerCase> {};

TEST_P(VcpuBadPointer, IsAFault) { EXPECT_EQ(Call(cpu_.fd, GetParam().request, 8), -EFAULT); }

INSTANTIATE_TEST_SUITE_P(
    Request, VcpuBadPointer,
    ::testing::Values(BadPointerCase{"GET_REGS", abi::KVM_GET_REGS},
                      BadPointerCase{"SET_REGS", abi::KVM_SET_REGS},
                      BadPointerCase{"GET_SREGS", abi::KVM_GET_SREGS},
                      BadPointerCase{"SET_SREGS", abi::KVM_SET_SREGS},
                      BadPointerCase{"GET_FPU", abi::KVM_GET_FPU},
                      BadPointerCase{"SET_FPU", abi::KVM_SET_FPU},
                      BadPointerCase{"TRANSLATE", abi::KVM_TRANSLATE},
                      BadPointerCase{"SET_SIGNAL_MASK", abi::KVM_SET_SIGNAL_MASK},
                      BadPointerCase{"S390_INTERRUPT", abi::KVM_S390_INTERRUPT},
                      BadPointerCase{"S390_IRQ", abi::KVM_S390_IRQ},
                      BadPointerCase{"S390_SET_IRQ_STATE", abi::KVM_S390_SET_IRQ_STATE},
                      BadPointerCase{"S390_GET_IRQ_STATE", abi::KVM_S390_GET_IRQ_STATE},
                      BadPointerCase{"S390_SET_INITIAL_PSW", abi::KVM_S390_SET_INITIAL_PSW},
                      BadPointerCase{"SET_MP_STATE", abi::KVM_SET_MP_STATE},
                      BadPointerCase{"ENABLE_CAP", abi::KVM_ENABLE_CAP},
                      BadPointerCase{"GET_ONE_REG", abi::KVM_GET_ONE_REG},
                      BadPointerCase{"SET_ONE_REG", abi::KVM_SET_ONE_REG},
                      BadPointerCase{"S390_MEM_OP", abi::KVM_S390_MEM_OP}),
    CaseName());

}  // namespace
}  // namespace lethe::conformance
