// KVM_SET_GSI_ROUTING and KVM_IRQFD: descriptors that signal the guest.

#include <vector>

#include "tests/conformance/event_descriptor.h"
#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

constexpr std::uint32_t kRemove = abi::KVM_IRQFD_FLAG_DEASSIGN;

class InterruptRouting : public MachineTest {
 protected:
  static constexpr std::uint64_t kIndicators = 0x100000;
  static constexpr std::uint64_t kSummary = 0x101000;
  static constexpr std::uint32_t kAdapter = 2;
  static constexpr std::uint32_t kLine = 7;

  InterruptRouting() {
    EXPECT_EQ(EnableCapability(vm(), abi::KVM_CAP_S390_IRQCHIP), 0);
    EXPECT_EQ(Call(vm(), abi::KVM_CREATE_IRQCHIP), 0);
    flic_ = CreateFlic();
  }
  void Register(bool swap = true) {
    const abi::kvm_s390_io_adapter adapter{kAdapter, 3, true, swap, 0};
    ASSERT_EQ(SetAttribute(flic_, abi::KVM_DEV_FLIC_ADAPTER_REGISTER, 0, &adapter), 0);
  }
  static abi::kvm_irq_routing_entry Entry(std::uint64_t indicator, std::uint32_t summary = 0,
                                          std::uint32_t line = kLine) {
    abi::kvm_irq_routing_entry entry{};
    entry.gsi = line;
    entry.type = abi::KVM_IRQ_ROUTING_S390_ADAPTER;
    entry.u.adapter.ind_addr = kIndicators;
    entry.u.adapter.ind_offset = indicator;
    entry.u.adapter.summary_addr = kSummary;
    entry.u.adapter.summary_offset = summary;
    entry.u.adapter.adapter_id = kAdapter;
    return entry;
  }
  int Route(const std::vector<abi::kvm_irq_routing_entry>& entries, std::uint32_t flags = 0) {
    std::vector<std::uint64_t> table(1 + entries.size() * sizeof(entries[0]) / 8);
    auto* head = reinterpret_cast<abi::kvm_irq_routing*>(table.data());
    head->nr = static_cast<std::uint32_t>(entries.size());
    head->flags = flags;
    std::copy(entries.begin(), entries.end(),
              reinterpret_cast<abi::kvm_irq_routing_entry*>(table.data() + 1));
    return Call(vm(), abi::KVM_SET_GSI_ROUTING, reinterpret_cast<std::uintptr_t>(table.data()));
  }
  int Bind(int fd, std::uint32_t flags = 0, std::uint32_t line = kLine, int resample = 0) {
    abi::kvm_irqfd bind{};
    bind.fd = static_cast<std::uint32_t>(fd);
    bind.gsi = line;
    bind.flags = flags;
    bind.resamplefd = static_cast<std::uint32_t>(resample);
    return Pass(vm(), abi::KVM_IRQFD, bind);
  }
  std::size_t PendingCount() {
    std::vector<abi::kvm_s390_irq> irqs(16);
    const int count = GetAttribute(flic_, abi::KVM_DEV_FLIC_GET_ALL_IRQS,
                                   irqs.size() * sizeof(irqs[0]), irqs.data());
    EXPECT_GE(count, 0);
    return static_cast<std::size_t>(std::max(count, 0));
  }
  // The kernel works behind our back: waits until `holds`, or long enough to say that it never
  // will.
  template <typename Condition>
  static bool Eventually(Condition holds) {
    for (int i = 0; i < 2000; ++i) {
      if (holds()) return true;
      usleep(5000);
    }
    return false;
  }
  // Waits until what was signalled before has been worked on: a descriptor of its own, bound last,
  // comes last.
  void Settle() {
    EXPECT_TRUE(Eventually([&] { return !event_.Ready(); }));
    ASSERT_EQ(Bind(event_.fd(), kRemove), 0);  // waits for work under way
    ASSERT_EQ(Bind(event_.fd()), 0);
  }

  EventDescriptor event_;
  int flic_ = -1;
};

