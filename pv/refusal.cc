#include "pv/refusal.h"

#include <array>
#include <cstdint>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "accel/kvm-s390/abi.h"

namespace lethe {
namespace {

constexpr std::uint16_t kAnyReason = 0xffff;

struct Meaning {
  std::uint32_t command;
  std::uint16_t rc;
  std::uint16_t rrc;
  absl::string_view words;
};

constexpr std::array<Meaning, 11> kMeanings{{
    {abi::KVM_PV_SET_SEC_PARMS, 0x0104, kAnyReason, "the header has a version that is not known"},
    {abi::KVM_PV_SET_SEC_PARMS, 0x0106, kAnyReason, "the image asks for plaintext flags not known"},
    {abi::KVM_PV_SET_SEC_PARMS, 0x0108, 0x0005,
     "the image was sealed for another host: no key slot is for this host key"},
    {abi::KVM_PV_SET_SEC_PARMS, 0x0108, 0x000b, "the header's customer key is damaged"},
    {abi::KVM_PV_SET_SEC_PARMS, 0x0108, kAnyReason, "this host key cannot open the image"},
    {abi::KVM_PV_SET_SEC_PARMS, 0x0109, kAnyReason, "the image asks for secret flags not known"},
    {abi::KVM_PV_SET_SEC_PARMS, 0x010a, kAnyReason, "the header is damaged"},
    {abi::KVM_PV_VERIFY, 0x0102, 0x001a, "the component addresses are not those of the image"},
    {abi::KVM_PV_VERIFY, 0x0102, 0x001b, "the content of a component was changed"},
    {abi::KVM_PV_VERIFY, 0x0102, 0x001c, "the component tweaks are not those of the image"},
    {abi::KVM_PV_VERIFY, 0x0102, 0x001d, "the number of component pages is not the image's"},
}};

absl::string_view WordsFor(const kvm::PvResult& result) {
  for (const Meaning& meaning : kMeanings) {
    if (meaning.command == result.command && meaning.rc == result.rc &&
        (meaning.rrc == kAnyReason || meaning.rrc == result.rrc))
      return meaning.words;
  }
  return "the Ultravisor or the host refused";
}

}  // namespace

std::string ExplainRefusal(const kvm::PvResult& result) {
  return absl::StrFormat("%s (%s)", WordsFor(result), result.ToStatus().message());
}

}  // namespace lethe
