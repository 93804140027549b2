// KVM_IOEVENTFD: descriptors that the guest signals.

#include <fcntl.h>

#include "tests/conformance/event_descriptor.h"
#include "tests/conformance/host_limits.h"
#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

constexpr std::uint32_t kMatch = abi::KVM_IOEVENTFD_FLAG_DATAMATCH;
constexpr std::uint32_t kRemove = abi::KVM_IOEVENTFD_FLAG_DEASSIGN;
constexpr std::uint32_t kChannel = abi::KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY;

class EventChannel : public MachineTest {
 protected:
  static constexpr std::uint64_t kSubchannel = 0x00010017;

  int Change(int fd, std::uint64_t queue, std::uint32_t flags = kMatch | kChannel,
             std::uint32_t length = 8, std::uint64_t subchannel = kSubchannel) {
    abi::kvm_ioeventfd change{};
    change.datamatch = queue;
    change.addr = subchannel;
    change.len = length;
    change.fd = fd;
    change.flags = flags;
    return Pass(vm(), abi::KVM_IOEVENTFD, change);
  }
  // A CPU in a machine with channel subsystem whose next run is a notification.
  Vcpu& Guest() {
    // DIAG 0,0,X'500'; DIAG 0,0,X'501'
    Vcpu& cpu = AddCpuWith({0x83, 0x00, 0x05, 0x00, 0x83, 0x00, 0x05, 0x01});
    EXPECT_EQ(EnableCapability(cpu.fd, abi::KVM_CAP_S390_CSS_SUPPORT), 0);
    return cpu;
  }
  // True if the kernel answered, false if the program above it is to.
  bool Notify(Vcpu& cpu, std::uint64_t queue, std::uint64_t cookie = ~std::uint64_t{0},
              std::uint64_t subchannel = kSubchannel, std::uint64_t function = 3) {
    SetPsw(cpu, kSupervisor);
    SetGeneral(cpu, 1, function);
    SetGeneral(cpu, 2, subchannel);
    SetGeneral(cpu, 3, queue);
    SetGeneral(cpu, 4, cookie);
    EXPECT_EQ(Run(cpu), 0);
    EXPECT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
    return cpu.run->psw_addr == kProgramAt + 8;
  }

  EventDescriptor event_;
};

class SignalledEventChannel : public EventChannel {
 protected:
  void SetUp() override {
    if (!CopiedEventsCountAlike()) GTEST_SKIP() << "user-mode emulation counts wrongly";
  }
};

TEST_F(EventChannel, IsAssignedAndRemoved) {
  EXPECT_EQ(Change(event_.fd(), 0), 0);
  EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel | kRemove), 0);
  EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel | kRemove), -ENOENT);
}

TEST_F(EventChannel, LengthsArePowersOfTwoUpTo8) {
  std::uint64_t subchannel = 1;
  for (const unsigned length : {1u, 2u, 4u, 8u})
    EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel, length, subchannel++), 0) << length;
  for (const unsigned length : {3u, 5u, 6u, 7u, 9u, 16u})
    EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel, length, subchannel++), -EINVAL) << length;
}

TEST_F(EventChannel, LengthZeroMatchesEveryValue) {
  EXPECT_EQ(Change(event_.fd(), 0, kChannel, 0), 0);
  EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel, 0, 1), -EINVAL);
}

TEST_F(EventChannel, AddressesDoNotWrap) {
  EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel, 8, ~std::uint64_t{0}), -EINVAL);
}

TEST_F(EventChannel, UnknownFlagsAreInvalid) {
  EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel | 0x20), -EINVAL);
  EXPECT_EQ(Change(event_.fd(), 0, 0x80000000), -EINVAL);
}

TEST_F(EventChannel, TheFlagOfAFasterBusIsKnown) {
  EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel | 0x10), 0);
}

TEST_F(EventChannel, ArgumentsAreCheckedBeforeTheDescriptor) {
  EXPECT_EQ(Change(-1, 0, kMatch | kChannel, 3), -EINVAL);
}

