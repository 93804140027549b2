#include "emulated-host/cpu/linkage_stack.h"

#include "base/big_endian.h"

namespace lethe::emulated {
namespace {

// A state entry: offsets of its parts, and its size with the descriptor at its end.
constexpr std::uint64_t kGeneral = 0;
constexpr std::uint64_t kAuthority = 128;
constexpr std::uint64_t kPswMask = 136;
constexpr std::uint64_t kCalled = 144;
constexpr std::uint64_t kModifiable = 152;
constexpr std::uint64_t kZeros = 160;
constexpr std::uint64_t kPswAddress = 168;
constexpr std::uint64_t kAccess = 224;
constexpr std::uint64_t kDescriptor = 288;
constexpr std::uint64_t kEntrySize = 296;
constexpr std::uint64_t kDescriptorSize = 8;

// Links between sections: the doubleword before a header's descriptor and the one that a trailer
// begins with.
constexpr std::uint64_t kLinkIsValid = 1;
constexpr std::uint64_t kLinkAddress = ~std::uint64_t{7};

constexpr AccessMode kStackAccess = {AddressSpace::kHome, 0};

}  // namespace

// The eight bytes at the end of each entry.
struct LinkageStack::Descriptor {
  bool unstack_suppressed = false;
  Type type = Type::kHeader;
  std::uint8_t section = 0;
  std::uint16_t free_bytes = 0;  // behind this entry in the section
  std::uint16_t next_size = 0;
};

// Where a new entry goes.
struct LinkageStack::Slot {
  std::uint64_t previous = 0;  // address of the descriptor that will precede it
  Descriptor descriptor;       // that one's value
  std::uint64_t backward = 0;  // what to put before it if a new section begins; 0: nothing
};

template <typename T>
T LinkageStack::Load(std::uint64_t address) const {
  return LoadBigEndian<T>(cpu_.FetchSpan({address, 0}, sizeof(T), kStackAccess).data());
}

template <typename T>
void LinkageStack::Store(std::uint64_t address, T value) const {
  StoreBigEndian<T>(cpu_.StoreSpan({address, 0}, sizeof(T), kStackAccess).data(), value);
}

LinkageStack::Descriptor LinkageStack::LoadDescriptor(std::uint64_t address) const {
  const auto word = Load<std::uint64_t>(address);
  return {.unstack_suppressed = word >> 63 != 0,
          .type = static_cast<Type>(word >> 56 & 0x7f),
          .section = static_cast<std::uint8_t>(word >> 48),
          .free_bytes = static_cast<std::uint16_t>(word >> 32),
          .next_size = static_cast<std::uint16_t>(word >> 16)};
}

void LinkageStack::StoreDescriptor(std::uint64_t address, const Descriptor& descriptor) const {
  Store<std::uint64_t>(address, std::uint64_t{descriptor.unstack_suppressed} << 63 |
                                    static_cast<std::uint64_t>(descriptor.type) << 56 |
                                    std::uint64_t{descriptor.section} << 48 |
                                    std::uint64_t{descriptor.free_bytes} << 32 |
                                    std::uint64_t{descriptor.next_size} << 16);
}

void LinkageStack::CheckStore(std::uint64_t address, std::uint64_t length) const {
  const std::size_t first = cpu_.StoreSpan({address, 0}, length, kStackAccess).size();
  if (first < length) cpu_.StoreSpan({address + first, 0}, length - first, kStackAccess);
}

LinkageStack::StateEntry LinkageStack::Top(bool to_return) const {
  std::uint64_t at = cpu_.cr(15) & kLinkAddress;
  Descriptor descriptor = LoadDescriptor(at);
  if (descriptor.type == Type::kHeader) {
    if (to_return && descriptor.unstack_suppressed) cpu_.Interrupt(ProgramCode::kStackOperation);
    const auto backward = Load<std::uint64_t>(at - kDescriptorSize);
    if ((backward & kLinkIsValid) == 0) cpu_.Interrupt(ProgramCode::kStackEmpty);
    at = backward & kLinkAddress;
    descriptor = LoadDescriptor(at);
    if (descriptor.type == Type::kHeader) cpu_.Interrupt(ProgramCode::kStackSpecification);
  }
  if (descriptor.type != Type::kBranch && descriptor.type != Type::kProgramCall) {
    cpu_.Interrupt(ProgramCode::kStackType);
  }
  if (to_return && descriptor.unstack_suppressed) cpu_.Interrupt(ProgramCode::kStackOperation);
  return {at - kDescriptor, descriptor.type};
}

LinkageStack::Slot LinkageStack::FindSlot() const {
  const std::uint64_t current = cpu_.cr(15) & kLinkAddress;
  Slot slot{.previous = current, .descriptor = LoadDescriptor(current)};
  if (slot.descriptor.free_bytes >= kEntrySize) return slot;
  if (slot.descriptor.free_bytes % 8 != 0) cpu_.Interrupt(ProgramCode::kStackSpecification);
  const auto forward = Load<std::uint64_t>(current + kDescriptorSize + slot.descriptor.free_bytes);
  if ((forward & kLinkIsValid) == 0) cpu_.Interrupt(ProgramCode::kStackFull);
  slot.previous = forward & kLinkAddress;
  slot.descriptor = LoadDescriptor(slot.previous);
  slot.backward = current | kLinkIsValid;
  if (slot.descriptor.free_bytes < kEntrySize) cpu_.Interrupt(ProgramCode::kStackSpecification);
  return slot;
}

void LinkageStack::Push(Type type, const Psw& psw, std::uint64_t called) const {
  Slot slot = FindSlot();
  const std::uint64_t entry = slot.previous + kDescriptorSize;
  CheckStore(entry, kEntrySize);
  CheckStore(slot.previous, kDescriptorSize);
  if (slot.backward != 0) Store(slot.previous - kDescriptorSize, slot.backward);

  for (int i = 0; i < 16; ++i) Store<std::uint64_t>(entry + kGeneral + 8 * i, cpu_.gr(i));
  Store(entry + kAuthority, static_cast<std::uint32_t>(cpu_.cr(3)));
  Store(entry + kAuthority + 4, static_cast<std::uint16_t>(cpu_.cr(8) >> 16));
  Store(entry + kAuthority + 6, static_cast<std::uint16_t>(cpu_.cr(4)));
  Store(entry + kPswMask, psw.mask);
  Store(entry + kCalled, called);
  Store(entry + kModifiable, std::uint64_t{0});
  Store(entry + kZeros, std::uint64_t{0});
  Store(entry + kPswAddress, psw.address);
  for (int i = 0; i < 16; ++i) Store<std::uint32_t>(entry + kAccess + 4 * i, cpu_.ar(i));
  StoreDescriptor(
      entry + kDescriptor,
      {.type = type,
       .section = slot.descriptor.section,
       .free_bytes = static_cast<std::uint16_t>(slot.descriptor.free_bytes - kEntrySize)});
  slot.descriptor.next_size = kEntrySize;
  StoreDescriptor(slot.previous, slot.descriptor);
  cpu_.SetControl(15, entry + kDescriptor);
}

void LinkageStack::Pop(const StateEntry& top) const {
  const std::uint64_t previous = top.address - kDescriptorSize;
  Descriptor descriptor = LoadDescriptor(previous);
  descriptor.next_size = 0;
  StoreDescriptor(previous, descriptor);
  cpu_.SetControl(15, previous);
}

std::uint64_t LinkageStack::General(const StateEntry& entry, int number) const {
  return Load<std::uint64_t>(entry.address + kGeneral + 8 * number);
}
std::uint32_t LinkageStack::Access(const StateEntry& entry, int number) const {
  return Load<std::uint32_t>(entry.address + kAccess + 4 * number);
}
std::uint64_t LinkageStack::Authority(const StateEntry& entry) const {
  return Load<std::uint64_t>(entry.address + kAuthority);
}
Psw LinkageStack::ReturnPsw(const StateEntry& entry) const {
  return {Load<std::uint64_t>(entry.address + kPswMask),
          Load<std::uint64_t>(entry.address + kPswAddress)};
}
std::uint64_t LinkageStack::Called(const StateEntry& entry) const {
  return Load<std::uint64_t>(entry.address + kCalled);
}
std::uint64_t LinkageStack::Modifiable(const StateEntry& entry) const {
  return Load<std::uint64_t>(entry.address + kModifiable);
}
void LinkageStack::SetModifiable(const StateEntry& entry, std::uint64_t value) const {
  Store(entry.address + kModifiable, value);
}

}  // namespace lethe::emulated
