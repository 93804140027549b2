// Group KVM_S390_VM_CPU_MODEL: what the host has, and what the guest's CPUs are to have.

#include <cstring>
#include <memory>

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

class CpuModel : public MachineTest {
 protected:
  static constexpr std::uint32_t kGroup = abi::KVM_S390_VM_CPU_MODEL;

  int Get(std::uint64_t attribute, void* to) { return GetAttribute(vm(), kGroup, attribute, to); }
  int Set(std::uint64_t attribute, const void* from) {
    return SetAttribute(vm(), kGroup, attribute, from);
  }
  abi::kvm_s390_vm_cpu_processor& Processor() {
    EXPECT_EQ(Get(abi::KVM_S390_VM_CPU_PROCESSOR, processor_.get()), 0);
    return *processor_;
  }
  abi::kvm_s390_vm_cpu_machine& Host() {
    EXPECT_EQ(Get(abi::KVM_S390_VM_CPU_MACHINE, machine_.get()), 0);
    return *machine_;
  }

  std::unique_ptr<abi::kvm_s390_vm_cpu_processor> processor_ =
      std::make_unique<abi::kvm_s390_vm_cpu_processor>();
  std::unique_ptr<abi::kvm_s390_vm_cpu_machine> machine_ =
      std::make_unique<abi::kvm_s390_vm_cpu_machine>();
};

constexpr std::uint64_t Facility(unsigned number) { return std::uint64_t{1} << (63 - number % 64); }

TEST_F(CpuModel, HasItsAttributes) {
  for (std::uint64_t attribute = 0; attribute < 8; ++attribute)
    EXPECT_EQ(HasAttribute(vm(), kGroup, attribute), 0) << attribute;
  EXPECT_EQ(HasAttribute(vm(), kGroup, 100), -ENXIO);
}

TEST_F(CpuModel, UnknownAttributesDoNotExist) {
  EXPECT_EQ(Get(100, processor_.get()), -ENXIO);
  EXPECT_EQ(Set(100, processor_.get()), -ENXIO);
}

TEST_F(CpuModel, TheHostsCannotBeSet) {
  for (const std::uint64_t attribute :
       {abi::KVM_S390_VM_CPU_MACHINE, abi::KVM_S390_VM_CPU_MACHINE_FEAT,
        abi::KVM_S390_VM_CPU_MACHINE_SUBFUNC, abi::KVM_S390_VM_CPU_MACHINE_UV_FEAT_GUEST}) {
    EXPECT_EQ(Set(attribute, machine_.get()), -ENXIO) << attribute;
  }
}

TEST_F(CpuModel, IsAFaultWhereItCannotBeReadOrWritten) {
  for (std::uint64_t attribute = 0; attribute < 8; ++attribute)
    EXPECT_EQ(Get(attribute, nullptr), -EFAULT) << attribute;
  for (std::uint64_t attribute = 0; attribute < 8; attribute += 2)
    EXPECT_EQ(Set(attribute, nullptr), -EFAULT) << attribute;
}

TEST_F(CpuModel, AnUntouchedProcessorIsMarkedAsAGuests) {
  EXPECT_EQ(Processor().cpuid >> 56, 0xffu);
}

TEST_F(CpuModel, AnUntouchedProcessorIsOfTheHostsMachineType) {
  const auto type = [](std::uint64_t cpu_id) { return cpu_id >> 16 & 0xffff; };
  EXPECT_EQ(type(Processor().cpuid), type(Host().cpuid));
}

TEST_F(CpuModel, TheHostIsAZMachine) {
  EXPECT_TRUE(OffersFacility(1));  // z/Architecture is installed
  EXPECT_TRUE(OffersFacility(2));  // and active
}

TEST_F(CpuModel, SomeFacilitiesAreKvmsOwn) {
  // Store hypervisor information, configuration z/Architecture mode.
  EXPECT_TRUE(ProcessorHas(74));
  EXPECT_TRUE(ProcessorHas(138));
  EXPECT_NE(Host().fac_mask[74 / 64] & Facility(74), 0u);
  EXPECT_NE(Host().fac_mask[138 / 64] & Facility(138), 0u);
}

