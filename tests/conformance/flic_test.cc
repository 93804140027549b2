// The floating interrupt controller (Documentation/virt/kvm/devices/s390_flic.rst).

#include <cstring>
#include <vector>

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

class Flic : public MachineTest {
 protected:
  static constexpr std::size_t kSize = sizeof(abi::kvm_s390_irq);

  int SetGroup(std::uint32_t group, std::uint64_t attribute = 0, const void* data = nullptr,
               std::uint32_t flags = 0) {
    return SetAttribute(flic_, group, attribute, data, flags);
  }
  int GetGroup(std::uint32_t group, std::uint64_t attribute, void* data) {
    return GetAttribute(flic_, group, attribute, data);
  }
  int Enqueue(const std::vector<abi::kvm_s390_irq>& irqs) {
    return SetGroup(abi::KVM_DEV_FLIC_ENQUEUE, irqs.size() * kSize, irqs.data());
  }
  // All that are pending.
  std::vector<abi::kvm_s390_irq> Pending() {
    std::vector<abi::kvm_s390_irq> irqs(64);
    const int count = GetGroup(abi::KVM_DEV_FLIC_GET_ALL_IRQS, irqs.size() * kSize, irqs.data());
    EXPECT_GE(count, 0);
    irqs.resize(static_cast<std::size_t>(std::max(count, 0)));
    return irqs;
  }
  static abi::kvm_s390_irq Irq(std::uint64_t type) {
    abi::kvm_s390_irq irq;
    std::memset(&irq, 0, sizeof(irq));
    irq.type = type;
    return irq;
  }
  static abi::kvm_s390_irq Service(std::uint32_t parameter) {
    abi::kvm_s390_irq irq = Irq(abi::KVM_S390_INT_SERVICE);
    irq.u.ext.ext_params = parameter;
    return irq;
  }
  static abi::kvm_s390_irq InputOutput(std::uint16_t subchannel, unsigned subclass) {
    abi::kvm_s390_irq irq = Irq(abi::KVM_S390_INT_IO(false, 0, 0, subchannel));
    irq.u.io.subchannel_id = 1;
    irq.u.io.subchannel_nr = subchannel;
    irq.u.io.io_int_parm = 0x1000u + subchannel;
    irq.u.io.io_int_word = subclass << 27;
    return irq;
  }

  const int flic_ = CreateFlic();
};

TEST_F(Flic, UnknownRequestsAreNotForThisDevice) {
  EXPECT_EQ(Call(flic_, 0x0000aefe), -ENOTTY);
  EXPECT_EQ(Call(flic_, abi::KVM_CREATE_VCPU), -ENOTTY);
}

TEST_F(Flic, HasItsGroups) {
  for (std::uint32_t group = 1; group <= 11; ++group)
    EXPECT_EQ(HasAttribute(flic_, group, 0), 0) << group;
  EXPECT_EQ(HasAttribute(flic_, 0, 0), -ENXIO);
  EXPECT_EQ(HasAttribute(flic_, 12, 0), -ENXIO);
}

TEST_F(Flic, UnknownGroupsAreInvalid) {
  std::uint64_t data = 0;
  EXPECT_EQ(SetGroup(12, 8, &data), -EINVAL);
  EXPECT_EQ(GetGroup(12, 8, &data), -EINVAL);
}

TEST_F(Flic, GroupsHaveTheirDirection) {
  std::uint64_t data[16] = {};
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_GET_ALL_IRQS, kSize, data), -EINVAL);
  for (const std::uint32_t group :
       {abi::KVM_DEV_FLIC_ENQUEUE, abi::KVM_DEV_FLIC_CLEAR_IRQS, abi::KVM_DEV_FLIC_APF_ENABLE,
        abi::KVM_DEV_FLIC_ADAPTER_REGISTER, abi::KVM_DEV_FLIC_ADAPTER_MODIFY,
        abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, abi::KVM_DEV_FLIC_AISM, abi::KVM_DEV_FLIC_AIRQ_INJECT}) {
    EXPECT_EQ(GetGroup(group, kSize, data), -EINVAL) << group;
  }
}

