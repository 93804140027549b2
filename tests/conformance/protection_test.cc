#include "pv/protection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "accel/kvm-s390/abi.h"
#include "accel/kvm-s390/system.h"
#include "base/status_matchers.h"
#include "emulated-host/kvm/emulated_kernel.h"
#include "emulated-host/ultravisor/host_mapping.h"
#include "emulated-host/ultravisor/ultravisor.h"
#include "image/golden_images.h"
#include "pv/event_recorder.h"
#include "vmm/guest_memory.h"

// Protection (pv/) on the emulated host with images of the real tool: the same code that runs above
// Linux, below it real cryptography and real page ownership. No guest code runs here.
namespace lethe {
namespace {

using ::testing::Contains;
using ::testing::Not;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr auto kForever = std::chrono::hours(1);

class EmulatedProtection : public ::testing::Test {
 protected:
  EmulatedProtection() {
    emulated::EmulatedKernelOptions options;
    options.ultravisor = &ultravisor_;
    kernel_ = std::make_unique<emulated::EmulatedKernel>(std::move(options));
    absl::StatusOr<kvm::System> system = kvm::System::Open(*kernel_);
    EXPECT_THAT(system, IsOk());
    EXPECT_TRUE(system->capabilities().protected_async_disable);
    absl::StatusOr<kvm::Vm> vm = system->CreateVm();
    EXPECT_THAT(vm, IsOk());
    vm_.emplace(*std::move(vm));
    absl::StatusOr<vmm::GuestMemory> memory =
        vmm::GuestMemory::Create(64 * kMiB, vmm::MemoryBacking::kShared);
    EXPECT_THAT(memory, IsOk());
    memory_.emplace(*std::move(memory));
    EXPECT_THAT(vm_->SetMemorySlot({.size = memory_->size(),
                                    .memory = reinterpret_cast<void*>(memory_->slot_address())}),
                IsOk());
    std::vector<kvm::Vcpu*> vcpus;
    for (unsigned address : {0u, 1u}) {
      absl::StatusOr<std::unique_ptr<kvm::Vcpu>> vcpu = vm_->CreateVcpu(address);
      EXPECT_THAT(vcpu, IsOk());
      vcpus_.push_back(*std::move(vcpu));
      vcpus.push_back(vcpus_.back().get());
    }
    ProtectionOptions protection;
    protection.destroy = DestroyMode::kLazy;
    protection.kernel_can_set_aside = true;
    protection.guest_memory = memory_->size();
    protection.patience = kForever;
    protection_ = std::make_unique<Protection>(*vm_, vcpus, protection, events_);
  }

  ~EmulatedProtection() override { protection_.reset(); }

  // As stage 3a and DIAGNOSE 308 subcodes 8 and 10 would.
  ProtectOutcome ProtectFile(const Bytes& file, const ProtectedImage& image) {
    EXPECT_TRUE(memory_->CopyIn(vmm::GuestAddress(0), file));
    absl::StatusOr<ProtectOutcome> outcome =
        protection_->Protect(*vcpus_[0], image.header, image.parameters.components);
    EXPECT_THAT(outcome, IsOk());
    return *outcome;
  }

  ProtectOutcome ProtectGolden(const std::string& name) {
    const Bytes file = ReadGolden(name);
    absl::StatusOr<ProtectedImage> image = ReadImage(file);
    EXPECT_THAT(image, IsOk());
    return ProtectFile(file, *image);
  }

  Bytes HostSees(std::uint64_t address, std::size_t size) {
    Bytes bytes(size);
    EXPECT_TRUE(memory_->CopyOut(vmm::GuestAddress(address), absl::MakeSpan(bytes)));
    return bytes;
  }

