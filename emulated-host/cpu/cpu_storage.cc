// Logical, real and absolute storage: the slow paths behind the translation buffer.

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "emulated-host/cpu/cpu_private.h"

namespace lethe::emulated {
namespace {

constexpr std::size_t kContexts = 8;

std::uint64_t RestOfPage(std::uint64_t address) { return kPageSize - address % kPageSize; }

// The part of an address-space-control element that translation depends on.
std::uint64_t Significant(std::uint64_t asce) {
  return asce == AddressContext::kReal ? asce : asce & ~std::uint64_t{0xed0};
}

// Guest CPUs may race for operands that are not aligned, as they may on the real machine; the bytes
// may then come from both.
__attribute__((no_sanitize("thread"))) std::uint64_t ReadUnaligned(const std::uint8_t* from,
                                                                   std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < length; ++i) value = value << 8 | from[i];
  return value;
}

__attribute__((no_sanitize("thread"))) void WriteUnaligned(std::uint8_t* to, std::uint64_t value,
                                                           std::size_t length) {
  for (std::size_t i = length; i-- > 0; value >>= 8) to[i] = static_cast<std::uint8_t>(value);
}

std::uint64_t ReadAny(const std::uint8_t* from, std::size_t length) {
  if (reinterpret_cast<std::uintptr_t>(from) % length != 0) {
    switch (length) {
      case 2:
        return LoadBigEndian<std::uint16_t>(from);
      case 4:
        return LoadBigEndian<std::uint32_t>(from);
      case 8:
        return LoadBigEndian<std::uint64_t>(from);
      default:
        return ReadUnaligned(from, length);
    }
  }
  switch (length) {
    case 1:
      return ReadAligned<std::uint8_t>(from);
    case 2:
      return ReadAligned<std::uint16_t>(from);
    case 4:
      return ReadAligned<std::uint32_t>(from);
    default:
      return ReadAligned<std::uint64_t>(from);
  }
}

void WriteAny(std::uint8_t* to, std::uint64_t value, std::size_t length) {
  if (reinterpret_cast<std::uintptr_t>(to) % length != 0) return WriteUnaligned(to, value, length);
  switch (length) {
    case 1:
      return WriteAligned(to, static_cast<std::uint8_t>(value));
    case 2:
      return WriteAligned(to, static_cast<std::uint16_t>(value));
    case 4:
      return WriteAligned(to, static_cast<std::uint32_t>(value));
    default:
      return WriteAligned(to, value);
  }
}

}  // namespace

// --- contexts ------------------------------------------------------------------------------------

AddressContext& Cpu::ContextFor(std::uint64_t asce, std::uint8_t key) {
  asce = Significant(asce);
  AddressContext* oldest = nullptr;
  for (const std::unique_ptr<AddressContext>& context : contexts_) {
    if (context->asce == asce && context->key == key) {
      context->last_use = ++context_clock_;
      return *context;
    }
    if (context.get() == code_context_ || context.get() == data_context_) continue;
    if (oldest == nullptr || context->last_use < oldest->last_use) oldest = context.get();
  }
  if (contexts_.size() < kContexts) {
    contexts_.push_back(std::make_unique<AddressContext>());
    oldest = contexts_.back().get();
  }
  LETHE_CHECK(oldest != nullptr);  // no more than two are in use, and there are more
  oldest->Clear();
  oldest->asce = asce;
  oldest->key = key;
  oldest->id = next_context_id_++;
  oldest->last_use = ++context_clock_;
  return *oldest;
}

AddressSpace Cpu::CodeSpace() const {
  const auto space =
      static_cast<AddressSpace>((registers_.psw.mask & Psw::kAddressSpaceMask) >> 46);
  return space == AddressSpace::kHome ? AddressSpace::kHome : AddressSpace::kPrimary;
}

AccessMode Cpu::CurrentMode() const {
  return {static_cast<AddressSpace>((registers_.psw.mask & Psw::kAddressSpaceMask) >> 46),
          static_cast<std::uint8_t>((registers_.psw.mask & Psw::kKeyMask) >> 52)};
}

