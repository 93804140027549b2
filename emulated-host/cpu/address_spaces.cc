#include "emulated-host/cpu/address_spaces.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kLeftHalf = ~std::uint64_t{0xffff'ffff};

}  // namespace

AddressSpaces::AddressSpaces(Cpu& cpu)
    : cpu_(cpu),
      cr1_(cpu.cr(1)),
      cr3_(cpu.cr(3)),
      cr4_(cpu.cr(4)),
      cr5_(cpu.cr(5)),
      cr7_(cpu.cr(7)) {}

void AddressSpaces::set_key_mask(std::uint16_t mask) {
  cr3_ = (cr3_ & ~std::uint64_t{0xffff'0000}) | std::uint64_t{mask} << 16;
}

void AddressSpaces::SetPrimary(std::uint16_t asn, const AsnSecondTableEntry& entry) {
  constexpr std::uint64_t kEventControl = Psw::Bit(57);
  constexpr std::uint64_t kOldSpaceAsked = Psw::Bit(32);
  const std::uint64_t old_space_asked = (cr1_ & kEventControl) != 0 ? kOldSpaceAsked : 0;
  is_asked_for_ = ((cr1_ | entry.asce) & kEventControl) != 0;
  switch_ = ProgramInterruption{.code = ProgramCode::kSpaceSwitch,
                                .translation_exception = primary_asn() | old_space_asked};
  cr1_ = entry.asce;
  cr4_ = (cr4_ & kLeftHalf) | std::uint64_t{entry.authorization_index} << 16 | asn;
  cr5_ = (cr5_ & kLeftHalf) | entry.origin;
}

void AddressSpaces::SetSecondary(std::uint16_t asn, std::uint64_t asce) {
  cr3_ = (cr3_ & ~std::uint64_t{0xffff}) | asn;
  cr7_ = asce;
}

std::optional<ProgramInterruption> AddressSpaces::Event() const {
  return is_asked_for_ || cpu_.HasProgramEvent() ? switch_ : std::nullopt;
}

void AddressSpaces::Load() const {
  cpu_.SetControl(1, cr1_);
  cpu_.SetControl(3, cr3_);
  cpu_.SetControl(4, cr4_);
  cpu_.SetControl(5, cr5_);
  cpu_.SetControl(7, cr7_);
}

}  // namespace lethe::emulated
