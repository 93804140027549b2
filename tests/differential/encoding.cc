#include "tests/differential/encoding.h"

#include "base/big_endian.h"

namespace lethe::differential {
namespace {

using emulated::Format;

class Text {
 public:
  void Put(int start, int length, std::uint64_t value) {
    const std::uint64_t mask = (std::uint64_t{1} << length) - 1;
    text_ |= (value & mask) << (64 - start - length);
  }
  void PutLongDisplacement(std::int64_t displacement) {
    Put(20, 12, static_cast<std::uint64_t>(displacement));
    Put(32, 8, static_cast<std::uint64_t>(displacement >> 12));
  }
  std::uint64_t value() const { return text_; }

 private:
  std::uint64_t text_ = 0;
};

void PutOpcode(const emulated::Instruction& instruction, Text& text) {
  const unsigned opcode = instruction.opcode;
  switch (instruction.format) {
    case Format::kRI_a:
    case Format::kRI_b:
    case Format::kRI_c:
    case Format::kRIL_a:
    case Format::kRIL_b:
    case Format::kRIL_c:
    case Format::kSSF:
      text.Put(0, 8, opcode >> 4);
      text.Put(12, 4, opcode);
      break;
    case Format::kRIE_a:
    case Format::kRIE_b:
    case Format::kRIE_c:
    case Format::kRIE_d:
    case Format::kRIE_e:
    case Format::kRIE_f:
    case Format::kRIE_g:
    case Format::kRIS:
    case Format::kRRS:
    case Format::kRSL:
    case Format::kRSY_a:
    case Format::kRSY_b:
    case Format::kRXE:
    case Format::kRXF:
    case Format::kRXY_a:
    case Format::kRXY_b:
    case Format::kSIY:
      text.Put(0, 8, opcode >> 8);
      text.Put(40, 8, opcode);
      break;
    default:
      if (opcode < 0x100) {
        text.Put(0, 8, opcode);
      } else {
        text.Put(0, 16, opcode);
      }
  }
}

void PutOperands(Format format, const Fields& f, Text& text) {
  const auto d1 = static_cast<std::uint64_t>(f.d1);
  const auto d2 = static_cast<std::uint64_t>(f.d2);
  const auto i2 = static_cast<std::uint64_t>(f.i2);
  const auto put_first_storage = [&] {
    text.Put(16, 4, f.b1);
    text.Put(20, 12, d1);
  };
  const auto put_second_storage = [&](int start) {
    text.Put(start, 4, f.b2);
    text.Put(start + 4, 12, d2);
  };
  switch (format) {
    case Format::kE:
      break;
    case Format::kI:
      text.Put(8, 8, i2);
      break;
    case Format::kIE:
    case Format::kRRE:
      text.Put(24, 4, f.r1);
      text.Put(28, 4, f.r2);
      break;
    case Format::kRR:
    case Format::kRR_c:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r2);
      break;
    case Format::kRRD:
      text.Put(16, 4, f.r1);
      text.Put(24, 4, f.r3);
      text.Put(28, 4, f.r2);
      break;
    case Format::kRRF_a:
    case Format::kRRF_b:
    case Format::kRRF_c:
    case Format::kRRF_d:
    case Format::kRRF_e:
      if (format != Format::kRRF_d) text.Put(16, 4, f.r3);
      if (format != Format::kRRF_c) text.Put(20, 4, f.x2);
      text.Put(24, 4, f.r1);
      text.Put(28, 4, f.r2);
      break;
    case Format::kRI_a:
    case Format::kRI_b:
    case Format::kRI_c:
      text.Put(8, 4, f.r1);
      text.Put(16, 16, i2);
      break;
    case Format::kRIL_a:
    case Format::kRIL_b:
    case Format::kRIL_c:
      text.Put(8, 4, f.r1);
      text.Put(16, 32, i2);
      break;
    case Format::kRIE_a:
      text.Put(8, 4, f.r1);
      text.Put(16, 16, i2);
      text.Put(32, 4, f.r3);
      break;
    case Format::kRIE_b:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r2);
      text.Put(16, 16, i2);
      text.Put(32, 4, f.r3);
      break;
    case Format::kRIE_c:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r3);
      text.Put(16, 16, i2);
      text.Put(32, 8, f.i5);
      break;
    case Format::kRIE_d:
    case Format::kRIE_e:
    case Format::kRIE_g:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r3);
      text.Put(16, 16, i2);
      break;
    case Format::kRIE_f:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r2);
      text.Put(16, 8, f.i3);
      text.Put(24, 8, f.i4);
      text.Put(32, 8, f.i5);
      break;
    case Format::kRIS:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r3);
      put_second_storage(16);
      text.Put(32, 8, i2);
      break;
    case Format::kRRS:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r2);
      put_second_storage(16);
      text.Put(32, 4, f.r3);
      break;
    case Format::kRS_a:
    case Format::kRS_b:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r3);
      put_second_storage(16);
      break;
    case Format::kRSY_a:
    case Format::kRSY_b:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r3);
      text.Put(16, 4, f.b2);
      text.PutLongDisplacement(f.d2);
      break;
    case Format::kRSI:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r3);
      text.Put(16, 16, i2);
      break;
    case Format::kRSL:
      text.Put(8, 4, f.length);
      put_first_storage();
      break;
    case Format::kRX_a:
    case Format::kRX_b:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.x2);
      put_second_storage(16);
      break;
    case Format::kRXE:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.x2);
      put_second_storage(16);
      text.Put(32, 4, f.r3);
      break;
    case Format::kRXF:
      text.Put(8, 4, f.r3);
      text.Put(12, 4, f.x2);
      put_second_storage(16);
      text.Put(32, 4, f.r1);
      break;
    case Format::kRXY_a:
    case Format::kRXY_b:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.x2);
      text.Put(16, 4, f.b2);
      text.PutLongDisplacement(f.d2);
      break;
    case Format::kS:
      put_second_storage(16);
      break;
    case Format::kSI:
      text.Put(8, 8, i2);
      put_first_storage();
      break;
    case Format::kSIL:
      put_first_storage();
      text.Put(32, 16, i2);
      break;
    case Format::kSIY:
      text.Put(8, 8, i2);
      text.Put(16, 4, f.b1);
      text.PutLongDisplacement(f.d1);
      break;
    case Format::kSS_a:
    case Format::kSS_f:
      text.Put(8, 8, f.length);
      put_first_storage();
      put_second_storage(32);
      break;
    case Format::kSS_b:
    case Format::kSS_c:
      text.Put(8, 4, f.length);
      text.Put(12, 4, f.r3);
      put_first_storage();
      put_second_storage(32);
      break;
    case Format::kSS_d:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r3);
      put_first_storage();
      put_second_storage(32);
      break;
    case Format::kSS_e:
      text.Put(8, 4, f.r1);
      text.Put(12, 4, f.r3);
      put_second_storage(16);
      text.Put(32, 4, f.b1);
      text.Put(36, 12, d1);
      break;
    case Format::kSSE:
      put_first_storage();
      put_second_storage(32);
      break;
    case Format::kSSF:
      text.Put(8, 4, f.r3);
      put_first_storage();
      put_second_storage(32);
      break;
    case Format::kMII:
    case Format::kSMI:
      break;  // nothing of these formats is done
  }
}

}  // namespace

std::array<std::uint8_t, 8> Encode(const emulated::Instruction& instruction, const Fields& fields) {
  Text text;
  PutOpcode(instruction, text);
  PutOperands(instruction.format, fields, text);
  std::array<std::uint8_t, 8> bytes;
  StoreBigEndian(bytes.data(), text.value());
  return bytes;
}

}  // namespace lethe::differential