void Cpu::UpdateContexts() {
  const AccessMode mode = CurrentMode();
  if ((registers_.psw.mask & Psw::kDat) == 0) {
    code_context_ = data_context_ = &ContextFor(AddressContext::kReal, mode.key);
    data_space_ = AddressSpace::kPrimary;
  } else {
    code_context_ = &ContextFor(AsceOf(CodeSpace()), mode.key);
    data_space_ = mode.space;
    data_context_ = mode.space == AddressSpace::kAccessRegister
                        ? nullptr
                        : &ContextFor(AsceOf(mode.space), mode.key);
  }
  AddressContext& fast = data_context_ == nullptr ? *blank_ : *data_context_;
  data_read_ = fast.read.data();
  // Stores that PER may have to record go the slow way.
  data_write_ = WatchesStores() ? blank_->write.data() : fast.write.data();
  if (code_context_id_ != code_context_->id) {
    code_context_id_ = code_context_->id;
    RaiseAttention(kResync);
  }
}

void Cpu::ClearTranslations() {
  ++purges_;
  for (const std::unique_ptr<AddressContext>& context : contexts_) {
    context->Clear();
    // Jumps and code pages found under the old number are not found any more.
    context->id = next_context_id_++;
  }
  if (code_context_ != nullptr) {
    code_context_id_ = code_context_->id;
    RaiseAttention(kResync);
  }
}

// Devices may have stored into code: new numbers make the CPU verify each page it enters.
void Cpu::LookForOutsideStores() {
  const std::uint64_t now = group_.outside_stores();
  if (now == outside_stores_) return;
  outside_stores_ = now;
  for (const std::unique_ptr<AddressContext>& context : contexts_) {
    context->id = next_context_id_++;
  }
  if (code_context_ != nullptr) {
    code_context_id_ = code_context_->id;
    RaiseAttention(kResync);
  }
}

void Cpu::WatchStores(std::uint64_t absolute_page) {
  for (const std::unique_ptr<AddressContext>& context : contexts_) {
    for (std::size_t i = 0; i < AddressContext::kEntries; ++i) {
      TlbEntry& entry = context->write[i];
      if (context->absolute[i] == absolute_page && entry.tag != TlbEntry::kEmpty) {
        entry.tag |= TlbEntry::kWatched;
      }
    }
  }
}

void Cpu::ForgetCode(std::uint64_t absolute_page) {
  code_->Drop(absolute_page);
  ClearTranslations();
}

Cpu::Operand Cpu::OperandOf(LogicalAddress at) {
  if (data_context_ != nullptr) return {data_context_, data_space_, false};
  return OperandOf(at, CurrentMode());
}

Cpu::Operand Cpu::OperandOf(LogicalAddress at, AccessMode mode) {
  if (mode.space != AddressSpace::kAccessRegister) {
    return {&ContextFor(AsceOf(mode.space), mode.key), mode.space, false};
  }
  const std::uint32_t alet = at.base == 0 ? 0 : registers_.access[at.base];
  if (alet <= 1) {
    const AddressSpace space = alet == 0 ? AddressSpace::kPrimary : AddressSpace::kSecondary;
    return {&ContextFor(AsceOf(space), mode.key), mode.space, false};
  }
  const auto eax = static_cast<std::uint16_t>(registers_.control[8] >> 16);
  const AletTranslation found = TranslateAlet(alet, eax, at.base);
  if (found.exception.code != ProgramCode::kNone) throw found.exception;
  return {&ContextFor(found.asce, mode.key), mode.space, found.is_protected};
}

// --- protection ----------------------------------------------------------------------------------

bool Cpu::LowAddressProtectionOn(std::uint64_t asce) const {
  const bool private_space = asce != AddressContext::kReal && (asce & kPrivateSpace) != 0;
  return (registers_.control[0] & kLowAddressProtection) != 0 && !private_space;
}

bool Cpu::LowAddressProtects(std::uint64_t asce, std::uint64_t address) const {
  if (address >= 2 * kPageSize || !LowAddressProtectionOn(asce)) return false;
  return address % kPageSize < 512;
}

bool Cpu::KeyForbids(std::uint8_t access_key, std::uint8_t storage_key, std::uint64_t asce,
                     std::uint64_t address, bool store) const {
  const int access_control = storage_key >> 4;
  if (access_key == 0 || access_key == access_control) return false;
  if ((registers_.control[0] & kStorageProtectionOverride) != 0 && access_control == 9)
    return false;
  if (store) return true;
  if ((storage_key & kKeyFetchProtected) == 0) return false;
  const bool private_space = asce != AddressContext::kReal && (asce & kPrivateSpace) != 0;
  return private_space || address >= 2048 ||
         (registers_.control[0] & kFetchProtectionOverride) == 0;
}