TEST_F(InterruptRouting, TablesAreReplaced) {
  EXPECT_EQ(Route({Entry(0), Entry(1, 0, 8)}), 0);
  EXPECT_EQ(Route({}), 0);
  EXPECT_EQ(Route({Entry(0)}), 0);
}

TEST_F(InterruptRouting, FlagsAreInvalid) {
  EXPECT_EQ(Route({Entry(0)}, 1), -EINVAL);
  abi::kvm_irq_routing_entry entry = Entry(0);
  entry.flags = 1;
  EXPECT_EQ(Route({entry}), -EINVAL);
}

TEST_F(InterruptRouting, LinesEndAt4095) {
  EXPECT_EQ(Route({Entry(0, 0, 4095)}), 0);
  EXPECT_EQ(Route({Entry(0, 0, 4096)}), -EINVAL);
}

TEST_F(InterruptRouting, TablesEndAt4096Entries) {
  abi::kvm_irq_routing table{4097, 0};
  EXPECT_EQ(Pass(vm(), abi::KVM_SET_GSI_ROUTING, table), -EINVAL);
}

TEST_F(InterruptRouting, ALineGoesToOneAdapter) { EXPECT_EQ(Route({Entry(0), Entry(1)}), -EINVAL); }

TEST_F(InterruptRouting, OtherKindsOfEntriesAreInvalid) {
  for (const std::uint32_t type : {0u, 1u, 2u, 4u}) {
    abi::kvm_irq_routing_entry entry = Entry(0);
    entry.type = type;
    EXPECT_EQ(Route({entry}), -EINVAL) << type;
  }
}

TEST_F(InterruptRouting, IndicatorsAreInStorage) {
  abi::kvm_irq_routing_entry entry = Entry(0);
  entry.u.adapter.ind_addr = kMemorySize + 64 * kSegmentSize;
  EXPECT_EQ(Route({entry}), -EFAULT);
  entry = Entry(0);
  entry.u.adapter.summary_addr = kMemorySize + 64 * kSegmentSize;
  EXPECT_EQ(Route({entry}), -EFAULT);
}

TEST_F(InterruptRouting, TheAdapterNeedNotBeThereYet) { EXPECT_EQ(Route({Entry(0)}), 0); }

TEST_F(InterruptRouting, ATableThatCannotBeReadIsAFault) {
  // The head is the last thing that can be read.
  const long page = sysconf(_SC_PAGESIZE);
  SharedMemory memory(kSegmentSize);
  auto* head = reinterpret_cast<abi::kvm_irq_routing*>(memory.bytes() + kSegmentSize -
                                                       sizeof(abi::kvm_irq_routing));
  ASSERT_EQ(page, 4096);
  *head = {1, 0};
  EXPECT_EQ(Pass(vm(), abi::KVM_SET_GSI_ROUTING, *head), -EFAULT);
}

class InterruptDescriptor : public InterruptRouting {};

TEST_F(InterruptDescriptor, IsBoundAndReleased) {
  EXPECT_EQ(Bind(event_.fd()), 0);
  EXPECT_EQ(Bind(event_.fd(), kRemove), 0);
  EXPECT_EQ(Bind(event_.fd()), 0);
}

TEST_F(InterruptDescriptor, IsBoundOnce) {
  ASSERT_EQ(Bind(event_.fd()), 0);
  EXPECT_EQ(Bind(event_.fd()), -EBUSY);
  EXPECT_EQ(Bind(event_.fd(), 0, kLine + 1), -EBUSY);
}