TEST_F(Flic, StructuresThatCannotBeReadAreFaults) {
  EXPECT_EQ(Call(flic_, abi::KVM_SET_DEVICE_ATTR, kNowhere), -EFAULT);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_ENQUEUE, kSize), -EFAULT);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_ADAPTER_REGISTER), -EFAULT);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_ADAPTER_MODIFY), -EFAULT);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, 4), -EFAULT);
}

TEST_F(Flic, IsEmptyAtFirst) { EXPECT_TRUE(Pending().empty()); }

TEST_F(Flic, TheListNeedsABuffer) {
  abi::kvm_s390_irq irq;
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_GET_ALL_IRQS, 0, &irq), -EINVAL);
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_GET_ALL_IRQS, abi::KVM_S390_FLIC_MAX_BUFFER + 1, &irq),
            -EINVAL);
}

TEST_F(Flic, TheListDoesNotFitIntoASmallerBuffer) {
  ASSERT_EQ(Enqueue({InputOutput(1, 3), InputOutput(2, 3)}), 0);
  abi::kvm_s390_irq irq[2];
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_GET_ALL_IRQS, kSize, irq), -ENOMEM);
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_GET_ALL_IRQS, kSize - 1, irq), -ENOMEM);
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_GET_ALL_IRQS, 2 * kSize, irq), 2);
}

TEST_F(Flic, ABufferThatCannotBeWrittenIsAFault) {
  ASSERT_EQ(Enqueue({InputOutput(1, 3)}), 0);
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_GET_ALL_IRQS, kSize, nullptr), -EFAULT);
}

TEST_F(Flic, ReadingTheListChangesNothing) {
  ASSERT_EQ(Enqueue({InputOutput(1, 3)}), 0);
  EXPECT_EQ(Pending().size(), 1u);
  EXPECT_EQ(Pending().size(), 1u);
}

TEST_F(Flic, KeepsAnInputOutputInterruptionAsItIs) {
  const abi::kvm_s390_irq irq = InputOutput(0x17, 5);
  ASSERT_EQ(Enqueue({irq}), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].type, irq.type);
  EXPECT_EQ(pending[0].u.io.subchannel_id, 1u);
  EXPECT_EQ(pending[0].u.io.subchannel_nr, 0x17u);
  EXPECT_EQ(pending[0].u.io.io_int_parm, 0x1017u);
  EXPECT_EQ(pending[0].u.io.io_int_word, 5u << 27);
}

TEST_F(Flic, ListsInputOutputBySubclassThenByAge) {
  ASSERT_EQ(Enqueue({InputOutput(1, 6), InputOutput(2, 0), InputOutput(3, 6), InputOutput(4, 3)}),
            0);
  std::vector<unsigned> order;
  for (const abi::kvm_s390_irq& irq : Pending()) order.push_back(irq.u.io.subchannel_nr);
  EXPECT_EQ(order, (std::vector<unsigned>{2, 4, 1, 3}));
}

TEST_F(Flic, ListsTheKindsInThisOrder) {
  abi::kvm_s390_irq page_fault = Irq(abi::KVM_S390_INT_PFAULT_DONE);
  page_fault.u.ext.ext_params2 = 0x1234;
  abi::kvm_s390_irq machine_check = Irq(abi::KVM_S390_MCHK);
  machine_check.u.mchk.cr14 = 1u << 28;
  machine_check.u.mchk.mcic = 0x00400f1d40330000;
  ASSERT_EQ(Enqueue({machine_check, Service(0x2000), Irq(abi::KVM_S390_INT_VIRTIO), page_fault,
                     InputOutput(1, 3)}),
            0);
  std::vector<std::uint64_t> types;
  for (const abi::kvm_s390_irq& irq : Pending()) types.push_back(irq.type);
  EXPECT_EQ(types, (std::vector<std::uint64_t>{
                       abi::KVM_S390_INT_IO(false, 0, 0, 1), abi::KVM_S390_INT_PFAULT_DONE,
                       abi::KVM_S390_INT_VIRTIO, abi::KVM_S390_INT_SERVICE, abi::KVM_S390_MCHK}));
}

TEST_F(Flic, TakesNothing) { EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_ENQUEUE, 0), 0); }

