#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "emulated-host/cpu/general_case.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

constexpr U64 kDictionary = 0x6000;  // 512 entries for compression, then as many for expansion
constexpr U64 kExpansion = kDictionary + 512 * 8;
constexpr U64 kSource = 0x8000;
constexpr U64 kTarget2 = 0x9000;
constexpr U64 k9Bits = 0x1000;
constexpr U64 kExpand = 0x100;
constexpr absl::string_view kCall = "b2630024";  // CMPSC 2,4
constexpr absl::string_view kPlain = "ABAACABB";
constexpr absl::string_view kCompressed = "804048242210";  // 256, 257, A, B, B

class CompressionTest : public testing::Test {
 protected:
  CompressionTest() {
    // A with the children B (256, extended by A) and C (257, not to be looked at).
    Entry(kDictionary, 'A', "5001004243000000");
    Entry(kDictionary, 256, "0020004100000000");
    Entry(kDictionary, 257, "ffffffffffffffff");
    Entry(kExpansion, 'A', "0141000000000000");
    Entry(kExpansion, 'B', "0142000000000000");
    Entry(kExpansion, 256, "4041424100000001");
    Entry(kExpansion, 257, "2041430000000001");
    // X with five children and more in a sibling descriptor at 305.
    Entry(kDictionary, 'X', "c0012c6162636465");
  }

  void Entry(U64 dictionary, U64 index, absl::string_view hex) {
    machine_.PutText(dictionary + index * 8, hex);
  }
  ProgramCode Call(U64 options, U64 dictionary, U64 target_length, U64 source_length) {
    Register(machine_, 0) = options;
    Register(machine_, 1) = dictionary;
    Register(machine_, 2) = kTarget2;
    Register(machine_, 3) = target_length;
    Register(machine_, 4) = kSource;
    Register(machine_, 5) = source_length;
    return Execute(machine_, kCall, 0);
  }
  std::string Hex(U64 at, std::size_t length) {
    return absl::BytesToHexString(Get(machine_, at, length));
  }

  InstructionBench machine_;
};

TEST_F(CompressionTest, LongestEntriesAreFound) {
  Put(machine_, kSource, kPlain);
  EXPECT_EQ(Call(k9Bits, kDictionary, 16, kPlain.size()), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(Hex(kTarget2, 6), kCompressed);
  EXPECT_EQ(Register(machine_, 1), kDictionary | 5);  // 45 bits
  EXPECT_EQ(Register(machine_, 2), kTarget2 + 5);
  EXPECT_EQ(Register(machine_, 3), 11u);
  EXPECT_EQ(Register(machine_, 4), kSource + kPlain.size());
  EXPECT_EQ(Register(machine_, 5), 0u);
}

TEST_F(CompressionTest, ExpansionUndoesIt) {
  machine_.PutText(kSource, kCompressed);
  EXPECT_EQ(Call(k9Bits | kExpand, kExpansion, 16, 6), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(Get(machine_, kTarget2, kPlain.size()), kPlain);
  EXPECT_EQ(Register(machine_, 1), kExpansion | 5);
  EXPECT_EQ(Register(machine_, 3), 16 - kPlain.size());
  EXPECT_EQ(Register(machine_, 4), kSource + 5);
  EXPECT_EQ(Register(machine_, 5), 1u);
}

TEST_F(CompressionTest, BitsBeforeAreKept) {
  Put(machine_, kSource, "AC");
  machine_.Put<U8>(kTarget2, 0xe0);
  EXPECT_EQ(Call(k9Bits, kDictionary | 3, 16, 2), ProgramCode::kNone);
  EXPECT_EQ(Hex(kTarget2, 2), "f010");
  EXPECT_EQ(Register(machine_, 1), kDictionary | 4);
}

TEST_F(CompressionTest, FullTargetStopsBeforeTheSymbol) {
  Put(machine_, kSource, kPlain);
  EXPECT_EQ(Call(k9Bits, kDictionary, 2, kPlain.size()), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  EXPECT_EQ(Register(machine_, 4), kSource + 3);
  machine_.PutText(kSource, kCompressed);
  EXPECT_EQ(Call(k9Bits | kExpand, kExpansion, 4, 6), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  EXPECT_EQ(Register(machine_, 1), kExpansion | 1);
  EXPECT_EQ(Register(machine_, 3), 1u);
}

TEST_F(CompressionTest, SiblingsOfBothFormats) {
  Put(machine_, kSource, "Xf");
  Entry(kDictionary, 305, "2066000000000000");
  EXPECT_EQ(Call(k9Bits, kDictionary, 16, 2), ProgramCode::kNone);
  EXPECT_EQ(Hex(kTarget2, 2), "9900");  // 306
  // The seventh of a format-1 descriptor stands in the expansion dictionary.
  Entry(kDictionary, 305, "7000303132333435");
  Entry(kExpansion, 305, "6600000000000000");
  EXPECT_EQ(Call(k9Bits | 0x200, kDictionary, 16, 2), ProgramCode::kNone);
  EXPECT_EQ(Hex(kTarget2, 2), "9c00");  // 312
}

TEST_F(CompressionTest, SymbolsAreTranslated) {
  Put(machine_, kSource, "AC");
  // The table: 80 * 128 bytes from the dictionary's origin.
  machine_.Put<U16>(kDictionary + 80 * 128 + 257 * 2, 0x0155);
  EXPECT_EQ(Call(k9Bits | 0x1'0000, kDictionary | 80 << 3, 16, 2), ProgramCode::kNone);
  EXPECT_EQ(Hex(kTarget2, 2), "aa80");
}

TEST_F(CompressionTest, BadParametersAndDictionaries) {
  EXPECT_EQ(Call(0, kDictionary, 16, 1), ProgramCode::kSpecification);
  EXPECT_EQ(Call(0x6000, kDictionary, 16, 1), ProgramCode::kSpecification);
  EXPECT_EQ(Execute(machine_, "b2630034", 0), ProgramCode::kSpecification);
  Entry(kDictionary, 'A', "e000000000000000");  // seven children
  machine_.Put<U8>(kSource, 'A');
  EXPECT_EQ(Call(k9Bits, kDictionary, 16, 1), ProgramCode::kData);
  // A predecessor that is its own.
  Entry(kExpansion, 256, "2100420000000001");
  machine_.PutText(kSource, "8000");
  EXPECT_EQ(Call(k9Bits | kExpand, kExpansion, 16, 2), ProgramCode::kData);
  EXPECT_EQ(machine_.Get<U8>(kDataExceptionCode), 0);
}

}  // namespace
}  // namespace lethe::emulated