void Cpu::ThrowProtection(LogicalAddress at, AddressSpace space, std::uint64_t bits) {
  throw ProgramInterruption{
      .code = ProgramCode::kProtection,
      .translation_exception = (at.address & kPageMask) | bits | static_cast<std::uint64_t>(space),
      .exception_access = space == AddressSpace::kAccessRegister ? at.base : std::uint8_t{0}};
}

// --- filling the translation buffer --------------------------------------------------------------

Cpu::Target Cpu::Resolve(const Operand& operand, LogicalAddress at, Access access) {
  AddressContext& context = *operand.context;
  const std::size_t index = AddressContext::Index(at.address);
  const std::uint64_t page = at.address & kPageMask;
  if (access != Access::kStore) {
    const TlbEntry& entry = context.read[index];
    if (entry.tag == page) return {reinterpret_cast<std::uint8_t*>(entry.addend + at.address)};
    return Fill(operand, at, access);
  }
  const TlbEntry& entry = context.write[index];
  if ((entry.tag & ~TlbEntry::kWatched) != page || operand.fetch_only ||
      LowAddressProtects(context.asce, at.address)) {
    return Fill(operand, at, access);
  }
  return {reinterpret_cast<std::uint8_t*>(entry.addend + at.address),
          context.absolute[index] + at.address % kPageSize, (entry.tag & TlbEntry::kWatched) != 0};
}

Cpu::Target Cpu::Fill(const Operand& operand, LogicalAddress at, Access access) {
  LETHE_CHECK(inside_);
  AddressContext& context = *operand.context;
  const bool store = access == Access::kStore;
  if (store && LowAddressProtects(context.asce, at.address)) {
    ThrowProtection(at, operand.space, 0x80);
  }
  std::uint64_t absolute;
  bool is_protected = operand.fetch_only;
  if (context.asce == AddressContext::kReal) {
    absolute = AbsoluteOf(at.address);
  } else {
    const Translation translation = Translate(at.address, context.asce, operand.space, at.base);
    if (translation.exception.code != ProgramCode::kNone) {
      ProgramInterruption exception = translation.exception;
      if (HasFacility(kFetchStoreIndicationFacility)) {
        exception.translation_exception |= store ? 0x400 : 0x800;
      }
      throw exception;
    }
    absolute = translation.absolute;
    is_protected |= translation.is_protected;
  }
  const PageFrame frame = storage_.Find(absolute);
  if (frame.bytes == nullptr) Interrupt(ProgramCode::kAddressing);
  if (store && is_protected) ThrowProtection(at, operand.space, 0x4);
  const std::uint8_t key = frame.key->load(std::memory_order_relaxed);
  if (KeyForbids(context.key, key, context.asce, at.address, store)) {
    ThrowProtection(at, operand.space, 0);
  }
  AccessibleFrame(absolute);
  const std::uint8_t marks = store ? kKeyReferenced | kKeyChanged : kKeyReferenced;
  if ((key & marks) != marks) frame.key->fetch_or(marks, std::memory_order_relaxed);

  const std::uint64_t page = at.address & kPageMask;
  const std::size_t index = AddressContext::Index(at.address);
  const auto addend = reinterpret_cast<std::uintptr_t>(frame.bytes) - page;
  Target target{frame.bytes + at.address % kPageSize, absolute, false};
  if (!store) {
    // The fetch-protection override covers half of page 0: such entries would say too much.
    const bool whole_page =
        page != 0 || (registers_.control[0] & kFetchProtectionOverride) == 0 || context.key == 0;
    if (whole_page) context.read[index] = {page, addend};
    return target;
  }
  const bool code = frame.code->load(std::memory_order_seq_cst) != 0;
  target.watched = code;
  if (operand.fetch_only) return target;
  const bool watched = code || (page < 2 * kPageSize && LowAddressProtectionOn(context.asce));
  context.write[index] = {page | (watched ? TlbEntry::kWatched : 0), addend};
  context.absolute[index] = absolute & kPageMask;
  return target;
}