TEST_F(Flic, TakesWholeInterruptionsOnly) {
  const abi::kvm_s390_irq irq = InputOutput(1, 3);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_ENQUEUE, kSize - 1, &irq), -EINVAL);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_ENQUEUE, kSize + 1, &irq), -EINVAL);
  EXPECT_TRUE(Pending().empty());
}

TEST_F(Flic, TakesNoMoreThanItsLargestBuffer) {
  const std::uint64_t beyond = (abi::KVM_S390_FLIC_MAX_BUFFER / kSize + 1) * kSize;
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_ENQUEUE, beyond), -EINVAL);
}

TEST_F(Flic, InterruptionsOfOneCpuAreInvalid) {
  for (const std::uint64_t type :
       {abi::KVM_S390_SIGP_STOP, abi::KVM_S390_PROGRAM_INT, abi::KVM_S390_RESTART,
        abi::KVM_S390_INT_EMERGENCY, abi::KVM_S390_INT_EXTERNAL_CALL,
        abi::KVM_S390_INT_PFAULT_INIT}) {
    EXPECT_EQ(Enqueue({Irq(type)}), -EINVAL) << std::hex << type;
  }
}

TEST_F(Flic, ThoseBeforeABadOneAreKept) {
  EXPECT_EQ(Enqueue({InputOutput(1, 3), Irq(abi::KVM_S390_RESTART), InputOutput(2, 3)}), -EINVAL);
  EXPECT_EQ(Pending().size(), 1u);
}

TEST_F(Flic, OneServiceCallIsPendingAtATime) {
  ASSERT_EQ(Enqueue({Service(0x2000), Service(0x3000)}), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].u.ext.ext_params, 0x2000u);
}

TEST_F(Flic, ServiceEventsJoinAServiceCall) {
  ASSERT_EQ(Enqueue({Service(0x2000), Service(1)}), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].u.ext.ext_params, 0x2001u);
}

TEST_F(Flic, ServiceEventsAloneArePending) {
  ASSERT_EQ(Enqueue({Service(1), Service(2)}), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].u.ext.ext_params, 3u);
}

TEST_F(Flic, OfMachineChecksOnlyChannelReportsFloat) {
  abi::kvm_s390_irq machine_check = Irq(abi::KVM_S390_MCHK);
  machine_check.u.mchk.cr14 = 0xffffffff;
  machine_check.u.mchk.mcic = 1;
  ASSERT_EQ(Enqueue({machine_check}), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].u.mchk.cr14, 1u << 28);
}

TEST_F(Flic, MachineChecksAreCollected) {
  abi::kvm_s390_irq machine_check = Irq(abi::KVM_S390_MCHK);
  machine_check.u.mchk.cr14 = 1u << 28;
  machine_check.u.mchk.mcic = 1;
  ASSERT_EQ(Enqueue({machine_check}), 0);
  machine_check.u.mchk.mcic = 2;
  ASSERT_EQ(Enqueue({machine_check}), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].u.mchk.mcic, 3u);
}

TEST_F(Flic, ClearsEverything) {
  ASSERT_EQ(Enqueue({InputOutput(1, 3), Service(0x2001), Irq(abi::KVM_S390_INT_VIRTIO),
                     Irq(abi::KVM_S390_MCHK), Irq(abi::KVM_S390_INT_PFAULT_DONE)}),
            0);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_CLEAR_IRQS), 0);
  EXPECT_TRUE(Pending().empty());
}

TEST_F(Flic, ClearsOneSubchannel) {
  ASSERT_EQ(Enqueue({InputOutput(1, 3), InputOutput(2, 3)}), 0);
  const std::uint32_t second = 1u << 16 | 2;
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, 4, &second), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].u.io.subchannel_nr, 1u);
}

TEST_F(Flic, ClearsOneInterruptionAtATime) {
  ASSERT_EQ(Enqueue({InputOutput(1, 3), InputOutput(1, 3)}), 0);
  const std::uint32_t first = 1u << 16 | 1;
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, 4, &first), 0);
  EXPECT_EQ(Pending().size(), 1u);
}

TEST_F(Flic, ASubchannelWithoutInterruptionIsClear) {
  const std::uint32_t subchannel = 1u << 16 | 2;
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, 4, &subchannel), 0);
}

