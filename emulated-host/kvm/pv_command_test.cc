#include "emulated-host/kvm/pv_command.h"

#include <cerrno>
#include <thread>

#include "emulated-host/kvm/protecting_user.h"

namespace lethe::emulated {
namespace {

using Vcpu = KernelUser::Vcpu;

void ExpectDiagnose(ProtectingUser& host, Vcpu& cpu, std::uint64_t count) {
  ASSERT_EQ(host->Run(cpu), 0);
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
  EXPECT_EQ(cpu.run->s390_sieic.icptcode, abi::ICPT_PV_INSTR);
  EXPECT_EQ(cpu.run->s390_sieic.ipa, 0x8302);
  EXPECT_EQ(cpu.run->s390_sieic.ipb, 0x50000000u);
  EXPECT_EQ(cpu.run->s.regs.gprs[1], 1u);
  EXPECT_EQ(cpu.run->s.regs.gprs[2], count);
}

TEST(PvCommand, ChecksInOrder) {
  ProtectingUser host;
  host->AddCpu();
  EXPECT_EQ(host->Call(host->vm(), abi::KVM_S390_PV_COMMAND, 8), -EFAULT);
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE, nullptr, 1), Refused(-EINVAL));
  EXPECT_EQ(host.Command(99), Refused(-ENOTTY));
  for (const std::uint32_t number :
       {abi::KVM_PV_DISABLE, abi::KVM_PV_SET_SEC_PARMS, abi::KVM_PV_UNPACK, abi::KVM_PV_VERIFY,
        abi::KVM_PV_PREP_RESET, abi::KVM_PV_UNSHARE_ALL, abi::KVM_PV_DUMP,
        abi::KVM_PV_ASYNC_CLEANUP_PREPARE, abi::KVM_PV_ASYNC_CLEANUP_PERFORM}) {
    EXPECT_EQ(host.Command(number), Refused(-EINVAL)) << number;
  }
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE), ProtectingUser::kDone);
  EXPECT_EQ(host.Command(abi::KVM_PV_ENABLE), Refused(-EINVAL));

  abi::kvm_s390_pv_sec_parm parameters{0, 8193};
  EXPECT_EQ(host.Command(abi::KVM_PV_SET_SEC_PARMS), Refused(-EFAULT));
  EXPECT_EQ(host.Command(abi::KVM_PV_SET_SEC_PARMS, &parameters), Refused(-EINVAL));
  parameters.length = 0;
  EXPECT_EQ(host.Command(abi::KVM_PV_SET_SEC_PARMS, &parameters), Refused(-ENOMEM));
  parameters.length = 8192;
  EXPECT_EQ(host.Command(abi::KVM_PV_SET_SEC_PARMS, &parameters), Refused(-EFAULT));
  for (const abi::kvm_s390_pv_unp& bad :
       {abi::kvm_s390_pv_unp{1, 4096, 0}, {0, 4095, 0}, {0, 0, 0}}) {
    abi::kvm_s390_pv_unp unpack = bad;
    EXPECT_EQ(host.Command(abi::KVM_PV_UNPACK, &unpack), Refused(-EINVAL));
  }
  abi::kvm_s390_pv_unp nowhere{std::uint64_t{1} << 30, 4096, 0};
  EXPECT_EQ(host.Command(abi::KVM_PV_UNPACK, &nowhere), Refused(-EFAULT));
  // In the wrong order: the Ultravisor says no.
  EXPECT_EQ(host.Command(abi::KVM_PV_VERIFY).error, -EINVAL);
  EXPECT_NE(host.Command(abi::KVM_PV_VERIFY).rc, kUntouched);
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE), ProtectingUser::kDone);
  EXPECT_EQ(host->kernel().configurations(), 0);
}

