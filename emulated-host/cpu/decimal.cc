#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/decimal_edit.h"
#include "emulated-host/cpu/decimal_number.h"

namespace lethe::emulated {
namespace {

constexpr Facility kExtendedTranslation2 = 16;
constexpr std::uint8_t kDxcDecimalOperand = 0;
constexpr std::uint64_t kDecimalOverflowMask = Psw::Bit(21);
constexpr std::size_t kMaxBytes = 16;

// A packed operand in storage. Length as coded: one less than the number of bytes.
struct Operand {
  LogicalAddress at;
  std::size_t bytes;
};
Operand First(Cpu& cpu, const Op& op) { return {cpu.Operand1(op), std::size_t{op.x2} + 1}; }
Operand Second(Cpu& cpu, const Op& op) { return {cpu.Operand2(op), std::size_t{op.r3} + 1}; }

class Field {
 public:
  explicit Field(std::size_t bytes) : bytes_(bytes) {}
  absl::Span<std::uint8_t> span() { return {storage_.data(), bytes_}; }

 private:
  std::array<std::uint8_t, kMaxBytes> storage_{};
  std::size_t bytes_;
};

Field Fetch(Cpu& cpu, const Operand& operand) {
  Field field(operand.bytes);
  cpu.LoadBytes(operand.at, field.span());
  return field;
}

DecimalNumber Parse(Cpu& cpu, Field field) {
  const std::optional<DecimalNumber> number = ParsePacked(field.span());
  if (!number) cpu.DataException(kDxcDecimalOperand);
  return *number;
}

void Put(Cpu& cpu, const Operand& operand, const DecimalNumber& number) {
  Field field(operand.bytes);
  FormatPacked(number, field.span());
  cpu.StoreBytes(operand.at, field.span());
}

// Stores a result that may be too long, and sets the condition code. A zero is positive, unless
// digits were lost: then the sign is that of the whole result.
void Deliver(Cpu& cpu, const Operand& operand, DecimalNumber result, bool lost_digits = false) {
  const DecimalMagnitude limit = PowerOfTen(DecimalDigits(operand.bytes));
  const bool overflow = lost_digits || result.magnitude >= limit;
  if (!overflow && result.magnitude == 0) result.negative = false;
  Put(cpu, operand, result);
  if (overflow) {
    cpu.SetCc(3);
    if ((cpu.psw_mask() & kDecimalOverflowMask) != 0) {
      cpu.Interrupt(ProgramCode::kDecimalOverflow);
    }
    return;
  }
  cpu.SetCc(result.magnitude == 0 ? 0 : result.negative ? 1 : 2);
}

DecimalNumber Sum(const DecimalNumber& a, const DecimalNumber& b) {
  if (a.negative == b.negative) return {a.negative, a.magnitude + b.magnitude};
  if (a.magnitude >= b.magnitude) return {a.negative, a.magnitude - b.magnitude};
  return {b.negative, b.magnitude - a.magnitude};
}

template <bool kSubtract>
void AddDecimal(Cpu& cpu, const Op& op) {
  const Operand first = First(cpu, op);
  cpu.CheckAccess(first.at, first.bytes, Access::kStore);
  const Field first_field = Fetch(cpu, first);
  const Field second_field = Fetch(cpu, Second(cpu, op));
  const DecimalNumber a = Parse(cpu, first_field);
  DecimalNumber b = Parse(cpu, second_field);
  if (kSubtract) b.negative = !b.negative;
  Deliver(cpu, first, Sum(a, b));
}

void ZeroAndAdd(Cpu& cpu, const Op& op) {
  const Operand first = First(cpu, op);
  cpu.CheckAccess(first.at, first.bytes, Access::kStore);
  Deliver(cpu, first, Parse(cpu, Fetch(cpu, Second(cpu, op))));
}

void CompareDecimal(Cpu& cpu, const Op& op) {
  const Field first_field = Fetch(cpu, First(cpu, op));
  const Field second_field = Fetch(cpu, Second(cpu, op));
  const DecimalNumber a = Parse(cpu, first_field);
  DecimalNumber b = Parse(cpu, second_field);
  b.negative = !b.negative;
  const DecimalNumber difference = Sum(a, b);
  cpu.SetCc(difference.magnitude == 0 ? 0 : difference.negative ? 1 : 2);
}

// MULTIPLY and DIVIDE: a second operand of at most 8 bytes, shorter than the first.
void CheckLengths(Cpu& cpu, const Op& op) { cpu.SpecificationUnless(op.r3 <= 7 && op.r3 < op.x2); }

void MultiplyDecimal(Cpu& cpu, const Op& op) {
  CheckLengths(cpu, op);
  const Operand first = First(cpu, op);
  const Operand second = Second(cpu, op);
  cpu.CheckAccess(first.at, first.bytes, Access::kStore);
  Field first_field = Fetch(cpu, first);
  const Field second_field = Fetch(cpu, second);
  const DecimalNumber a = Parse(cpu, first_field);
  const DecimalNumber b = Parse(cpu, second_field);
  // The multiplicand needs as many bytes of zeros on the left as the multiplier is long.
  const auto bytes = first_field.span().first(second.bytes);
  if (std::ranges::any_of(bytes, [](std::uint8_t byte) { return byte != 0; })) {
    cpu.DataException(kDxcDecimalOperand);
  }
  Put(cpu, first, {a.negative != b.negative, a.magnitude * b.magnitude});
}

void DivideDecimal(Cpu& cpu, const Op& op) {
  CheckLengths(cpu, op);
  const Operand first = First(cpu, op);
  const Operand second = Second(cpu, op);
  cpu.CheckAccess(first.at, first.bytes, Access::kStore);
  const Field first_field = Fetch(cpu, first);
  const Field second_field = Fetch(cpu, second);
  const DecimalNumber a = Parse(cpu, first_field);
  const DecimalNumber b = Parse(cpu, second_field);
  const std::size_t quotient_bytes = first.bytes - second.bytes;
  if (b.magnitude == 0 || a.magnitude / b.magnitude >= PowerOfTen(DecimalDigits(quotient_bytes))) {
    cpu.Interrupt(ProgramCode::kDecimalDivide);
  }
  Field result(first.bytes);
  FormatPacked({a.negative != b.negative, a.magnitude / b.magnitude},
               result.span().first(quotient_bytes));
  FormatPacked({a.negative, a.magnitude % b.magnitude}, result.span().subspan(quotient_bytes));
  cpu.StoreBytes(first.at, result.span());
}

void ShiftAndRoundDecimal(Cpu& cpu, const Op& op) {
  const Operand first = First(cpu, op);
  cpu.CheckAccess(first.at, first.bytes, Access::kStore);
  DecimalNumber number = Parse(cpu, Fetch(cpu, first));
  if (!IsDecimalDigit(op.r3)) cpu.DataException(kDxcDecimalOperand);
  const auto amount = static_cast<int>(cpu.Address2(op) & 0x3f);
  bool lost_digits = false;
  if (amount < 32) {
    // Digits that move out of 31 places are lost in any case; what stays fits 128 bits.
    const int digits = DecimalDigits(first.bytes);
    const DecimalMagnitude kept =
        amount < digits ? number.magnitude % PowerOfTen(digits - amount) : 0;
    lost_digits = kept != number.magnitude;
    number.magnitude = kept == 0 ? 0 : kept * PowerOfTen(amount);
  } else {
    const int right = 64 - amount;
    number.magnitude = (number.magnitude / PowerOfTen(right - 1) + op.r3) / 10;
  }
  Deliver(cpu, first, number, lost_digits);
}

void TestDecimal(Cpu& cpu, const Op& op) {
  Field field = Fetch(cpu, First(cpu, op));
  const auto bytes = field.span();
  const bool bad_sign = !IsDecimalSign(bytes.back() & 0xf);
  bool bad_digit = !IsDecimalDigit(bytes.back() >> 4);
  for (const std::uint8_t byte : bytes.first(bytes.size() - 1)) {
    bad_digit = bad_digit || !IsDecimalDigit(byte >> 4) || !IsDecimalDigit(byte & 0xf);
  }
  cpu.SetCc(static_cast<std::uint8_t>((bad_digit ? 2 : 0) | (bad_sign ? 1 : 0)));
}

// The source's length shows only while editing: its bytes are fetched as they are needed.
class StorageSource : public EditSource {
 public:
  StorageSource(Cpu& cpu, LogicalAddress at) : cpu_(cpu), at_(at) {}
  std::uint8_t NextByte() override {
    const LogicalAddress here = at_;
    at_.address = cpu_.WrapAddress(at_.address + 1);
    return cpu_.Load<std::uint8_t>(here);
  }