TEST_F(Flic, ClearingASubchannelChecksItsArguments) {
  const std::uint32_t subchannel = 1u << 16 | 2;
  const std::uint32_t none = 0;
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, 4, &subchannel, 1), -EINVAL);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, 8, &subchannel), -EINVAL);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_CLEAR_IO_IRQ, 4, &none), -EINVAL);
}

TEST_F(Flic, SwitchesAsynchronousPageFaults) {
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_APF_ENABLE), 0);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_APF_DISABLE_WAIT), 0);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_APF_DISABLE_WAIT), 0);
}

TEST_F(Flic, TheOldFormFillsTheSameQueue) {
  abi::kvm_s390_interrupt old{static_cast<std::uint32_t>(abi::KVM_S390_INT_IO(false, 0, 0, 0x17)),
                              1u << 16 | 0x17, std::uint64_t{0x11223344} << 32 | 5u << 27};
  ASSERT_EQ(Pass(vm(), abi::KVM_S390_INTERRUPT, old), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].u.io.subchannel_id, 1u);
  EXPECT_EQ(pending[0].u.io.subchannel_nr, 0x17u);
  EXPECT_EQ(pending[0].u.io.io_int_parm, 0x11223344u);
  EXPECT_EQ(pending[0].u.io.io_int_word, 5u << 27);
}

TEST_F(Flic, TheGuestTakesAnInputOutputInterruption) {
  constexpr std::uint64_t kEnabled = std::uint64_t{1} << (63 - 6);
  Vcpu& cpu = AddCpuWith({0x07, 0x00});
  SetPsw(cpu, kSupervisor | kEnabled);
  SetControl(cpu, 6, 0x80000000u >> 5);
  SetNewPsw(0x1f0, kSupervisor, 0x20000);
  Program({0x83, 0x00, 0x05, 0x01}, 0x20000);
  ASSERT_EQ(Enqueue({InputOutput(0x17, 5)}), 0);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, 0x20004u);
  EXPECT_EQ(Load<std::uint32_t>(0xb8), 0x00010017u);
  EXPECT_EQ(Load<std::uint32_t>(0xbc), 0x1017u);
  EXPECT_EQ(Load<std::uint32_t>(0xc0), 5u << 27);
  EXPECT_TRUE(Pending().empty());
}

TEST_F(Flic, TheGuestTakesServiceEventsBeforeTheServiceCall) {
  constexpr std::uint64_t kEnabled = std::uint64_t{1} << (63 - 7);
  Vcpu& cpu = AddCpuWith({0x07, 0x00});
  SetPsw(cpu, kSupervisor | kEnabled);
  SetControl(cpu, 0, 0xe0 | 0x200);
  SetNewPsw(0x1b0, kSupervisor, 0x20000);
  // DIAG 0,0,X'501'; LPSWE X'130': the external old PSW
  Program({0x83, 0x00, 0x05, 0x01, 0xb2, 0xb2, 0x01, 0x30}, 0x20000);
  ASSERT_EQ(Enqueue({Service(0x2001)}), 0);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, 0x20004u);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x2401u);
  EXPECT_EQ(Load<std::uint32_t>(0x80), 1u);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, 0x20004u);
  EXPECT_EQ(Load<std::uint16_t>(0x86), 0x2401u);
  EXPECT_EQ(Load<std::uint32_t>(0x80), 0x2000u);
  EXPECT_TRUE(Pending().empty());
}

// --- adapters
// --------------------------------------------------------------------------------------

class Adapter : public Flic {
 protected:
  int Register(std::uint32_t id, std::uint8_t isc = 3, bool maskable = true, bool swap = false,
               std::uint8_t flags = 0) {
    const abi::kvm_s390_io_adapter adapter{id, isc, maskable, swap, flags};
    return SetGroup(abi::KVM_DEV_FLIC_ADAPTER_REGISTER, 0, &adapter);
  }
  int Modify(std::uint32_t id, std::uint8_t type, std::uint8_t mask = 0, std::uint64_t at = 0) {
    abi::kvm_s390_io_adapter_req request{};
    request.id = id;
    request.type = type;
    request.mask = mask;
    request.addr = at;
    return SetGroup(abi::KVM_DEV_FLIC_ADAPTER_MODIFY, 0, &request);
  }
  int Inject(std::uint64_t id) { return SetGroup(abi::KVM_DEV_FLIC_AIRQ_INJECT, id); }
};