TEST(PvCommand, ReportsTheHost) {
  ProtectingUser host;
  abi::kvm_s390_pv_info info{};
  info.header = {abi::KVM_PV_INFO_VM, 79, 0, 0};
  EXPECT_EQ(host.Command(abi::KVM_PV_INFO, &info), Refused(-EINVAL));
  info.header.len_max = 80;
  EXPECT_EQ(host.Command(abi::KVM_PV_INFO, &info).error, 0);
  EXPECT_EQ(info.header.len_written, 80u);
  EXPECT_EQ(info.vm.max_cpus, 248u);
  EXPECT_EQ(info.vm.max_guest_addr, std::uint64_t{1} << 46);
  const auto installed = [&](int bit) { return info.vm.inst_calls_list[0] >> (63 - bit) & 1; };
  EXPECT_EQ(installed(abi::BIT_UVC_CMD_DESTROY_SEC_CONF_FAST), 1u);
  // Share and unshare are a guest's; dump, attestation and secrets are not there.
  for (const int bit : {8, 9, 10, 24, 25, 26, 27, 28, 29, 30, 31}) EXPECT_EQ(installed(bit), 0u);
  info.header = {abi::KVM_PV_INFO_DUMP, 40, 0, 0};
  EXPECT_EQ(host.Command(abi::KVM_PV_INFO, &info).error, 0);
  EXPECT_EQ(info.header.len_written, 40u);
  EXPECT_EQ(info.dump.dump_cpu_buffer_len, 1568u);
  EXPECT_EQ(info.dump.dump_config_mem_buffer_per_1m, 0u);
  EXPECT_EQ(info.dump.dump_config_finalize_len, 0u);
  info.header = {2, 80, 0, 0};
  EXPECT_EQ(host.Command(abi::KVM_PV_INFO, &info), Refused(-EINVAL));
  EXPECT_EQ(host->Call(host->system(), abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_S390_PROTECTED), 1);
}

TEST(PvCommand, ThereAreNoDumps) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu();
  EXPECT_EQ(host->Call(host->system(), abi::KVM_CHECK_EXTENSION, abi::KVM_CAP_S390_PROTECTED_DUMP),
            0);
  host.Start(cpu);
  abi::kvm_s390_pv_dmp dump{};
  dump.subcmd = abi::KVM_PV_DUMP_INIT;
  EXPECT_EQ(host.Command(abi::KVM_PV_DUMP, &dump), (Result{-EINVAL, 2, 0}));
  dump.subcmd = abi::KVM_PV_DUMP_COMPLETE;
  EXPECT_EQ(host.Command(abi::KVM_PV_DUMP, &dump), Refused(-EINVAL));
  dump.subcmd = abi::KVM_PV_DUMP_CPU;
  EXPECT_EQ(host.Command(abi::KVM_PV_DUMP, &dump), Refused(-ENOTTY));
  abi::kvm_pv_cmd command{};
  command.cmd = abi::KVM_PV_DUMP;
  command.rc = 0x1122;
  command.rrc = 0x3344;
  EXPECT_EQ(host->Pass(cpu.fd, abi::KVM_S390_PV_CPU_COMMAND, command), -EINVAL);
  std::uint16_t codes[2];
  std::memcpy(codes, &command, sizeof(codes));
  EXPECT_EQ(codes[0], 0x1122);
  EXPECT_EQ(codes[1], 0x3344);
  command = {};
  command.cmd = abi::KVM_PV_VERIFY;
  command.rc = 0x1122;
  EXPECT_EQ(host->Pass(cpu.fd, abi::KVM_S390_PV_CPU_COMMAND, command), -EINVAL);
  EXPECT_EQ(command.cmd, abi::KVM_PV_VERIFY);
  EXPECT_EQ(host->Run(cpu), 0);  // it goes on
}

TEST(ProtectedGuest, RunsAndKeepsItsSecrets) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  ExpectDiagnose(host, cpu, 0x41);
  ExpectDiagnose(host, cpu, 0x42);  // the answer in register 2 is the old value

  // What the kernel refuses now.
  EXPECT_EQ(host->SetSlot(0, 0, 0, 0), -EINVAL);
  abi::kvm_s390_mem_op operation{};
  operation.size = 8;
  operation.op = abi::KVM_S390_MEMOP_ABSOLUTE_READ;
  std::uint64_t buffer = 0;
  operation.buf = reinterpret_cast<std::uintptr_t>(&buffer);
  EXPECT_EQ(host->Pass(host->vm(), abi::KVM_S390_MEM_OP, operation), -EINVAL);
  operation.op = abi::KVM_S390_MEMOP_LOGICAL_READ;
  EXPECT_EQ(host->Pass(cpu.fd, abi::KVM_S390_MEM_OP, operation), -EINVAL);
  operation.op = abi::KVM_S390_MEMOP_SIDA_READ;
  EXPECT_EQ(host->Pass(cpu.fd, abi::KVM_S390_MEM_OP, operation), 0);
  operation.sida_offset = 4089;
  EXPECT_EQ(host->Pass(cpu.fd, abi::KVM_S390_MEM_OP, operation), -E2BIG);
  abi::kvm_one_reg request{abi::KVM_REG_S390_GBEA, operation.buf};
  EXPECT_EQ(host->Pass(cpu.fd, abi::KVM_GET_ONE_REG, request), -EINVAL);
  abi::kvm_device_attr tod{0, abi::KVM_S390_VM_TOD, abi::KVM_S390_VM_TOD_LOW, operation.buf};
  EXPECT_EQ(host->Pass(host->vm(), abi::KVM_SET_DEVICE_ATTR, tod), -EOPNOTSUPP);

  // The program's page, seen by the host, is not the program.
  const Bytes program = GuestProgram();
  EXPECT_NE(std::memcmp(host->memory().bytes() + 0x11000, program.data() + 0x11000, 20), 0);
  // And the guest goes on nevertheless.
  ExpectDiagnose(host, cpu, 0x43);
  host.Stop(cpu);
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE), ProtectingUser::kDone);
  EXPECT_EQ(host->memory().bytes()[0x11000], 0);
}