PageFrame Cpu::AccessibleFrame(std::uint64_t absolute) {
  for (;;) {
    const PageFrame frame = storage_.Find(absolute);
    if (frame.bytes == nullptr) Interrupt(ProgramCode::kAddressing);
    const PageState state(frame.state->load(std::memory_order_acquire));
    if (state.Admits(configuration_)) return frame;
    ResolveOwnership(absolute, state);
  }
}

void Cpu::ResolveOwnership(std::uint64_t absolute, PageState state) {
  SecureFault fault = SecureFault::kSecureStorageAccess;
  if (configuration_ != kNoConfiguration) {
    const bool others = state.kind() == PageKind::kSecure && state.owner() != configuration_;
    fault = others ? SecureFault::kSecureStorageViolation : SecureFault::kNonSecureStorageAccess;
  }
  if (running_ && !presenting_ && current_ != nullptr) {
    registers_.psw.address = InstructionAddress(*current_);
  }
  const std::uint64_t purges = purges_;
  LeaveGuest();
  const CpuHost::Verdict verdict = host_.ResolveSecureFault(*this, absolute, fault);
  EnterGuest();
  if (verdict == CpuHost::Verdict::kLeave) throw LeaveRun{};
  if (purges_ != purges && !presenting_) throw RestartInstruction{};
}

// --- logical storage -----------------------------------------------------------------------------

std::uint64_t Cpu::LoadSlow(LogicalAddress from, std::size_t length) {
  const TlbEntry& entry = data_read_[AddressContext::Index(from.address)];
  if ((from.address & kPageMask) == entry.tag && RestOfPage(from.address) >= length) {
    return ReadAny(reinterpret_cast<const std::uint8_t*>(entry.addend + from.address), length);
  }
  if (RestOfPage(from.address) >= length) {
    return ReadAny(Resolve(OperandOf(from), from, Access::kFetch).bytes, length);
  }
  std::uint8_t bytes[8];
  LoadBytes(from, absl::MakeSpan(bytes, length));
  return ReadUnaligned(bytes, length);
}

Uint128 Cpu::LoadSlow16(LogicalAddress from) {
  CheckAccess(from, 16, Access::kFetch);
  const Uint128 high = Load<std::uint64_t>(from);
  return high << 64 | Load<std::uint64_t>({WrapAddress(from.address + 8), from.base});
}

void Cpu::StoreSlow(LogicalAddress to, std::uint64_t value, std::size_t length) {
  const TlbEntry& entry = data_write_[AddressContext::Index(to.address)];
  if ((to.address & kPageMask) == entry.tag && RestOfPage(to.address) >= length) {
    return WriteAny(reinterpret_cast<std::uint8_t*>(entry.addend + to.address), value, length);
  }
  if (RestOfPage(to.address) >= length) {
    const Operand operand = OperandOf(to);
    const Target target = Resolve(operand, to, Access::kStore);
    NoteStore(*operand.context, operand.space, to, length);
    WriteAny(target.bytes, value, length);
    if (target.watched) CodeStored(target.absolute, length);
    return;
  }
  std::uint8_t bytes[8];
  WriteUnaligned(bytes, value, length);
  StoreBytes(to, absl::MakeConstSpan(bytes, length));
}

void Cpu::StoreSlow16(LogicalAddress to, Uint128 value) {
  CheckAccess(to, 16, Access::kStore);
  Store(to, static_cast<std::uint64_t>(value >> 64));
  Store({WrapAddress(to.address + 8), to.base}, static_cast<std::uint64_t>(value));
}

std::uint8_t* Cpu::SpanOf(const Operand& operand, LogicalAddress at, Access access,
                          std::size_t length) {
  const Target target = Resolve(operand, at, access);
  if (access == Access::kStore) NoteStore(*operand.context, operand.space, at, length);
  if (target.watched) CodeStored(target.absolute, length, /*done=*/false);
  return target.bytes;
}

std::uint8_t* Cpu::SpanSlow(LogicalAddress at, Access access, std::size_t length) {
  return SpanOf(OperandOf(at), at, access, length);
}

absl::Span<const std::uint8_t> Cpu::FetchSpan(LogicalAddress from, std::size_t length,
                                              AccessMode mode) {
  length = std::min<std::size_t>(length, RestOfPage(from.address));
  return {SpanOf(OperandOf(from, mode), from, Access::kFetch, length), length};
}