TEST_F(CpuModel, VectorFacilitiesWaitForTheirCapability) {
  EXPECT_EQ(Host().fac_mask[129 / 64] & Facility(129), 0u);
  EXPECT_FALSE(ProcessorHas(129));
}

TEST_F(CpuModel, AProcessorIsReadAsItWasSet) {
  abi::kvm_s390_vm_cpu_processor& wanted = Processor();
  wanted.cpuid = 0xff12345678900000;
  wanted.fac_list[0] &= ~Facility(45);
  wanted.fac_list[5] = 0x123456789abcdef0;
  const std::uint64_t first = wanted.fac_list[0];
  ASSERT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR, &wanted), 0);
  wanted = {};
  EXPECT_EQ(Processor().cpuid, 0xff12345678900000u);
  EXPECT_EQ(Processor().fac_list[0], first);
  EXPECT_EQ(Processor().fac_list[5], 0x123456789abcdef0u);
}

TEST_F(CpuModel, AProcessorMayBeGivenWhatTheHostDoesNotHave) {
  // It is the mask that keeps the guest from having it.
  abi::kvm_s390_vm_cpu_processor& wanted = Processor();
  for (int i = 0; i < 16; ++i) wanted.fac_list[i] = ~std::uint64_t{0};
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR, &wanted), 0);
}

TEST_F(CpuModel, AProcessorIsSettledByTheFirstCpu) {
  abi::kvm_s390_vm_cpu_processor& wanted = Processor();
  AddCpu();
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR, &wanted), -EBUSY);
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR, nullptr), -EBUSY);  // looked at before
}

TEST_F(CpuModel, TheGuestHasTheProcessorsFacilities) {
  if (!OffersFacility(7)) GTEST_SKIP() << "no STORE FACILITY LIST EXTENDED";
  abi::kvm_s390_vm_cpu_processor& wanted = Processor();
  wanted.fac_list[0] &= ~Facility(18);  // long displacement
  ASSERT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR, &wanted), 0);
  const std::uint64_t effective = wanted.fac_list[0] & Host().fac_mask[0];
  // LGHI 0,0; STFLE X'800'; DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0xa7, 0x09, 0x00, 0x00, 0xb2, 0xb0, 0x08, 0x00, 0x83, 0x00, 0x05, 0x01});
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(Load<std::uint64_t>(0x800), effective);
}

TEST_F(CpuModel, TheGuestHasTheProcessorsIdentification) {
  abi::kvm_s390_vm_cpu_processor& wanted = Processor();
  wanted.cpuid = 0xff12345620970000;
  ASSERT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR, &wanted), 0);
  // STIDP X'800'; DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith({0xb2, 0x02, 0x08, 0x00, 0x83, 0x00, 0x05, 0x01});
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(Load<std::uint64_t>(0x800), 0xff12345620970000u);
}

TEST_F(CpuModel, InstructionBlockingIsKeptToTheHostsRange) {
  const std::uint32_t range = Host().ibc;
  abi::kvm_s390_vm_cpu_processor& wanted = Processor();
  wanted.ibc = 0xfff;
  ASSERT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR, &wanted), 0);
  EXPECT_LE(Processor().ibc, range & 0xfff);
}

TEST_F(CpuModel, FeaturesAreASubsetOfTheHosts) {
  abi::kvm_s390_vm_cpu_feat host{};
  ASSERT_EQ(Get(abi::KVM_S390_VM_CPU_MACHINE_FEAT, &host), 0);
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_FEAT, &host), 0);
  abi::kvm_s390_vm_cpu_feat beyond = host;
  beyond.feat[15] |= 1;
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_FEAT, &beyond), -EINVAL);
}

TEST_F(CpuModel, FeaturesAreReadAsTheyWereSet) {
  const abi::kvm_s390_vm_cpu_feat none{};
  ASSERT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_FEAT, &none), 0);
  abi::kvm_s390_vm_cpu_feat got;
  std::memset(&got, 0xff, sizeof(got));
  ASSERT_EQ(Get(abi::KVM_S390_VM_CPU_PROCESSOR_FEAT, &got), 0);
  EXPECT_EQ(std::memcmp(&got, &none, sizeof(got)), 0);
}