  HostKey host_key_ = ReadGoldenKey("host.key");
  emulated::Ultravisor ultravisor_{host_key_};
  std::unique_ptr<emulated::EmulatedKernel> kernel_;
  std::optional<vmm::GuestMemory> memory_;
  std::optional<kvm::Vm> vm_;
  std::vector<std::unique_ptr<kvm::Vcpu>> vcpus_;
  EventRecorder events_;
  std::unique_ptr<Protection> protection_;
};

TEST_F(EmulatedProtection, TakesEveryImageOfTheRealTool) {
  for (const char* name : {"g216-plain.pv", "g235-plain.pv", "g235-kernelonly.pv", "g235-noenc.pv",
                           "g235-2slots-dump.pv"}) {
    SCOPED_TRACE(name);
    const ProtectOutcome outcome = ProtectGolden(name);
    EXPECT_TRUE(outcome.is_protected) << std::hex << outcome.guest_code;
    ASSERT_THAT(protection_->Unprotect("next image"), IsOk());
    EXPECT_TRUE(protection_->cleaner().WaitUntilIdle(kForever));
  }
  EXPECT_EQ(kernel_->configurations(), 0);
}

TEST_F(EmulatedProtection, TheHostSeesNeitherPlainTextNorWhatItStored) {
  if (emulated::AvailableConcealment() == emulated::Concealment::kNone)
    GTEST_SKIP() << "no userfaultfd here";
  const Bytes kernel = ReadGolden("in/kernel.bin");
  const ProtectedImage image = ReadGoldenImage("g235-plain.pv");
  ASSERT_TRUE(ProtectGolden("g235-plain.pv").is_protected);
  const ImageComponent& first = image.parameters.components[0];
  const Bytes seen = HostSees(first.address, 4096);
  EXPECT_NE(seen, Bytes(kernel.begin(), kernel.begin() + 4096));
  EXPECT_THAT(seen, Not(::testing::Each(0)));  // encrypted, not merely gone
}

TEST_F(EmulatedProtection, AfterRebootAndCleaningMemoryIsZero) {
  const ProtectedImage image = ReadGoldenImage("g235-plain.pv");
  ASSERT_TRUE(ProtectGolden("g235-plain.pv").is_protected);
  ASSERT_THAT(protection_->Unprotect("reboot"), IsOk());
  EXPECT_TRUE(protection_->cleaner().WaitUntilIdle(kForever));
  for (const ImageComponent& component : image.parameters.components)
    EXPECT_THAT(HostSees(component.address, 4096), ::testing::Each(0));
  EXPECT_THAT(events_.Names(), Not(Contains("disable")));
  EXPECT_EQ(kernel_->configurations(), 0);
}

TEST_F(EmulatedProtection, OneWrongBitInAComponentIsFoundByVerify) {
  Bytes file = ReadGolden("g235-plain.pv");
  const ProtectedImage image = ReadGoldenImage("g235-plain.pv");
  for (const ImageComponent& component : image.parameters.components) {
    Bytes flipped = file;
    flipped[component.address + component.size - 1] ^= 0x10;
    const ProtectOutcome outcome = ProtectFile(flipped, image);
    EXPECT_FALSE(outcome.is_protected);
    EXPECT_EQ(outcome.guest_code, 0x0004'001b'0102'0a02u);  // verify, page digest, mismatch
    EXPECT_EQ(kernel_->configurations(), 0);
  }
  EXPECT_TRUE(ProtectFile(file, image).is_protected);
}

TEST_F(EmulatedProtection, OneWrongBitAnywhereInTheHeaderIsFound) {
  const Bytes file = ReadGolden("g235-plain.pv");
  const ProtectedImage good = ReadGoldenImage("g235-plain.pv");
  for (std::size_t offset = 0; offset < good.header.size(); offset += 13) {
    ProtectedImage image = good;
    image.header[offset] ^= 0x01;
    const ProtectOutcome outcome = ProtectFile(file, image);
    EXPECT_FALSE(outcome.is_protected) << offset;
    EXPECT_EQ(outcome.guest_code & 0xffff, 0x0a02u);
    EXPECT_EQ(outcome.guest_code >> 48, abi::KVM_PV_SET_SEC_PARMS) << offset;
    EXPECT_NE(outcome.guest_code >> 16 & 0xffff, 0u) << "no return code at " << offset;
  }
  EXPECT_EQ(kernel_->configurations(), 0);
}

TEST_F(EmulatedProtection, AWrongAddressOrTweakIsFound) {
  const Bytes file = ReadGolden("g235-plain.pv");
  const ProtectedImage good = ReadGoldenImage("g235-plain.pv");
  ProtectedImage image = good;
  image.parameters.components[0].tweak_prefix ^= 1;
  EXPECT_FALSE(ProtectFile(file, image).is_protected);
  image = good;
  image.parameters.components.pop_back();
  EXPECT_FALSE(ProtectFile(file, image).is_protected);
  image = good;
  image.parameters.components[0].address = memory_->size() + kMiB;  // no storage there
  EXPECT_FALSE(ProtectFile(file, image).is_protected);
  EXPECT_TRUE(ProtectFile(file, good).is_protected);
}

TEST_F(EmulatedProtection, AnImageForAnotherHostIsRefusedWithItsReason) {
  const HostKey other = HostKey::Generate();
  emulated::Ultravisor ultravisor(other);
  emulated::EmulatedKernelOptions options;
  options.ultravisor = &ultravisor;
  emulated::EmulatedKernel kernel(std::move(options));
  absl::StatusOr<kvm::System> system = kvm::System::Open(kernel);
  ASSERT_THAT(system, IsOk());
  absl::StatusOr<kvm::Vm> vm = system->CreateVm();
  ASSERT_THAT(vm, IsOk());
  absl::StatusOr<std::unique_ptr<kvm::Vcpu>> vcpu = vm->CreateVcpu(0);
  ASSERT_THAT(vcpu, IsOk());
  ASSERT_THAT(vm->SetMemorySlot({.size = memory_->size(),
                                 .memory = reinterpret_cast<void*>(memory_->slot_address())}),
              IsOk());
  Protection protection(*vm, {vcpu->get()}, {}, events_);
  const ProtectedImage image = ReadGoldenImage("g235-plain.pv");
  absl::StatusOr<ProtectOutcome> outcome =
      protection.Protect(**vcpu, image.header, image.parameters.components);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->guest_code, 0x0002'0005'0108'0a02u);  // set parameters, no slot, host key
}

TEST_F(EmulatedProtection, ResetsKeepTheGuestProtected) {
  ASSERT_TRUE(ProtectGolden("g235-plain.pv").is_protected);
  EXPECT_THAT(protection_->SecureReset(SecureResetKind::kModifiedClear, *vcpus_[0]), IsOk());
  EXPECT_THAT(protection_->SecureReset(SecureResetKind::kLoadNormal, *vcpus_[1]), IsOk());
  EXPECT_TRUE(protection_->is_protected());
}

TEST_F(EmulatedProtection, RebootsWhileOlderGuestsAreCleaned) {
  // Slow enough that each reboot finds the cleaner at work.
  ultravisor_.SetCost(emulated::Uvc::kDestroyPage, std::chrono::microseconds(20));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(ProtectGolden("g235-kernelonly.pv").is_protected) << i;
    ASSERT_THAT(protection_->Unprotect("reboot"), IsOk());
  }
  EXPECT_TRUE(protection_->cleaner().WaitUntilIdle(kForever));
  // A PERFORM that came too late has found nothing; what it missed, DISABLE has cleaned.
  EXPECT_EQ(kernel_->configurations(), 0);
}

TEST_F(EmulatedProtection, ACpuThatSticksMakesTheGuestUnremovable) {
  ASSERT_TRUE(ProtectGolden("g235-plain.pv").is_protected);
  emulated::UltravisorFeatures features;
  features.cpus_stick = true;
  ultravisor_.set_features(features);
  EXPECT_FALSE(protection_->Unprotect("reboot").ok());
  EXPECT_EQ(protection_->state(), PvState::kLost);
  ultravisor_.set_features({});
}

TEST_F(EmulatedProtection, BoundDevicesForceTheSlowWay) {
  ASSERT_TRUE(ProtectGolden("g235-plain.pv").is_protected);
  emulated::UltravisorFeatures features;
  features.devices_bound = true;
  ultravisor_.set_features(features);
  EXPECT_THAT(protection_->Unprotect("reboot"), IsOk());
  EXPECT_EQ(events_.Last("prepare")->rc, 0x104);
  EXPECT_TRUE(events_.Last("disable").has_value());
  EXPECT_EQ(kernel_->configurations(), 0);
}

TEST_F(EmulatedProtection, OlderFirmwareWithoutFastDestroy) {
  emulated::UltravisorFeatures features;
  features.destroy_fast = false;
  features.misc = false;
  ultravisor_.set_features(features);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(ProtectGolden("g235-plain.pv").is_protected);
    EXPECT_THAT(protection_->Unprotect("reboot"), IsOk());
  }
  EXPECT_TRUE(protection_->cleaner().WaitUntilIdle(kForever));
  // On a slow host a reset may come before PERFORM has begun: DISABLE destroys what was set aside
  // as well then.
  const auto end = events_.Last("perform-end");
  EXPECT_TRUE(end->rc == 1 || end->reason.starts_with("already clean")) << end->reason;
  EXPECT_EQ(kernel_->configurations(), 0);
}

}  // namespace
}  // namespace lethe