TEST_F(InterruptDescriptor, ReleasingWhatIsNotBoundIsDone) {
  EXPECT_EQ(Bind(event_.fd(), kRemove), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  EXPECT_EQ(Bind(event_.fd(), kRemove, kLine + 1), 0);
  EXPECT_EQ(Bind(event_.fd()), -EBUSY);  // still there
}

TEST_F(InterruptDescriptor, UnknownFlagsAreInvalid) {
  EXPECT_EQ(Bind(event_.fd(), 4), -EINVAL);
  EXPECT_EQ(Bind(event_.fd(), kRemove | 8), -EINVAL);
}

TEST_F(InterruptDescriptor, IsOpen) {
  EXPECT_EQ(Bind(-1), -EBADF);
  EXPECT_EQ(Bind(-1, kRemove), -EBADF);
}

TEST_F(InterruptDescriptor, IsThatOfAnEvent) {
  EXPECT_EQ(Bind(system()), -EINVAL);
  EXPECT_EQ(Bind(system(), kRemove), -EINVAL);
}

TEST_F(InterruptDescriptor, TheSecondOfAResamplingPairIsAnEventToo) {
  EXPECT_EQ(Bind(event_.fd(), abi::KVM_IRQFD_FLAG_RESAMPLE, kLine, -1), -EBADF);
  EXPECT_EQ(Bind(event_.fd()), 0);  // nothing was left behind
}

TEST_F(InterruptDescriptor, SetsBothIndicatorsAndInterrupts) {
  Register();
  ASSERT_EQ(Route({Entry(9, 3)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  event_.Signal();
  ASSERT_TRUE(Eventually([&] { return PendingCount() == 1; }));
  EXPECT_EQ(Load<std::uint8_t>(kIndicators + 1), 0x40u);
  EXPECT_EQ(Load<std::uint8_t>(kSummary), 0x10u);
}

TEST_F(InterruptDescriptor, IsConsumed) {
  Register();
  ASSERT_EQ(Route({Entry(0)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  event_.Signal();
  EXPECT_TRUE(Eventually([&] { return !event_.Ready(); }));
}

TEST_F(InterruptDescriptor, CountsFromTheLeftInWordsWhenSwapped) {
  Register(true);
  ASSERT_EQ(Route({Entry(64, 63)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  event_.Signal();
  ASSERT_TRUE(Eventually([&] { return PendingCount() == 1; }));
  EXPECT_EQ(Load<std::uint64_t>(kIndicators + 8), std::uint64_t{1} << 63);
  EXPECT_EQ(Load<std::uint64_t>(kSummary), 1u);
}

TEST_F(InterruptDescriptor, CountsFromTheRightInWordsWhenNotSwapped) {
  Register(false);
  ASSERT_EQ(Route({Entry(64, 63)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  event_.Signal();
  ASSERT_TRUE(Eventually([&] { return PendingCount() == 1; }));
  EXPECT_EQ(Load<std::uint64_t>(kIndicators + 8), 1u);
  EXPECT_EQ(Load<std::uint64_t>(kSummary), std::uint64_t{1} << 63);
}

TEST_F(InterruptDescriptor, BitsCountFromTheAddressInsideItsPage) {
  Register();
  abi::kvm_irq_routing_entry entry = Entry(3, 1);
  entry.u.adapter.ind_addr = kIndicators + 5;
  entry.u.adapter.summary_addr = kSummary + 9;
  ASSERT_EQ(Route({entry}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  event_.Signal();
  ASSERT_TRUE(Eventually([&] { return PendingCount() == 1; }));
  EXPECT_EQ(Load<std::uint8_t>(kIndicators + 5), 0x10u);
  EXPECT_EQ(Load<std::uint8_t>(kSummary + 9), 0x40u);
}

TEST_F(InterruptDescriptor, InterruptsOnlyWhenTheSummaryWasClear) {
  Register();
  ASSERT_EQ(Route({Entry(0, 0)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  Store(kSummary, std::uint8_t{0x80});
  event_.Signal();
  ASSERT_TRUE(Eventually([&] { return Load<std::uint8_t>(kIndicators) == 0x80; }));
  Settle();
  EXPECT_EQ(PendingCount(), 0u);
}

TEST_F(InterruptDescriptor, TwoLinesShareASummary) {
  Register();
  const EventDescriptor second;
  ASSERT_EQ(Route({Entry(0, 0), Entry(1, 0, kLine + 1)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  ASSERT_EQ(Bind(second.fd(), 0, kLine + 1), 0);
  event_.Signal();
  ASSERT_TRUE(Eventually([&] { return PendingCount() == 1; }));
  second.Signal();
  ASSERT_TRUE(Eventually([&] { return Load<std::uint8_t>(kIndicators) == 0xc0; }));
  ASSERT_EQ(Bind(second.fd(), kRemove, kLine + 1), 0);
  EXPECT_EQ(PendingCount(), 1u);
}

TEST_F(InterruptDescriptor, AMaskedAdapterSetsIndicatorsOnly) {
  Register();
  abi::kvm_s390_io_adapter_req request{};
  request.id = kAdapter;
  request.type = abi::KVM_S390_IO_ADAPTER_MASK;
  request.mask = 1;
  ASSERT_EQ(SetAttribute(flic_, abi::KVM_DEV_FLIC_ADAPTER_MODIFY, 0, &request), 0);
  ASSERT_EQ(Route({Entry(0, 0)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  event_.Signal();
  ASSERT_TRUE(Eventually([&] { return Load<std::uint8_t>(kSummary) == 0x80; }));
  Settle();
  EXPECT_EQ(Load<std::uint8_t>(kIndicators), 0x80u);
  EXPECT_EQ(PendingCount(), 0u);
}

TEST_F(InterruptDescriptor, SignalledBeforeItIsBoundItInterruptsAtOnce) {
  Register();
  ASSERT_EQ(Route({Entry(0, 0)}), 0);
  event_.Signal();
  ASSERT_EQ(Bind(event_.fd()), 0);
  EXPECT_TRUE(Eventually([&] { return PendingCount() == 1; }));
}

TEST_F(InterruptDescriptor, WithoutRouteNothingHappens) {
  Register();
  ASSERT_EQ(Bind(event_.fd()), 0);
  event_.Signal();
  Settle();
  EXPECT_EQ(PendingCount(), 0u);
}

TEST_F(InterruptDescriptor, WithoutAdapterNothingHappens) {
  ASSERT_EQ(Route({Entry(0, 0)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  event_.Signal();
  Settle();
  EXPECT_EQ(PendingCount(), 0u);
  EXPECT_EQ(Load<std::uint8_t>(kIndicators), 0u);
}

TEST_F(InterruptDescriptor, FollowsANewRoute) {
  Register();
  ASSERT_EQ(Route({Entry(0, 0)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  ASSERT_EQ(Route({Entry(2, 0)}), 0);
  event_.Signal();
  ASSERT_TRUE(Eventually([&] { return PendingCount() == 1; }));
  EXPECT_EQ(Load<std::uint8_t>(kIndicators), 0x20u);
}

TEST_F(InterruptDescriptor, IsSilentAfterItsRelease) {
  Register();
  ASSERT_EQ(Route({Entry(0, 0)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  ASSERT_EQ(Bind(event_.fd(), kRemove), 0);
  event_.Signal();
  EXPECT_EQ(event_.Count(), 1u);  // nobody took it
  EXPECT_EQ(PendingCount(), 0u);
}

TEST_F(InterruptDescriptor, WakesAWaitingGuest) {
  constexpr std::uint64_t kEnabledWait =
      kSupervisor | std::uint64_t{1} << (63 - 6) | std::uint64_t{1} << (63 - 14);
  Register();
  ASSERT_EQ(Route({Entry(0, 0)}), 0);
  ASSERT_EQ(Bind(event_.fd()), 0);
  Vcpu& cpu = AddCpu();
  SetPsw(cpu, kEnabledWait);
  SetControl(cpu, 6, 0x80000000u >> 3);
  SetNewPsw(0x1f0, kSupervisor, 0x20000);
  Program({0x83, 0x00, 0x05, 0x01}, 0x20000);
  event_.Signal();
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, 0x20004u);
  EXPECT_EQ(Load<std::uint32_t>(0xb8), 0u);
  EXPECT_EQ(Load<std::uint32_t>(0xc0), 0x80000000u | 3u << 27);
  EXPECT_EQ(PendingCount(), 0u);
}

}  // namespace
}  // namespace lethe::conformance
