#ifndef LETHE_EMULATED_HOST_KVM_PROTECTING_USER_H_
#define LETHE_EMULATED_HOST_KVM_PROTECTING_USER_H_

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <utility>

#include "emulated-host/kvm/kernel_fixture.h"
#include "emulated-host/ultravisor/ultravisor.h"
#include "image/host_key.h"
#include "image/image_reader.h"
#include "image/sealer.h"

namespace lethe::emulated {

inline constexpr std::uint16_t kUntouched = 0x7777;

// A guest's instructions at 0x11000, which is where it starts, behind what a kernel image needs.
inline Bytes ProgramAsKernel(std::initializer_list<std::uint8_t> instructions) {
  Bytes kernel(0x12000);
  const auto put = [&](std::size_t at, std::initializer_list<std::uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), kernel.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put(0x10000, {0xa7, 0xf4, 0x08, 0x00});  // J 0x11000
  put(0x10008, {'S', '3', '9', '0', 'E', 'P'});
  put(0x11000, instructions);
  return kernel;
}

// A guest that calls DIAGNOSE X'500' for ever, counting in register 2.
inline Bytes GuestProgram() {
  return ProgramAsKernel({0xa7, 0x19, 0x00, 0x01,    // LGHI 1,1
                          0xa7, 0x29, 0x00, 0x41,    // LGHI 2,0x41
                          0x83, 0x24, 0x05, 0x00,    // DIAG 2,4,0x500
                          0xa7, 0x2b, 0x00, 0x01,    // AGHI 2,1
                          0xa7, 0xf4, 0xff, 0xfc});  // J the DIAG
}

inline constexpr std::uint64_t kSecret = 0x5345'4352'4554'2121;  // "SECRET!!"
inline constexpr std::uint64_t kDataBegin = 0x100000, kDataEnd = 0x300000;

// Its own text, and in every page of its data, that secret, again and again.
inline Bytes SecretProgram() {
  Bytes kernel = ProgramAsKernel({
      0xc0, 0x5e, 0x53, 0x45, 0x43, 0x52,  // LLIHF 5,'SECR'
      0xc0, 0x59, 0x45, 0x54, 0x21, 0x21,  // IILF 5,'ET!!'
      0xa5, 0x4e, 0x00, 0x30,              // LLILH 4,0x30
      0xa5, 0x3e, 0x00, 0x10,              // LLILH 3,0x10
      0xe3, 0x50, 0x30, 0x00, 0x00, 0x24,  // STG 5,0(3)
      0xa7, 0x3b, 0x08, 0x00,              // AGHI 3,2048
      0xb9, 0x21, 0x00, 0x34,              // CLGR 3,4
      0xa7, 0x44, 0xff, 0xf9,              // JL the STG
      0xa7, 0xf4, 0xff, 0xf5,              // J the LLILH 3
  });
  for (std::size_t at = 0x11800; at < kernel.size(); at += 2048) {
    StoreBigEndian(kernel.data() + at, kSecret);
  }
  return kernel;
}

struct Result {
  int error;
  std::uint16_t rc;
  std::uint16_t rrc;
  friend bool operator==(const Result&, const Result&) = default;
};
inline std::ostream& operator<<(std::ostream& out, const Result& result) {
  return out << result.error << " rc " << std::hex << result.rc << " rrc " << result.rrc;
}
constexpr Result Refused(int error) { return {error, kUntouched, kUntouched}; }

// A user on a host that can protect guests, with an image for it.
class ProtectingUser {
 public:
  explicit ProtectingUser(UltravisorFeatures features = {}, EmulatedKernelOptions options = {},
                          Bytes kernel = GuestProgram())
      : ultravisor_(key_, features), user_(WithUltravisor(std::move(options))) {
    SealRequest request;
    request.kernel = std::move(kernel);
    request.host_keys = {key_.key()};
    absl::StatusOr<Bytes> file = Seal(request);
    LETHE_CHECK(file.ok() && file->size() <= user_.memory().size());
    file_ = *std::move(file);
    absl::StatusOr<ProtectedImage> image = ReadImage(file_);
    LETHE_CHECK(image.ok());
    image_ = *std::move(image);
  }

  KernelUser* operator->() { return &user_; }
  KernelUser& user() { return user_; }
  Ultravisor& ultravisor() { return ultravisor_; }
  // The encrypted image.
  const Bytes& file() const { return file_; }

  Result Command(std::uint32_t number, void* data = nullptr, std::uint32_t flags = 0) {
    abi::kvm_pv_cmd command{};
    command.cmd = number;
    command.rc = kUntouched;
    command.rrc = kUntouched;
    command.data = reinterpret_cast<std::uintptr_t>(data);
    command.flags = flags;
    const int error = user_.Pass(user_.vm(), abi::KVM_S390_PV_COMMAND, command);
    return {error, command.rc, command.rrc};
  }
  Result SetParameters() {
    abi::kvm_s390_pv_sec_parm parameters{reinterpret_cast<std::uintptr_t>(image_.header.data()),
                                         image_.header.size()};
    return Command(abi::KVM_PV_SET_SEC_PARMS, &parameters);
  }
  Result Unpack() {
    Result result{};
    for (const ImageComponent& part : image_.parameters.components) {
      abi::kvm_s390_pv_unp unpack{part.address, part.size, part.tweak_prefix};
      result = Command(abi::KVM_PV_UNPACK, &unpack);
      if (result.error != 0) break;
    }
    return result;
  }
  // From the encrypted image to a first CPU that is ready to run.
  void Start(KernelUser::Vcpu& cpu) {
    std::copy(file_.begin(), file_.end(), user_.memory().bytes());
    EXPECT_EQ(Command(abi::KVM_PV_ENABLE), kDone);
    EXPECT_EQ(SetParameters(), kDone);
    EXPECT_EQ(Unpack(), kDone);
    EXPECT_EQ(Command(abi::KVM_PV_VERIFY), kDone);
    EXPECT_EQ(user_.SetState(cpu, abi::KVM_MP_STATE_LOAD), 0);
    EXPECT_EQ(user_.SetState(cpu, abi::KVM_MP_STATE_OPERATING), 0);
  }
  void Stop(KernelUser::Vcpu& cpu) { EXPECT_EQ(user_.SetState(cpu, abi::KVM_MP_STATE_STOPPED), 0); }

  static constexpr Result kDone{0, 1, 0};
  static constexpr Result kSetAside{0, 1, 42};

 private:
  EmulatedKernelOptions WithUltravisor(EmulatedKernelOptions options) {
    options.ultravisor = &ultravisor_;
    return options;
  }

  HostKey key_ = HostKey::Generate();
  Ultravisor ultravisor_;
  KernelUser user_;
  Bytes file_;
  ProtectedImage image_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_PROTECTING_USER_H_