 private:
  Cpu& cpu_;
  LogicalAddress at_;
};

// EDIT AND MARK: general register 1 gets the address of the first significant digit.
void Mark(Cpu& cpu, std::uint64_t address) {
  switch (cpu.AddressingBits()) {
    case 24:
      cpu.SetLow(1, (cpu.Low(1) & 0xff00'0000) | static_cast<std::uint32_t>(address));
      break;
    case 31:
      cpu.SetLow(1, static_cast<std::uint32_t>(address));
      break;
    default:
      cpu.gr(1) = address;
  }
}

template <bool kMark>
void EditDecimal(Cpu& cpu, const Op& op) {
  const LogicalAddress at = cpu.Operand1(op);
  const std::size_t length = std::size_t{op.x2} + 1;
  std::array<std::uint8_t, 256> storage;
  const absl::Span<std::uint8_t> pattern(storage.data(), length);
  cpu.CheckAccess(at, length, Access::kStore);
  cpu.LoadBytes(at, pattern);
  StorageSource source(cpu, cpu.Operand2(op));
  const EditResult result = Edit(pattern, source);
  if (!result.valid) cpu.DataException(kDxcDecimalOperand);
  cpu.StoreBytes(at, pattern);
  if (kMark && result.first_significant) {
    Mark(cpu, cpu.WrapAddress(at.address + *result.first_significant));
  }
  cpu.SetCc(result.condition_code);
}

constexpr Instruction kInstructions[] = {
    {0xde, "ED", Format::kSS_a, kBase, Straight<&EditDecimal<false>>},
    {0xdf, "EDMK", Format::kSS_a, kBase, Straight<&EditDecimal<true>>},
    {0xf0, "SRP", Format::kSS_c, kBase, Straight<&ShiftAndRoundDecimal>},
    {0xf8, "ZAP", Format::kSS_b, kBase, Straight<&ZeroAndAdd>},
    {0xf9, "CP", Format::kSS_b, kBase, Straight<&CompareDecimal>},
    {0xfa, "AP", Format::kSS_b, kBase, Straight<&AddDecimal<false>>},
    {0xfb, "SP", Format::kSS_b, kBase, Straight<&AddDecimal<true>>},
    {0xfc, "MP", Format::kSS_b, kBase, Straight<&MultiplyDecimal>},
    {0xfd, "DP", Format::kSS_b, kBase, Straight<&DivideDecimal>},
    {0xebc0, "TP", Format::kRSL, kExtendedTranslation2, Straight<&TestDecimal>},
};

}  // namespace

absl::Span<const Instruction> DecimalInstructions() { return kInstructions; }

}  // namespace lethe::emulated