TEST(ProtectedGuest, TakesTwoProgramInterruptionsOnly) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  ExpectDiagnose(host, cpu, 0x41);
  abi::kvm_s390_irq irq{};
  irq.type = abi::KVM_S390_PROGRAM_INT;
  irq.u.pgm.code = 2;
  EXPECT_EQ(host->Pass(cpu.fd, abi::KVM_S390_IRQ, irq), 0);
  EXPECT_EQ(host->Run(cpu), -EINVAL);
}

// A request made before stays, as Linux keeps it, but there is nothing to see until the protection
// ends.
TEST(ProtectedGuest, IsNotDebugged) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu();
  abi::kvm_guest_debug stepping{};
  stepping.control = abi::KVM_GUESTDBG_ENABLE | abi::KVM_GUESTDBG_SINGLESTEP;
  ASSERT_EQ(host->Pass(cpu.fd, abi::KVM_SET_GUEST_DEBUG, stepping), 0);
  host.Start(cpu);
  ExpectDiagnose(host, cpu, 0x41);
  ExpectDiagnose(host, cpu, 0x42);
  host.Stop(cpu);
  ASSERT_EQ(host.Command(abi::KVM_PV_DISABLE), ProtectingUser::kDone);
  host->Program({0x18, 0x12, 0x18, 0x13});
  KernelUser::SetPsw(cpu, KernelUser::kSupervisor);
  ASSERT_EQ(host->SetState(cpu, abi::KVM_MP_STATE_OPERATING), 0);
  ASSERT_EQ(host->Run(cpu), 0);
  EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_DEBUG);
  EXPECT_EQ(cpu.run->psw_addr, KernelUser::kProgramAt + 2);
}

TEST(ProtectedGuest, TakesNoRequestToBeDebugged) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  abi::kvm_guest_debug stepping{};
  stepping.control = abi::KVM_GUESTDBG_ENABLE | abi::KVM_GUESTDBG_SINGLESTEP;
  EXPECT_EQ(host->Pass(cpu.fd, abi::KVM_SET_GUEST_DEBUG, stepping), -EINVAL);
  ExpectDiagnose(host, cpu, 0x41);
}

TEST(AsynchronousCleanup, SetsAsideAndCleans) {
  for (const bool fast : {true, false}) {
    UltravisorFeatures features;
    features.destroy_fast = fast;
    ProtectingUser host(features);
    Vcpu& cpu = host->AddCpu();
    host.Start(cpu);
    ExpectDiagnose(host, cpu, 0x41);
    host.Stop(cpu);
    EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), ProtectingUser::kSetAside);
    EXPECT_EQ(host->kernel().configurations(), 1);
    // An ordinary machine again; a second one is refused for that reason.
    EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), Refused(-EINVAL));
    host.Start(cpu);
    EXPECT_EQ(host->kernel().configurations(), 2);
    host.Stop(cpu);
    // Occupied: refused, but the CPUs are gone already.
    EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE).error, -EINVAL);
    EXPECT_EQ(host->SetState(cpu, abi::KVM_MP_STATE_LOAD), -ENXIO);
    EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM),
              fast ? Refused(0) : ProtectingUser::kDone);
    EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), Refused(-EINVAL));
    EXPECT_EQ(host->kernel().configurations(), 1);
    EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE).error, 0);
    EXPECT_EQ(host->kernel().configurations(), 0);
  }
}

TEST(AsynchronousCleanup, RunsBesideTheNextGuest) {
  ProtectingUser host;
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  ExpectDiagnose(host, cpu, 0x41);
  for (int reboot = 0; reboot < 5; ++reboot) {
    host.Stop(cpu);
    ASSERT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), ProtectingUser::kSetAside);
    std::thread cleaner(
        [&] { EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), Refused(0)); });
    EXPECT_EQ(host->Call(cpu.fd, abi::KVM_S390_CLEAR_RESET), 0);
    host.Start(cpu);
    ExpectDiagnose(host, cpu, 0x41);
    ExpectDiagnose(host, cpu, 0x42);
    cleaner.join();
    ExpectDiagnose(host, cpu, 0x43);
  }
  EXPECT_EQ(host->kernel().configurations(), 1);
}

