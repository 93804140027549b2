#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_UVC_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_UVC_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace lethe::emulated {

// Ultravisor calls, by command code (Linux, arch/s390/include/asm/uv.h documents the blocks).
enum class Uvc : std::uint16_t {
  kQuery = 0x0001,
  kInitialize = 0x000f,
  kCreateConfiguration = 0x0100,
  kDestroyConfiguration = 0x0101,
  kDestroyConfigurationFast = 0x0102,
  kCreateCpu = 0x0120,
  kDestroyCpu = 0x0121,
  kConvertToSecure = 0x0200,
  kConvertFromSecure = 0x0201,
  kDestroyPage = 0x0202,
  kSetParameters = 0x0300,
  kUnpack = 0x0301,
  kVerify = 0x0302,
  kCpuReset = 0x0310,
  kCpuInitialReset = 0x0311,
  kPrepareReset = 0x0320,
  kCpuClearReset = 0x0321,
  kSetCpuState = 0x0330,
  kUnshareAll = 0x0340,
  kPinShared = 0x0341,
  kUnpinShared = 0x0342,
  kShare = 0x1000,
  kUnshare = 0x1001,
};

// Number of the call in the installed-calls list of the query block (bit n, 0 leftmost), and what
// people call it.
struct UvcNumber {
  Uvc call;
  std::uint8_t number;
  absl::string_view name;
};
inline constexpr std::array<UvcNumber, 23> kUvcNumbers = {{
    {Uvc::kQuery, 0, "query"},
    {Uvc::kInitialize, 1, "initialize"},
    {Uvc::kCreateConfiguration, 2, "create-configuration"},
    {Uvc::kDestroyConfiguration, 3, "destroy-configuration"},
    {Uvc::kCreateCpu, 4, "create-cpu"},
    {Uvc::kDestroyCpu, 5, "destroy-cpu"},
    {Uvc::kConvertToSecure, 6, "import-page"},
    {Uvc::kConvertFromSecure, 7, "export-page"},
    {Uvc::kShare, 8, "share-page"},
    {Uvc::kUnshare, 9, "unshare-page"},
    {Uvc::kSetParameters, 11, "set-parameters"},
    {Uvc::kDestroyPage, 12, "destroy-page"},
    {Uvc::kUnpack, 13, "unpack-page"},
    {Uvc::kVerify, 14, "verify"},
    {Uvc::kCpuReset, 15, "cpu-reset"},
    {Uvc::kCpuInitialReset, 16, "cpu-initial-reset"},
    {Uvc::kSetCpuState, 17, "set-cpu-state"},
    {Uvc::kPrepareReset, 18, "prepare-reset"},
    {Uvc::kCpuClearReset, 19, "cpu-clear-reset"},
    {Uvc::kUnshareAll, 20, "unshare-all"},
    {Uvc::kPinShared, 21, "pin-shared-page"},
    {Uvc::kUnpinShared, 22, "unpin-shared-page"},
    {Uvc::kDestroyConfigurationFast, 23, "destroy-configuration-fast"},
}};
inline constexpr std::size_t kUvcNumberLimit = 24;

constexpr std::uint8_t NumberOf(Uvc call) {
  for (const UvcNumber& row : kUvcNumbers)
    if (row.call == call) return row.number;
  return kUvcNumberLimit - 1;
}

// The call that people call `name` ("destroy-page"), if there is one.
constexpr std::optional<Uvc> UvcByName(absl::string_view name) {
  for (const UvcNumber& row : kUvcNumbers)
    if (row.name == name) return row.call;
  return std::nullopt;
}

// Calls that machines may have and this Ultravisor lacks: dump, attestation, secrets. It answers
// kInvalidCommand, and their bits are not set in the installed-calls list.
struct MissingUvc {
  std::uint16_t command;
  std::uint8_t number;
  absl::string_view name;
};
inline constexpr std::array<MissingUvc, 8> kMissingUvcs = {{
    {0x0400, 24, "dump-initialize"},
    {0x0401, 25, "dump-storage-state"},
    {0x0402, 26, "dump-cpu"},
    {0x0403, 27, "dump-complete"},
    {0x1020, 28, "retrieve-attestation"},
    {0x1031, 29, "add-secret"},
    {0x1033, 30, "list-secrets"},
    {0x1034, 31, "lock-secrets"},
}};