TEST_F(CpuModel, FeaturesAreSettledByTheFirstCpu) {
  abi::kvm_s390_vm_cpu_feat features{};
  AddCpu();
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_FEAT, &features), -EBUSY);
  features.feat[15] = 1;
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_FEAT, &features), -EINVAL);  // looked at before
}

TEST_F(CpuModel, SubfunctionsAreReadAsTheyWereSet) {
  auto wanted = std::make_unique<abi::kvm_s390_vm_cpu_subfunc>();
  ASSERT_EQ(Get(abi::KVM_S390_VM_CPU_MACHINE_SUBFUNC, wanted.get()), 0);
  wanted->km[3] ^= 0x40;
  ASSERT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_SUBFUNC, wanted.get()), 0);
  auto got = std::make_unique<abi::kvm_s390_vm_cpu_subfunc>();
  ASSERT_EQ(Get(abi::KVM_S390_VM_CPU_PROCESSOR_SUBFUNC, got.get()), 0);
  EXPECT_EQ(std::memcmp(got->km, wanted->km, sizeof(got->km)), 0);
}

TEST_F(CpuModel, SubfunctionsAreSettledByTheFirstCpu) {
  auto wanted = std::make_unique<abi::kvm_s390_vm_cpu_subfunc>();
  AddCpu();
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_SUBFUNC, wanted.get()), -EBUSY);
}

TEST_F(CpuModel, PerformLockedOperationNamesItsFunctions) {
  // Bit n: function code n; each machine has the first ones.
  auto host = std::make_unique<abi::kvm_s390_vm_cpu_subfunc>();
  ASSERT_EQ(Get(abi::KVM_S390_VM_CPU_MACHINE_SUBFUNC, host.get()), 0);
  EXPECT_EQ(host->plo[0] & 0xf0, 0xf0);
}

TEST_F(CpuModel, PerformLockedOperationHasTheFunctionsItNames) {
  auto host = std::make_unique<abi::kvm_s390_vm_cpu_subfunc>();
  ASSERT_EQ(Get(abi::KVM_S390_VM_CPU_MACHINE_SUBFUNC, host.get()), 0);
  // PLO 2,0,4,0: with bit 55 of register 0 it tests for the function; IPM 5; DIAG 0,0,X'501'
  Vcpu& cpu = AddCpuWith(
      {0xee, 0x24, 0x00, 0x00, 0x00, 0x00, 0xb2, 0x22, 0x00, 0x50, 0x83, 0x00, 0x05, 0x01});
  for (unsigned function = 0; function < 256; ++function) {
    SetPsw(cpu, kSupervisor);
    SetGeneral(cpu, 0, 0x100 | function);
    SetGeneral(cpu, 1, 0x40000);
    ASSERT_EQ(Run(cpu), 0);
    ASSERT_EQ(cpu.run->psw_addr, kProgramAt + 14);
    const bool installed = (cpu.run->s.regs.gprs[5] >> 28 & 3) == 0;
    EXPECT_EQ(installed, (host->plo[function / 8] >> (7 - function % 8) & 1) != 0) << function;
  }
}

TEST_F(CpuModel, UltravisorFeaturesAreASubsetOfTheHosts) {
  std::uint64_t host = 0;
  ASSERT_EQ(Get(abi::KVM_S390_VM_CPU_MACHINE_UV_FEAT_GUEST, &host), 0);
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_UV_FEAT_GUEST, &host), 0);
  const std::uint64_t beyond = host | 1;
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_UV_FEAT_GUEST, &beyond), -EINVAL);
}

TEST_F(CpuModel, UltravisorFeaturesAreSettledByTheFirstCpu) {
  const std::uint64_t none = 0;
  AddCpu();
  EXPECT_EQ(Set(abi::KVM_S390_VM_CPU_PROCESSOR_UV_FEAT_GUEST, &none), -EBUSY);
}

}  // namespace
}  // namespace lethe::conformance