absl::Span<std::uint8_t> Cpu::StoreSpan(LogicalAddress to, std::size_t length, AccessMode mode) {
  length = std::min<std::size_t>(length, RestOfPage(to.address));
  return {SpanOf(OperandOf(to, mode), to, Access::kStore, length), length};
}

void Cpu::CheckAccess(LogicalAddress at, std::size_t length, Access access) {
  const std::size_t first = std::min<std::size_t>(length, RestOfPage(at.address));
  Resolve(OperandOf(at), at, access);
  if (first == length) return;
  const LogicalAddress rest{WrapAddress(at.address + first), at.base};
  Resolve(OperandOf(rest), rest, access);
}

void Cpu::LoadBytes(LogicalAddress from, absl::Span<std::uint8_t> to) {
  if (to.empty()) return;
  const absl::Span<const std::uint8_t> first = FetchSpan(from, to.size());
  if (first.size() == to.size()) {
    std::memcpy(to.data(), first.data(), first.size());
    return;
  }
  const LogicalAddress next{WrapAddress(from.address + first.size()), from.base};
  const absl::Span<const std::uint8_t> second = FetchSpan(next, to.size() - first.size());
  std::memcpy(to.data(), first.data(), first.size());
  std::memcpy(to.data() + first.size(), second.data(), second.size());
}

void Cpu::StoreBytes(LogicalAddress to, absl::Span<const std::uint8_t> from) {
  if (from.empty()) return;
  const absl::Span<std::uint8_t> first = StoreSpan(to, from.size());
  if (first.size() == from.size()) {
    std::memcpy(first.data(), from.data(), first.size());
    return;
  }
  const LogicalAddress next{WrapAddress(to.address + first.size()), to.base};
  const absl::Span<std::uint8_t> second = StoreSpan(next, from.size() - first.size());
  std::memcpy(first.data(), from.data(), first.size());
  std::memcpy(second.data(), from.data() + first.size(), second.size());
}

// --- stores into code ----------------------------------------------------------------------------

void Cpu::CodeStored(std::uint64_t absolute, std::size_t length, bool done) {
  if (code_->Stored(absolute, length)) {
    pages_to_drop_.push_back(absolute & kPageMask);
    RaiseAttention(kCodeWork);
  }
  if (done) {
    group_.CodeStored(*this, absolute, length);
  } else {
    deferred_stores_.push_back({absolute, length});
    RaiseAttention(kCodeWork);
  }
}

void Cpu::FinishCodeWork() {
  for (const StoredRange& range : std::exchange(deferred_stores_, {})) {
    group_.CodeStored(*this, range.absolute, range.length);
  }
  for (const std::uint64_t page : std::exchange(pages_to_drop_, {})) {
    // First the mark, then the instructions: whoever decodes the page after it has dropped them
    // marks it again.
    const PageFrame frame = storage_.Find(page);
    if (frame.bytes != nullptr) frame.code->store(0, std::memory_order_seq_cst);
    group_.DropCode(*this, page);
  }
}

// --- real and absolute storage -------------------------------------------------------------------

std::uint64_t Cpu::AbsoluteOf(std::uint64_t real) const {
  const std::uint64_t block = real & ~std::uint64_t{0x1fff};
  if (block == 0) return real | registers_.prefix;
  if (block == registers_.prefix) return real & 0x1fff;
  return real;
}

std::uint64_t Cpu::RealTarget(std::uint64_t real, std::size_t length, Access access,
                              PageFrame* frame) {
  SpecificationUnless(real % length == 0);
  const bool store = access == Access::kStore;
  const LogicalAddress at{real, 0};
  if (store && LowAddressProtects(AddressContext::kReal, real)) {
    ThrowProtection(at, AddressSpace::kPrimary, 0x80);
  }
  const std::uint64_t absolute = AbsoluteOf(real);
  *frame = storage_.Find(absolute);
  if (frame->bytes == nullptr) Interrupt(ProgramCode::kAddressing);
  const std::uint8_t key = frame->key->load(std::memory_order_relaxed);
  if (KeyForbids(CurrentMode().key, key, AddressContext::kReal, real, store)) {
    ThrowProtection(at, AddressSpace::kPrimary, 0);
  }
  AccessibleFrame(absolute);
  const std::uint8_t marks = store ? kKeyReferenced | kKeyChanged : kKeyReferenced;
  if ((key & marks) != marks) frame->key->fetch_or(marks, std::memory_order_relaxed);
  return absolute;
}