TEST_F(Adapter, IsRegisteredOnce) {
  EXPECT_EQ(Register(5), 0);
  EXPECT_EQ(Register(5), -EINVAL);
}

TEST_F(Adapter, NumbersEndAt63) {
  EXPECT_EQ(Register(63), 0);
  EXPECT_EQ(Register(64), -EINVAL);
  EXPECT_EQ(Register(0xffffffff), -EINVAL);
}

TEST_F(Adapter, IsMaskedIfItSaysSo) {
  ASSERT_EQ(Register(0, 3, true), 0);
  ASSERT_EQ(Register(1, 3, false), 0);
  EXPECT_EQ(Modify(0, abi::KVM_S390_IO_ADAPTER_MASK, 1), 0);
  EXPECT_EQ(Modify(0, abi::KVM_S390_IO_ADAPTER_MASK, 1), 0);
  EXPECT_EQ(Modify(0, abi::KVM_S390_IO_ADAPTER_MASK, 0), 0);
  EXPECT_EQ(Modify(1, abi::KVM_S390_IO_ADAPTER_MASK, 1), -EINVAL);
}

TEST_F(Adapter, MapsAndUnmapsWithoutEffect) {
  ASSERT_EQ(Register(0), 0);
  EXPECT_EQ(Modify(0, abi::KVM_S390_IO_ADAPTER_MAP, 0, 0x100000), 0);
  EXPECT_EQ(Modify(0, abi::KVM_S390_IO_ADAPTER_MAP, 0, ~std::uint64_t{0}), 0);
  EXPECT_EQ(Modify(0, abi::KVM_S390_IO_ADAPTER_UNMAP, 0, 0x100000), 0);
}

TEST_F(Adapter, UnknownModificationsAreInvalid) {
  ASSERT_EQ(Register(0), 0);
  EXPECT_EQ(Modify(0, 0), -EINVAL);
  EXPECT_EQ(Modify(0, 4), -EINVAL);
}

TEST_F(Adapter, UnknownAdaptersAreInvalid) {
  EXPECT_EQ(Modify(0, abi::KVM_S390_IO_ADAPTER_MASK, 1), -EINVAL);
  EXPECT_EQ(Modify(64, abi::KVM_S390_IO_ADAPTER_MAP), -EINVAL);
  EXPECT_EQ(Inject(0), -EINVAL);
  EXPECT_EQ(Inject(64), -EINVAL);
}

TEST_F(Adapter, InterruptsWithItsSubclass) {
  ASSERT_EQ(Register(0, 3), 0);
  ASSERT_EQ(Inject(0), 0);
  const auto pending = Pending();
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_NE(pending[0].type & abi::KVM_S390_INT_IO_AI_MASK, 0u);
  EXPECT_EQ(pending[0].u.io.subchannel_id, 0u);
  EXPECT_EQ(pending[0].u.io.subchannel_nr, 0u);
  EXPECT_EQ(pending[0].u.io.io_int_word, 0x80000000u | 3u << 27);
}

TEST_F(Adapter, MaskingDoesNotHoldBackAnOrder) {
  // It is for events that come by themselves.
  ASSERT_EQ(Register(0), 0);
  ASSERT_EQ(Modify(0, abi::KVM_S390_IO_ADAPTER_MASK, 1), 0);
  EXPECT_EQ(Inject(0), 0);
  EXPECT_EQ(Pending().size(), 1u);
}

class Suppression : public Adapter {
 protected:
  static constexpr std::uint8_t kSubclass = 3;
  static constexpr std::uint8_t kBit = 0x80 >> kSubclass;

  int SetMode(std::uint8_t isc, std::uint16_t mode) {
    const abi::kvm_s390_ais_req request{isc, mode};
    return SetGroup(abi::KVM_DEV_FLIC_AISM, 0, &request);
  }
  abi::kvm_s390_ais_all Modes() {
    abi::kvm_s390_ais_all modes{0xff, 0xff};
    EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_AISM_ALL, sizeof(modes), &modes), 0);
    return modes;
  }
  void Enable() { ASSERT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_AIS), 0); }
};