TEST(AsynchronousCleanup, NeedsALongAddressSpace) {
  ProtectingUser host;
  std::uint64_t limit = std::uint64_t{2} << 30;
  abi::kvm_device_attr attribute{0, abi::KVM_S390_VM_MEM_CTRL, abi::KVM_S390_VM_MEM_LIMIT_SIZE,
                                 reinterpret_cast<std::uintptr_t>(&limit)};
  ASSERT_EQ(host->Pass(host->vm(), abi::KVM_SET_DEVICE_ATTR, attribute), 0);
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  host.Stop(cpu);
  EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE).error, -EINVAL);
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE).error, 0);
}

TEST(AsynchronousCleanup, ReportsWhatTheUltravisorRefuses) {
  UltravisorFeatures features;
  features.devices_bound = true;
  ProtectingUser host(features);
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  host.Stop(cpu);
  const Result result = host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE);
  EXPECT_EQ(result.error, -EIO);
  EXPECT_EQ(result.rc, 0x104);
  EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), Refused(-EINVAL));
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE).error, 0);
}

TEST(AsynchronousCleanup, LeavesTheRestToTheEndOfTheMachineWhenInterrupted) {
  EmulatedKernelOptions options;
  options.fatal_signal_pending = [] { return true; };
  ProtectingUser host({}, std::move(options));
  Vcpu& cpu = host->AddCpu();
  host.Start(cpu);
  host.Stop(cpu);
  EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), ProtectingUser::kSetAside);
  EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PERFORM), ProtectingUser::kSetAside);
  EXPECT_EQ(host->kernel().configurations(), 1);
  host.Start(cpu);
  host.Stop(cpu);
  EXPECT_EQ(host.Command(abi::KVM_PV_DISABLE).error, 0);
  EXPECT_EQ(host->kernel().configurations(), 0);
}

TEST(AsynchronousCleanup, CanBeSwitchedOff) {
  EmulatedKernelOptions options;
  options.asynchronous_destroy = false;
  ProtectingUser host({}, std::move(options));
  Vcpu& cpu = host->AddCpu();
  EXPECT_EQ(host->Call(host->system(), abi::KVM_CHECK_EXTENSION,
                       abi::KVM_CAP_S390_PROTECTED_ASYNC_DISABLE),
            0);
  host.Start(cpu);
  host.Stop(cpu);
  EXPECT_EQ(host.Command(abi::KVM_PV_ASYNC_CLEANUP_PREPARE), Refused(-EINVAL));
  EXPECT_EQ(host->SetState(cpu, abi::KVM_MP_STATE_LOAD), 0);  // still a secure CPU
}

TEST(EndOfTheMachine, DestroysWhatIsLeft) {
  HostKey key = HostKey::Generate();
  Ultravisor ultravisor(key);
  EmulatedKernelOptions options;
  options.ultravisor = &ultravisor;
  EmulatedKernel kernel(options);
  const int system = kernel.Open("/dev/kvm", O_RDWR);
  const SharedMemory memory(1 << 20);
  for (int i = 0; i < 3; ++i) {
    const int vm = kernel.Ioctl(system, abi::KVM_CREATE_VM, 0);
    abi::kvm_userspace_memory_region region{0, 0, 0, memory.size(), memory.address()};
    ASSERT_EQ(kernel.Ioctl(vm, abi::KVM_SET_USER_MEMORY_REGION,
                           reinterpret_cast<std::uintptr_t>(&region)),
              0);
    const int vcpu = kernel.Ioctl(vm, abi::KVM_CREATE_VCPU, 0);
    abi::kvm_pv_cmd command{};
    ASSERT_EQ(
        kernel.Ioctl(vm, abi::KVM_S390_PV_COMMAND, reinterpret_cast<std::uintptr_t>(&command)), 0);
    EXPECT_EQ(kernel.Close(vm), 0);
    EXPECT_EQ(kernel.configurations(), 1);  // the CPU's descriptor keeps the machine
    EXPECT_EQ(kernel.Close(vcpu), 0);
    EXPECT_EQ(kernel.configurations(), 0);
  }
  kernel.Close(system);
}

}  // namespace
}  // namespace lethe::emulated