TEST_F(EventChannel, TheDescriptorIsOpen) {
  EXPECT_EQ(Change(-1, 0), -EBADF);
  EXPECT_EQ(Change(-1, 0, kMatch | kChannel | kRemove), -EBADF);
}

TEST_F(EventChannel, TheDescriptorIsThatOfAnEvent) {
  EXPECT_EQ(Change(system(), 0), -EINVAL);
  EXPECT_EQ(Change(system(), 0, kMatch | kChannel | kRemove), -EINVAL);
}

TEST_F(EventChannel, OneListensToEachValue) {
  const EventDescriptor other;
  ASSERT_EQ(Change(event_.fd(), 0), 0);
  EXPECT_EQ(Change(event_.fd(), 0), -EEXIST);
  EXPECT_EQ(Change(other.fd(), 0), -EEXIST);
  EXPECT_EQ(Change(other.fd(), 1), 0);
}

TEST_F(EventChannel, OneForEveryValueExcludesOthers) {
  const EventDescriptor other;
  ASSERT_EQ(Change(event_.fd(), 0), 0);
  EXPECT_EQ(Change(other.fd(), 0, kChannel), -EEXIST);
  EXPECT_EQ(Change(other.fd(), 0, kChannel, 0), -EEXIST);
}

TEST_F(EventChannel, OtherSubchannelsAreOthers) {
  ASSERT_EQ(Change(event_.fd(), 0), 0);
  EXPECT_EQ(Change(event_.fd(), 0, kMatch | kChannel, 8, kSubchannel + 1), 0);
}

TEST_F(EventChannel, RemovalNamesTheSameThing) {
  const EventDescriptor other;
  ASSERT_EQ(Change(event_.fd(), 5), 0);
  EXPECT_EQ(Change(other.fd(), 5, kMatch | kChannel | kRemove), -ENOENT);
  EXPECT_EQ(Change(event_.fd(), 6, kMatch | kChannel | kRemove), -ENOENT);
  EXPECT_EQ(Change(event_.fd(), 5, kMatch | kChannel | kRemove, 4), -ENOENT);
  EXPECT_EQ(Change(event_.fd(), 5, kChannel | kRemove), -ENOENT);
  EXPECT_EQ(Change(event_.fd(), 5, kMatch | kChannel | kRemove, 8, 1), -ENOENT);
  EXPECT_EQ(Change(event_.fd(), 5, kMatch | kChannel | kRemove), 0);
}

TEST_F(EventChannel, RemovalKnowsTheEventByAnotherDescriptor) {
  ASSERT_EQ(Change(event_.fd(), 5), 0);
  const UniqueFd copy(fcntl(event_.fd(), F_DUPFD_CLOEXEC, 0));
  EXPECT_EQ(Change(copy.get(), 5, kMatch | kChannel | kRemove), 0);
}

TEST_F(SignalledEventChannel, IsSignalledByTheGuest) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  Vcpu& cpu = Guest();
  EXPECT_TRUE(Notify(cpu, 2));
  EXPECT_EQ(event_.Count(), 1u);
}

TEST_F(SignalledEventChannel, CountsItsSignals) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  Vcpu& cpu = Guest();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Notify(cpu, 2));
  EXPECT_EQ(event_.Count(), 3u);
}

TEST_F(SignalledEventChannel, TheGuestGetsACookieForNextTime) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  Vcpu& cpu = Guest();
  ASSERT_TRUE(Notify(cpu, 2));
  const std::uint64_t cookie = cpu.run->s.regs.gprs[2];
  EXPECT_EQ(cookie, 0u);
  EXPECT_TRUE(Notify(cpu, 2, cookie));
  EXPECT_EQ(cpu.run->s.regs.gprs[2], cookie);
  EXPECT_EQ(event_.Count(), 2u);
}