// What a call answers: condition code (0 done, 1 refused, 2 busy, 3 partial), return code, return
// reason code.
struct UvcResult {
  std::uint8_t cc = 0;
  std::uint16_t rc = kExecuted;
  std::uint16_t rrc = 0;

  bool ok() const { return cc == 0; }
  friend bool operator==(const UvcResult&, const UvcResult&) = default;

  static constexpr std::uint16_t kExecuted = 0x0001;
  static constexpr std::uint16_t kInvalidCommand = 0x0002;
  static constexpr std::uint16_t kInvalidState = 0x0003;
  static constexpr std::uint16_t kInvalidLength = 0x0005;
  static constexpr std::uint16_t kInvalidHandle = 0x0020;
  static constexpr std::uint16_t kMoreData = 0x0100;  // query: ok
  static constexpr std::uint16_t kInvalidAddress = 0x0101;
  static constexpr std::uint16_t kMismatch = 0x0102;  // verify; reasons below
  static constexpr std::uint16_t kHeaderVersion = 0x0104;
  static constexpr std::uint16_t kDevicesBound = 0x0104;  // destroy fast
  static constexpr std::uint16_t kPlaintextFlags = 0x0106;
  static constexpr std::uint16_t kPageNotSecure = 0x0107;
  static constexpr std::uint16_t kHostKey = 0x0108;
  static constexpr std::uint16_t kSecretFlags = 0x0109;
  static constexpr std::uint16_t kHeaderCorrupt = 0x010a;
  static constexpr std::uint16_t kPageNotPresent = 0x010a;  // convert to secure
  static constexpr std::uint16_t kMustDestroy = 0x8000;     // ORed in

  static constexpr UvcResult Done() { return {}; }
  static constexpr UvcResult Busy() { return {2, 0, 0}; }
  static constexpr UvcResult Partial() { return {3, 0, 0}; }
  static constexpr UvcResult Refused(std::uint16_t rc, std::uint16_t rrc = 0) {
    return {1, rc, rrc};
  }
};

// Reasons (rrc).
inline constexpr std::uint16_t kAddressDigest = 0x1a;  // kMismatch
inline constexpr std::uint16_t kPageDigest = 0x1b;
inline constexpr std::uint16_t kTweakDigest = 0x1c;
inline constexpr std::uint16_t kPageCount = 0x1d;
inline constexpr std::uint16_t kNoKeySlot = 0x05;  // kHostKey
inline constexpr std::uint16_t kBadCustomerKey = 0x0b;
inline constexpr std::uint16_t kHeaderLength = 0x31;  // kHeaderCorrupt
inline constexpr std::uint16_t kEncryptedAreaSize = 0x39;
inline constexpr std::uint16_t kNoKeySlots = 0x40;
inline constexpr std::uint16_t kAlreadyDestroyed = 0x0d;  // kPageNotSecure
// From here on unpublished, our choice.
inline constexpr std::uint16_t kHeaderMagic = 0x30;  // kHeaderCorrupt
inline constexpr std::uint16_t kSlotTag = 0x41;
inline constexpr std::uint16_t kHeaderTag = 0x42;
inline constexpr std::uint16_t kForeignPage = 0x01;  // kInvalidState: page operations
inline constexpr std::uint16_t kOwnerHasCpus = 0x02;
inline constexpr std::uint16_t kTooMany = 0x10;  // kInvalidState: configurations, CPUs
inline constexpr std::uint16_t kPageIntegrity = 0x03;

// How often each call was made. Safe for concurrent use.
class UvcCounters {
 public:
  void Count(Uvc call) { counts_[NumberOf(call)].fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t of(Uvc call) const {
    return counts_[NumberOf(call)].load(std::memory_order_relaxed);
  }
  // visit(name, count) for every kind of call.
  template <typename Visitor>
  void ForEach(Visitor visit) const {
    for (const UvcNumber& row : kUvcNumbers) visit(row.name, of(row.call));
  }

 private:
  std::array<std::atomic<std::uint64_t>, kUvcNumberLimit> counts_{};
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_UVC_H_