std::atomic<std::uint8_t>& Cpu::StorageKey(std::uint64_t absolute) {
  const PageFrame frame = storage_.Find(absolute);
  if (frame.bytes == nullptr) Interrupt(ProgramCode::kAddressing);
  return *frame.key;
}

// --- on behalf of the host -----------------------------------------------------------------------

namespace {

// What an access ends in, if nobody is there to run the instruction again.
template <typename Access>
ProgramInterruption Outcome(Access access) {
  constexpr int kAttempts = 1000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    try {
      access();
      return {};
    } catch (const ProgramInterruption& interruption) {
      return interruption;
    } catch (const RestartInstruction&) {
      // The page changed hands meanwhile: look again.
    } catch (const LeaveRun&) {
      break;
    }
  }
  return {.code = ProgramCode::kAddressing};
}

}  // namespace

ProgramInterruption Cpu::CheckLogical(LogicalAddress at, std::size_t length, Access access) {
  const Inside inside(*this);
  return Outcome([&] { CheckAccess(at, length, access); });
}

ProgramInterruption Cpu::ReadLogical(LogicalAddress from, absl::Span<std::uint8_t> to) {
  const Inside inside(*this);
  return Outcome([&] {
    for (std::size_t done = 0; done < to.size();) {
      const LogicalAddress at{WrapAddress(from.address + done), from.base};
      const absl::Span<const std::uint8_t> part = FetchSpan(at, to.size() - done);
      std::memcpy(to.data() + done, part.data(), part.size());
      done += part.size();
    }
  });
}

ProgramInterruption Cpu::WriteLogical(LogicalAddress to, absl::Span<const std::uint8_t> from) {
  const Inside inside(*this);
  return Outcome([&] {
    // All pages first: a store that meets an exception changes nothing.
    for (const bool store : {false, true}) {
      for (std::size_t done = 0; done < from.size();) {
        const LogicalAddress at{WrapAddress(to.address + done), to.base};
        const std::size_t length =
            std::min<std::size_t>(from.size() - done, RestOfPage(at.address));
        if (store) {
          StoreBytes(at, from.subspan(done, length));
        } else {
          CheckAccess(at, length, Access::kStore);
        }
        done += length;
      }
    }
    FinishCodeWork();
  });
}

bool Cpu::ReadReal(std::uint64_t real, absl::Span<std::uint8_t> to) {
  const Inside inside(*this);
  return Outcome([&] {
           for (std::size_t done = 0; done < to.size();) {
             const std::uint64_t absolute = AbsoluteOf(real + done);
             const std::size_t length =
                 std::min<std::size_t>(to.size() - done, RestOfPage(absolute));
             std::memcpy(to.data() + done, AccessibleFrame(absolute).bytes + absolute % kPageSize,
                         length);
             done += length;
           }
         }).code == ProgramCode::kNone;
}

bool Cpu::WriteReal(std::uint64_t real, absl::Span<const std::uint8_t> from) {
  const Inside inside(*this);
  return Outcome([&] {
           for (std::size_t done = 0; done < from.size();) {
             const std::uint64_t absolute = AbsoluteOf(real + done);
             const std::size_t length =
                 std::min<std::size_t>(from.size() - done, RestOfPage(absolute));
             const PageFrame frame = AccessibleFrame(absolute);
             std::memcpy(frame.bytes + absolute % kPageSize, from.data() + done, length);
             frame.key->fetch_or(kKeyReferenced | kKeyChanged, std::memory_order_relaxed);
             if (frame.code->load() != 0) CodeStored(absolute, length);
             done += length;
           }
           FinishCodeWork();
         }).code == ProgramCode::kNone;
}

bool Cpu::StoreStatus(std::uint64_t absolute) {
  const Inside inside(*this);
  return Outcome([&] {
           StoreStatusAt(AccessibleFrame(absolute).bytes + absolute % kPageSize);
           CodeStored(absolute, 512);
           FinishCodeWork();
         }).code == ProgramCode::kNone;
}

}  // namespace lethe::emulated