TEST_F(SignalledEventChannel, AWrongCookieDoesNoHarm) {
  const EventDescriptor other;
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  ASSERT_EQ(Change(other.fd(), 2, kMatch | kChannel, 8, kSubchannel + 1), 0);
  Vcpu& cpu = Guest();
  ASSERT_TRUE(Notify(cpu, 2, 1));
  EXPECT_TRUE(Notify(cpu, 2, 12345));
  EXPECT_EQ(event_.Count(), 2u);
  EXPECT_EQ(other.Count(), 0u);
}

TEST_F(EventChannel, CookiesFollowTheSubchannels) {
  const EventDescriptor other;
  ASSERT_EQ(Change(event_.fd(), 0), 0);
  ASSERT_EQ(Change(other.fd(), 0, kMatch | kChannel, 8, kSubchannel - 1), 0);
  Vcpu& cpu = Guest();
  ASSERT_TRUE(Notify(cpu, 0));
  EXPECT_EQ(cpu.run->s.regs.gprs[2], 1u);
}

TEST_F(EventChannel, ValuesNobodyListensToAreForTheProgramAbove) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  Vcpu& cpu = Guest();
  EXPECT_FALSE(Notify(cpu, 3));
  EXPECT_EQ(cpu.run->s.regs.gprs[2], kSubchannel);
  EXPECT_FALSE(Notify(cpu, 2, 0, kSubchannel + 1));
  EXPECT_EQ(event_.Count(), 0u);
}

TEST_F(EventChannel, AllBitsOfTheValueCount) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  Vcpu& cpu = Guest();
  EXPECT_FALSE(Notify(cpu, std::uint64_t{1} << 32 | 2));
}

TEST_F(EventChannel, TheSubchannelHas32Bits) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  Vcpu& cpu = Guest();
  EXPECT_TRUE(Notify(cpu, 2, ~std::uint64_t{0}, std::uint64_t{0xffffffff} << 32 | kSubchannel));
}

TEST_F(SignalledEventChannel, WithoutMatchingEveryValueSignals) {
  ASSERT_EQ(Change(event_.fd(), 0, kChannel), 0);
  Vcpu& cpu = Guest();
  EXPECT_TRUE(Notify(cpu, 17));
  EXPECT_EQ(event_.Count(), 1u);
}

TEST_F(EventChannel, AnotherLengthIsNeverHit) {
  ASSERT_EQ(Change(event_.fd(), 2, kMatch | kChannel, 4), 0);
  Vcpu& cpu = Guest();
  EXPECT_FALSE(Notify(cpu, 2));
  EXPECT_EQ(event_.Count(), 0u);
}

TEST_F(EventChannel, OtherBusesAreNeverHit) {
  ASSERT_EQ(Change(event_.fd(), 2, kMatch), 0);
  Vcpu& cpu = Guest();
  EXPECT_FALSE(Notify(cpu, 2));
  EXPECT_EQ(event_.Count(), 0u);
}

TEST_F(EventChannel, OtherFunctionsAreForTheProgramAbove) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  Vcpu& cpu = Guest();
  EXPECT_FALSE(Notify(cpu, 2, 0, kSubchannel, 0));
  EXPECT_EQ(event_.Count(), 0u);
}

TEST_F(EventChannel, NeedsTheChannelSubsystem) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  Vcpu& cpu = AddCpuWith({0x83, 0x00, 0x05, 0x00, 0x83, 0x00, 0x05, 0x01});
  EXPECT_FALSE(Notify(cpu, 2));
  EXPECT_EQ(event_.Count(), 0u);
}

TEST_F(EventChannel, IsSilentAfterItsRemoval) {
  ASSERT_EQ(Change(event_.fd(), 2), 0);
  ASSERT_EQ(Change(event_.fd(), 2, kMatch | kChannel | kRemove), 0);
  Vcpu& cpu = Guest();
  EXPECT_FALSE(Notify(cpu, 2));
}

TEST_F(EventChannel, TheDescriptorMayBeClosedMeanwhile) {
  Vcpu& cpu = Guest();
  {
    const EventDescriptor brief;
    ASSERT_EQ(Change(brief.fd(), 2), 0);
  }
  EXPECT_TRUE(Notify(cpu, 2));
}

}  // namespace
}  // namespace lethe::conformance