TEST_F(Suppression, NeedsItsFacility) {
  abi::kvm_s390_ais_all modes{};
  EXPECT_EQ(SetMode(3, abi::KVM_S390_AIS_MODE_SINGLE), -EOPNOTSUPP);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_AISM_ALL, sizeof(modes), &modes), -EOPNOTSUPP);
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_AISM_ALL, sizeof(modes), &modes), -EOPNOTSUPP);
}

TEST_F(Suppression, ASmallBufferIsFoundBeforeTheFacility) {
  abi::kvm_s390_ais_all modes{};
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_AISM_ALL, 1, &modes), -EINVAL);
}

TEST_F(Suppression, ChecksItsArguments) {
  Enable();
  EXPECT_EQ(SetMode(8, abi::KVM_S390_AIS_MODE_ALL), -EINVAL);
  EXPECT_EQ(SetMode(3, 2), -EINVAL);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_AISM), -EFAULT);
  EXPECT_EQ(SetGroup(abi::KVM_DEV_FLIC_AISM_ALL, 2), -EFAULT);
  EXPECT_EQ(GetGroup(abi::KVM_DEV_FLIC_AISM_ALL, 2, nullptr), -EFAULT);
}

TEST_F(Suppression, IsInAllInterruptionsModeAtFirst) {
  Enable();
  EXPECT_EQ(Modes().simm, 0u);
  EXPECT_EQ(Modes().nimm, 0u);
}

TEST_F(Suppression, SingleModeIsABitPerSubclass) {
  Enable();
  ASSERT_EQ(SetMode(kSubclass, abi::KVM_S390_AIS_MODE_SINGLE), 0);
  EXPECT_EQ(Modes().simm, kBit);
  EXPECT_EQ(Modes().nimm, 0u);
  ASSERT_EQ(SetMode(kSubclass, abi::KVM_S390_AIS_MODE_ALL), 0);
  EXPECT_EQ(Modes().simm, 0u);
}

TEST_F(Suppression, ModesAreReadAsTheyWereSet) {
  Enable();
  const abi::kvm_s390_ais_all wanted{0x5a, 0x12};
  ASSERT_EQ(SetGroup(abi::KVM_DEV_FLIC_AISM_ALL, sizeof(wanted), &wanted), 0);
  EXPECT_EQ(Modes().simm, 0x5au);
  EXPECT_EQ(Modes().nimm, 0x12u);
}

TEST_F(Suppression, InSingleModeTheSecondIsSuppressed) {
  Enable();
  ASSERT_EQ(Register(0, kSubclass, true, false, abi::KVM_S390_ADAPTER_SUPPRESSIBLE), 0);
  ASSERT_EQ(SetMode(kSubclass, abi::KVM_S390_AIS_MODE_SINGLE), 0);
  EXPECT_EQ(Inject(0), 0);
  EXPECT_EQ(Modes().nimm, kBit);
  EXPECT_EQ(Inject(0), 0);
  EXPECT_EQ(Pending().size(), 1u);
}

TEST_F(Suppression, AMoreIsTakenWhenTheModeIsSetAgain) {
  Enable();
  ASSERT_EQ(Register(0, kSubclass, true, false, abi::KVM_S390_ADAPTER_SUPPRESSIBLE), 0);
  ASSERT_EQ(SetMode(kSubclass, abi::KVM_S390_AIS_MODE_SINGLE), 0);
  ASSERT_EQ(Inject(0), 0);
  ASSERT_EQ(SetMode(kSubclass, abi::KVM_S390_AIS_MODE_SINGLE), 0);
  EXPECT_EQ(Modes().nimm, 0u);
  ASSERT_EQ(Inject(0), 0);
  EXPECT_EQ(Pending().size(), 2u);
}

TEST_F(Suppression, IsForAdaptersThatAllowIt) {
  Enable();
  ASSERT_EQ(Register(0, kSubclass), 0);
  ASSERT_EQ(SetMode(kSubclass, abi::KVM_S390_AIS_MODE_SINGLE), 0);
  ASSERT_EQ(Inject(0), 0);
  ASSERT_EQ(Inject(0), 0);
  EXPECT_EQ(Pending().size(), 2u);
}

}  // namespace
}  // namespace lethe::conformance
