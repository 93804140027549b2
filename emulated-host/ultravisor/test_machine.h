#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_TEST_MACHINE_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_TEST_MACHINE_H_

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/unique_fd.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"
#include "emulated-host/cpu/cpu_host.h"
#include "emulated-host/storage/guest_storage.h"
#include "emulated-host/ultravisor/host_mapping.h"
#include "emulated-host/ultravisor/secure_configuration.h"
#include "emulated-host/ultravisor/secure_cpu.h"
#include "emulated-host/ultravisor/ultravisor.h"
#include "image/golden_images.h"
#include "image/image_reader.h"

namespace lethe::emulated {

// For tests: a machine around an Ultravisor, with the client's memory, one memory slot from 0 on,
// and CPUs whose secure faults are resolved as KVM does.
class TestMachine : public CpuHost, private PagePurger {
 public:
  enum class Memory { kShared, kPrivate };

  explicit TestMachine(Ultravisor& ultravisor, std::size_t size = std::size_t{1} << 20,
                       Memory memory = Memory::kShared)
      : ultravisor_(ultravisor),
        mapping_([this](HostRegion& region, std::size_t page) {
          LETHE_CHECK(ultravisor_.MakeAccessible(region, page));
        }),
        size_(size),
        keys_(size / kPageSize),
        code_(size / kPageSize) {
    client_ = static_cast<std::uint8_t*>(
        mmap(nullptr, size, PROT_READ | PROT_WRITE,
             MAP_ANONYMOUS | (memory == Memory::kShared ? MAP_SHARED : MAP_PRIVATE), -1, 0));
    LETHE_CHECK(client_ != MAP_FAILED);
    absl::StatusOr<HostRegion*> region = mapping_.Add(client_, size);
    LETHE_CHECK(region.ok());
    region_ = *region;
    region_->Show({0, size / kPageSize, 0, this, code_.data()});
    storage_.Replace({{0, size, region_->bytes(), keys_.data(), region_->states(), code_.data()}});
  }
  ~TestMachine() override {
    mapping_.Remove(client_, size_);
    munmap(client_, size_);
  }

  Ultravisor& ultravisor() { return ultravisor_; }
  HostMapping& mapping() { return mapping_; }
  HostRegion& region() { return *region_; }
  GuestStorage& storage() { return storage_; }
  CpuGroup& group() { return group_; }
  std::uint8_t* client() { return client_; }
  std::size_t pages() const { return size_ / kPageSize; }
  PageState state(std::size_t page) { return PageState(region_->states()[page].load()); }

  // The same when nobody changes the page any more: who touched it goes on a moment before that.
  PageState settled(std::size_t page) {
    const PageState settled = region_->Lock(page);
    region_->Release(page, settled);
    return settled;
  }

  std::shared_ptr<SecureConfiguration> Create() {
    configuration_ = ultravisor_.CreateConfiguration(storage_, mapping_).configuration;
    LETHE_CHECK(configuration_ != nullptr);
    return configuration_;
  }

  // Copies an image file to where it belongs and unpacks it. The first result that is not good.
  UvcResult Start(SecureConfiguration& configuration, const Bytes& file) {
    std::copy(file.begin(), file.end(), client_);
    const absl::StatusOr<ProtectedImage> image = ReadImage(file);
    LETHE_CHECK(image.ok());
    return Start(configuration, image->header, image->parameters);
  }
  UvcResult Start(SecureConfiguration& configuration, ByteSpan header,
                  const IplParameters& parameters) {
    UvcResult result = ultravisor_.SetParameters(configuration, header);
    for (const ImageComponent& part : parameters.components) {
      for (std::uint64_t at = 0; result.ok() && at < part.size; at += kPageSize) {
        result = ultravisor_.Unpack(configuration, part.address + at, {part.tweak_prefix, at});
      }
    }
    return result.ok() ? ultravisor_.Verify(configuration) : result;
  }

  // CpuHost.
  Verdict ResolveSecureFault(Cpu&, std::uint64_t absolute, SecureFault fault) override {
    const std::size_t page = absolute / kPageSize;
    if (fault == SecureFault::kSecureStorageAccess) {
      return ultravisor_.MakeAccessible(*region_, page) ? Verdict::kContinue : Verdict::kLeave;
    }
    if (fault == SecureFault::kSecureStorageViolation) ultravisor_.DestroyPage(*region_, page);
    return ultravisor_.ConvertToSecure(*configuration_, absolute).ok() ? Verdict::kContinue
                                                                       : Verdict::kLeave;
  }
  Verdict OnAttention(Cpu&) override { return Verdict::kContinue; }

  std::atomic<int> purges{0};

 private:
  void PurgePage(std::uint64_t absolute) override {
    ++purges;
    group_.PurgePage(absolute);
  }

  Ultravisor& ultravisor_;
  HostMapping mapping_;
  std::size_t size_;
  std::vector<std::atomic<std::uint8_t>> keys_;
  std::vector<std::atomic<std::uint8_t>> code_;
  std::uint8_t* client_ = nullptr;
  HostRegion* region_ = nullptr;
  GuestStorage storage_;
  CpuGroup group_;
  std::shared_ptr<SecureConfiguration> configuration_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_TEST_MACHINE_H_
