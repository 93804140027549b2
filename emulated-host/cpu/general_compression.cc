// COMPRESSION CALL.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "emulated-host/cpu/compression_dictionary.h"
#include "emulated-host/cpu/general_operands.h"
#include "emulated-host/cpu/general_spans.h"
#include "emulated-host/cpu/general_tables.h"

namespace lethe::emulated {
namespace {

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using U64 = std::uint64_t;

constexpr U8 kSourceExhausted = 0;
constexpr U8 kTargetExhausted = 1;
constexpr U8 kMoreToDo = 3;
constexpr std::size_t kMostCharacters = 260;  // that one symbol stands for

// What registers 0 and 1 say; the dictionary is reached through access register 1.
class Parameters {
 public:
  explicit Parameters(Cpu& cpu) : cpu_(cpu), options_(cpu.Low(0)) {
    constexpr U32 kMostSize = 5;
    const U32 size = options_ >> 12 & 15;
    cpu.SpecificationUnless(size >= 1 && size <= kMostSize);
    symbol_bits_ = size + 8;
  }

  bool expands() const { return (options_ & 0x100) != 0; }
  bool has_format_1_siblings() const { return (options_ & 0x200) != 0; }
  bool translates_symbols() const { return (options_ & 0x1'0000) != 0; }
  unsigned symbol_bits() const { return symbol_bits_; }

  DictionaryEntry Entry(U32 index) const {
    DictionaryEntry entry;
    cpu_.LoadBytes(At(U64{index % entries()} * 8), absl::MakeSpan(entry));
    return entry;
  }
  // Of the expansion dictionary, which stands behind that for compression.
  DictionaryEntry ExpansionEntryBehind(U32 index) const {
    DictionaryEntry entry;
    cpu_.LoadBytes(At((U64{entries()} + index % entries()) * 8), absl::MakeSpan(entry));
    return entry;
  }
  U32 InterchangeSymbol(U32 index) const {
    const U64 table = cpu_.gr(1) & 0xff8;  // in units of 128 bytes, at bit 60
    return cpu_.Load<U16>(At(table / 8 * 128 + U64{index} * 2)) & ((1u << symbol_bits_) - 1);
  }
  unsigned bit() const { return cpu_.gr(1) & 7; }
  void SetBit(unsigned bit) const { cpu_.gr(1) = (cpu_.gr(1) & ~U64{7}) | bit; }

 private:
  U32 entries() const { return 1u << symbol_bits_; }
  LogicalAddress At(U64 offset) const {
    return {cpu_.WrapAddress((cpu_.gr(1) & kPageMask) + offset), 1};
  }

  Cpu& cpu_;
  U32 options_;
  unsigned symbol_bits_;
};

// An operand in an even-odd pair of registers.
class Operand {
 public:
  Operand(Cpu& cpu, int number)
      : cpu_(cpu), number_(number), length_(LengthInRegister(cpu, PairOf(cpu, number))) {}

  U64 length() const { return length_; }
  LogicalAddress At(U64 offset) const {
    return Advance(cpu_, cpu_.AddressInRegister(number_), offset);
  }
  U8 Byte(U64 offset) const { return cpu_.Load<U8>(At(offset)); }
  void Consume(U64 count) {
    cpu_.SetAddressInRegister(number_, At(count).address);
    length_ -= count;
    SetLengthInRegister(cpu_, number_ + 1, length_);
  }
  // Is there a whole symbol from bit `bit` on?
  bool HasBits(unsigned bit, unsigned count) const {
    return length_ >= 4 || length_ * 8 >= U64{bit} + count;
  }

 private:
  Cpu& cpu_;
  int number_;
  U64 length_;
};

// The longest match of a dictionary entry with the source.
class Matcher {
 public:
  Matcher(Cpu& cpu, const Parameters& parameters, const Operand& source)
      : cpu_(cpu), parameters_(parameters), source_(source) {}

  U32 symbol() const { return symbol_; }
  std::size_t length() const { return length_; }

  void Run() {
    symbol_ = source_.Byte(0);
    length_ = 1;
    CompressionEntry parent = Fetch(symbol_);
    while (const std::optional<Child> child = FindChild(parent)) {
      symbol_ = child->index;
      length_ += child->length;
      Require(length_ <= kMostCharacters);
      if (!child->is_examined) return;
      parent = Fetch(symbol_);
    }
  }

 private:
  struct Child {
    U32 index;
    std::size_t length;  // in characters, with its extension
    bool is_examined;
  };

  void Require(bool condition) const {
    if (!condition) cpu_.DataException(0);
  }

  CompressionEntry Fetch(U32 index) const {
    const CompressionEntry entry(parameters_.Entry(index));
    Require(entry.IsValid());
    return entry;
  }

  // `character` leads to the child: does the source go on with it and with the child's extension?
  std::optional<Child> Try(U32 index, U8 character, bool examine) const {
    if (length_ >= source_.length() || source_.Byte(length_) != character) return std::nullopt;
    if (!examine) return Child{index, 1, false};
    const CompressionEntry entry = Fetch(index);
    std::size_t length = 1;
    for (const U8 next : entry.extension()) {
      if (length_ + length >= source_.length() || source_.Byte(length_ + length) != next) {
        return std::nullopt;
      }
      ++length;
    }
    return Child{index, length, true};
  }

  std::optional<Child> FindChild(const CompressionEntry& parent) const {
    const absl::Span<const U8> children = parent.children();
    U32 index = parent.first_child();
    for (std::size_t i = 0; i < children.size(); ++i, ++index) {
      if (const auto child = Try(index, children[i], parent.ExaminesChild(i))) return child;
    }
    if (!parent.HasSiblings()) return std::nullopt;
    std::size_t seen = children.size();
    for (const CompressionEntry* bits = &parent;; bits = nullptr) {
      const SiblingDescriptor descriptor =
          parameters_.has_format_1_siblings()
              ? SiblingDescriptor::Format1(parameters_.Entry(index),
                                           parameters_.ExpansionEntryBehind(index))
              : SiblingDescriptor::Format0(parameters_.Entry(index));
      const absl::Span<const U8> siblings = descriptor.siblings();
      seen += siblings.size();
      Require(seen <= kMostCharacters);
      ++index;
      for (std::size_t i = 0; i < siblings.size(); ++i, ++index) {
        if (const auto child = Try(index, siblings[i], descriptor.ExaminesSibling(i, bits))) {
          return child;
        }
      }
      if (!descriptor.HasMore()) return std::nullopt;
    }
  }

  Cpu& cpu_;
  const Parameters& parameters_;
  const Operand& source_;
  U32 symbol_ = 0;
  std::size_t length_ = 0;
};

// Puts a symbol behind the bits that the target has already.
void PutSymbol(Cpu& cpu, const Parameters& parameters, Operand& target, U32 symbol) {
  const unsigned end = parameters.bit() + parameters.symbol_bits();
  const std::size_t bytes = (end + 7) / 8;
  const U32 kept = parameters.bit() == 0 ? 0 : target.Byte(0) & (0xff00u >> parameters.bit());
  const U32 bits = (kept & 0xff) << 16 | symbol << (24 - end);
  const std::array<U8, 3> text = {static_cast<U8>(bits >> 16), static_cast<U8>(bits >> 8),
                                  static_cast<U8>(bits)};
  cpu.StoreBytes(target.At(0), absl::MakeConstSpan(text).first(bytes));
  target.Consume(end / 8);
  parameters.SetBit(end % 8);
}

U8 Compress(Cpu& cpu, const Parameters& parameters, Operand& target, Operand& source) {
  for (std::size_t done = 0; done < kUnitOfOperation;) {
    if (source.length() == 0) return kSourceExhausted;
    if (!target.HasBits(parameters.bit(), parameters.symbol_bits())) return kTargetExhausted;
    Matcher match(cpu, parameters, source);
    match.Run();
    const U32 symbol = parameters.translates_symbols()
                           ? parameters.InterchangeSymbol(match.symbol())
                           : match.symbol();
    PutSymbol(cpu, parameters, target, symbol);
    source.Consume(match.length());
    done += match.length();
  }
  return source.length() == 0 ? kSourceExhausted : kMoreToDo;
}

// The characters that a symbol stands for.
class Expansion {
 public:
  Expansion(Cpu& cpu, const Parameters& parameters, U32 symbol) : cpu_(cpu) {
    constexpr int kMostEntries = 127;
    ExpansionEntry entry = Fetch(parameters, symbol);
    length_ = entry.offset() + entry.characters().size();
    for (int entries = 1;; ++entries) {
      const absl::Span<const U8> characters = entry.characters();
      Require(entries <= kMostEntries && entry.offset() + characters.size() <= kMostCharacters);
      std::memcpy(&characters_[entry.offset()], characters.data(), characters.size());
      if (!entry.IsPreceded()) break;
      entry = Fetch(parameters, entry.predecessor());
    }
  }

  absl::Span<const U8> characters() const {
    return absl::MakeConstSpan(characters_).first(length_);
  }

 private:
  void Require(bool condition) const {
    if (!condition) cpu_.DataException(0);
  }
  ExpansionEntry Fetch(const Parameters& parameters, U32 index) const {
    const ExpansionEntry entry(parameters.Entry(index));
    Require(entry.IsValid());
    return entry;
  }

  Cpu& cpu_;
  std::array<U8, kMostCharacters> characters_{};
  std::size_t length_ = 0;
};

U32 PeekSymbol(const Parameters& parameters, const Operand& source) {
  const unsigned end = parameters.bit() + parameters.symbol_bits();
  U32 bits = 0;
  for (unsigned i = 0; i < 3; ++i) bits = bits << 8 | (i * 8 < end ? source.Byte(i) : 0u);
  return bits >> (24 - end) & ((1u << parameters.symbol_bits()) - 1);
}

U8 Expand(Cpu& cpu, const Parameters& parameters, Operand& target, Operand& source) {
  for (std::size_t done = 0; done < kUnitOfOperation;) {
    if (!source.HasBits(parameters.bit(), parameters.symbol_bits())) return kSourceExhausted;
    const Expansion expansion(cpu, parameters, PeekSymbol(parameters, source));
    const absl::Span<const U8> characters = expansion.characters();
    if (target.length() < characters.size()) return kTargetExhausted;
    cpu.StoreBytes(target.At(0), characters);
    target.Consume(characters.size());
    const unsigned end = parameters.bit() + parameters.symbol_bits();
    source.Consume(end / 8);
    parameters.SetBit(end % 8);
    done += characters.size();
  }
  return source.HasBits(parameters.bit(), parameters.symbol_bits()) ? kMoreToDo : kSourceExhausted;
}

void CompressionCall(Cpu& cpu, const Op& op) {
  const Parameters parameters(cpu);
  Operand target(cpu, op.r1);
  Operand source(cpu, op.r2);
  cpu.SetCc(parameters.expands() ? Expand(cpu, parameters, target, source)
                                 : Compress(cpu, parameters, target, source));
}

constexpr Instruction kTable[] = {
    {0xb263, "CMPSC", Format::kRRE, kBase, Straight<&CompressionCall>},
};

}  // namespace

absl::Span<const Instruction> CompressionInstructions() { return kTable; }

}  // namespace lethe::emulated
