#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_spans.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using U8 = std::uint8_t;

// Storage-to-storage instructions with one length (SS-a). Every access is checked before the first
// byte is stored; CheckAccess is needed only when an operand leaves its page.
template <typename Body>
void ForEachSpan(Cpu& cpu, const Op& op, Body body) {
  std::size_t length = std::size_t{op.x2} + 1;
  LogicalAddress to = cpu.Operand1(op);
  LogicalAddress from = cpu.Operand2(op);
  SpanPair spans = CommonSpans(cpu, to, from, length);
  if (spans.to.size() < length) {
    cpu.CheckAccess(from, length, Access::kFetch);
    cpu.CheckAccess(to, length, Access::kStore);
    spans = CommonSpans(cpu, to, from, length);
  }
  for (;;) {
    body(spans);
    length -= spans.to.size();
    if (length == 0) return;
    to = Advance(cpu, to, spans.to.size());
    from = Advance(cpu, from, spans.to.size());
    spans = CommonSpans(cpu, to, from, length);
  }
}

void MoveCharacters(Cpu& cpu, const Op& op) {
  ForEachSpan(cpu, op, [](const SpanPair& spans) { CopyForward(spans.to, spans.from); });
}

// MVN, MVZ: only the bits of `kMask` of each byte move.
template <U8 kMask>
void MoveUnderMask(Cpu& cpu, const Op& op) {
  ForEachSpan(cpu, op, [](const SpanPair& spans) {
    for (std::size_t i = 0; i < spans.to.size(); ++i) {
      spans.to[i] = static_cast<U8>((spans.to[i] & ~kMask) | (spans.from[i] & kMask));
    }
  });
}

struct And {
  static U8 Of(U8 a, U8 b) { return a & b; }
};
struct Or {
  static U8 Of(U8 a, U8 b) { return a | b; }
};
struct ExclusiveOr {
  static U8 Of(U8 a, U8 b) { return a ^ b; }
};

// NC, OC. The loop keeps the byte order of the definition if the operands overlap.
template <typename Operation>
U8 CombineSpans(const SpanPair& spans) {
  U8 any = 0;
  for (std::size_t i = 0; i < spans.to.size(); ++i) {
    const U8 result = Operation::Of(spans.to[i], spans.from[i]);
    spans.to[i] = result;
    any |= result;
  }
  return any;
}

template <typename Operation>
void CombineCharacters(Cpu& cpu, const Op& op) {
  U8 any = 0;
  ForEachSpan(cpu, op, [&any](const SpanPair& spans) { any |= CombineSpans<Operation>(spans); });
  cpu.SetCcNonZero(any);
}

// XC of an operand with itself is the way to clear storage.
void ExclusiveOrCharacters(Cpu& cpu, const Op& op) {
  U8 any = 0;
  ForEachSpan(cpu, op, [&any](const SpanPair& spans) {
    if (spans.to.data() == spans.from.data()) {
      std::memset(spans.to.data(), 0, spans.to.size());
    } else {
      any |= CombineSpans<ExclusiveOr>(spans);
    }
  });
  cpu.SetCcNonZero(any);
}

U8 CcOfOrder(int order) { return order == 0 ? 0 : order < 0 ? 1 : 2; }

void CompareCharacters(Cpu& cpu, const Op& op) {
  std::size_t length = std::size_t{op.x2} + 1;
  LogicalAddress first = cpu.Operand1(op);
  LogicalAddress second = cpu.Operand2(op);
  for (;;) {
    const FetchPair spans = CommonFetchSpans(cpu, first, second, length);
    const std::size_t done = spans.first.size();
    const int order = std::memcmp(spans.first.data(), spans.second.data(), done);
    length -= done;
    if (order != 0 || length == 0) return cpu.SetCc(CcOfOrder(order));
    first = Advance(cpu, first, done);
    second = Advance(cpu, second, done);
  }
}

// Operands of up to 256 bytes that are worked on in a copy.
struct Copy {
  std::array<U8, 256> bytes;
  std::size_t length;

  Copy(Cpu& cpu, LogicalAddress from, std::size_t size) : length(size) {
    cpu.LoadBytes(from, absl::MakeSpan(bytes).first(length));
  }
  absl::Span<const U8> span() const { return absl::MakeConstSpan(bytes).first(length); }
};

// MVCIN: the second operand is addressed by its rightmost byte and read leftward.
void MoveInverse(Cpu& cpu, const Op& op) {
  const std::size_t length = std::size_t{op.x2} + 1;
  const LogicalAddress rightmost = cpu.Operand2(op);
  const LogicalAddress leftmost = Advance(cpu, rightmost, ~std::uint64_t{op.x2} + 1);
  Copy source(cpu, leftmost, length);
  std::reverse(source.bytes.begin(), source.bytes.begin() + static_cast<std::ptrdiff_t>(length));
  cpu.StoreBytes(cpu.Operand1(op), source.span());
}

// MVO: the second operand moves four bits to the left in front of the first one's rightmost four.
// Byte by byte from the right, each source byte fetched only when needed, so that overlapping
// operands give the defined result.
void MoveWithOffset(Cpu& cpu, const Op& op) {
  const LogicalAddress first = cpu.Operand1(op);
  const LogicalAddress second = cpu.Operand2(op);
  int target = op.x2;
  int source = op.r3;
  cpu.CheckAccess(second, std::size_t{op.r3} + 1, Access::kFetch);
  cpu.CheckAccess(first, std::size_t{op.x2} + 1, Access::kFetch);
  cpu.CheckAccess(first, std::size_t{op.x2} + 1, Access::kStore);
  unsigned carried = cpu.Load<U8>(Advance(cpu, first, static_cast<unsigned>(target))) & 0xfu;
  for (; target >= 0; --target, --source) {
    const unsigned byte =
        source >= 0 ? cpu.Load<U8>(Advance(cpu, second, static_cast<unsigned>(source))) : 0u;
    cpu.Store<U8>(Advance(cpu, first, static_cast<unsigned>(target)),
                  static_cast<U8>(byte << 4 | carried));
    carried = byte >> 4;
  }
}

constexpr Instruction kTable[] = {
    {0xd2, "MVC", Format::kSS_a, kBase, Straight<&MoveCharacters>},
    {0xd1, "MVN", Format::kSS_a, kBase, Straight<&MoveUnderMask<0x0f>>},
    {0xd3, "MVZ", Format::kSS_a, kBase, Straight<&MoveUnderMask<0xf0>>},
    {0xe8, "MVCIN", Format::kSS_a, kBase, Straight<&MoveInverse>},
    {0xf1, "MVO", Format::kSS_b, kBase, Straight<&MoveWithOffset>},
    {0xd4, "NC", Format::kSS_a, kBase, Straight<&CombineCharacters<And>>},
    {0xd6, "OC", Format::kSS_a, kBase, Straight<&CombineCharacters<Or>>},
    {0xd7, "XC", Format::kSS_a, kBase, Straight<&ExclusiveOrCharacters>},
    {0xd5, "CLC", Format::kSS_a, kBase, Straight<&CompareCharacters>},
};

}  // namespace

absl::Span<const Instruction> StorageInstructions() { return kTable; }

}  // namespace lethe::emulated
