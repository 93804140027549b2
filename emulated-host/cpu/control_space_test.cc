// Control instructions on address spaces and their translation.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>

#include "absl/strings/str_format.h"
#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/program_machine.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kPage = 0x5000;  // leads elsewhere in each space
constexpr std::uint64_t kSupervisor = ProgramMachine::kSupervisor;
constexpr std::uint64_t kDat = kSupervisor | Psw::kDat;
constexpr std::uint64_t kDatProblem = kDat | Psw::kProblemState;
constexpr std::uint64_t kPageInvalid = 0x400;
constexpr std::uint64_t kPageProtected = 0x200;
constexpr std::uint64_t kSegmentInvalid = 0x20;

// Three address spaces of 1 MiB, all real but for kPage.
struct Space {
  std::uint64_t segment_table;
  std::uint64_t page_table;
  std::uint64_t frame;  // where kPage leads
};
constexpr Space kPrimary = {0x10000, 0x11000, 0x50000};
constexpr Space kSecondary = {0x14000, 0x15000, 0x60000};
constexpr Space kHome = {0x18000, 0x19000, 0x70000};

class ControlSpaceTest : public testing::Test {
 protected:
  ControlSpaceTest() {
    for (const Space& space : {kPrimary, kSecondary, kHome}) {
      for (int i = 0; i < 512; ++i) {
        machine_.Put<std::uint64_t>(space.segment_table + 8 * i, kSegmentInvalid);
      }
      machine_.Put<std::uint64_t>(space.segment_table, space.page_table);
      for (std::uint64_t page = 0; page < 256; ++page) SetPage(space, page, page * kPageSize);
      SetPage(space, kPage / kPageSize, space.frame);
    }
    cpu_.SetControl(0, cpu_.cr(0) | kSecondarySpaceControl);
    cpu_.SetControl(1, kPrimary.segment_table);
    cpu_.SetControl(7, kSecondary.segment_table);
    cpu_.SetControl(13, kHome.segment_table);
  }

  void SetPage(const Space& space, std::uint64_t number, std::uint64_t entry) {
    machine_.Put<std::uint64_t>(space.page_table + 8 * number, entry);
  }
  std::uint64_t Page(const Space& space, std::uint64_t number) {
    return machine_.Get<std::uint64_t>(space.page_table + 8 * number);
  }

  ProgramMachine machine_;
  Cpu& cpu_ = machine_.cpu();
};

TEST_F(ControlSpaceTest, LoadRealAddressTranslatesWithDatOff) {
  cpu_.gr(3) = kPage + 0x123;
  EXPECT_EQ(machine_.Run("b1203000", kSupervisor), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(cpu_.gr(2), kPrimary.frame + 0x123);
}

TEST_F(ControlSpaceTest, LoadRealAddressFollowsTheSpaceOfThePsw) {
  cpu_.gr(3) = kPage;
  EXPECT_EQ(machine_.Run("e32030000003", kDat | std::uint64_t{2} << 46), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), kSecondary.frame);
  EXPECT_EQ(machine_.Run("e32030000013", kDat | std::uint64_t{3} << 46), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), kHome.frame);
}

TEST_F(ControlSpaceTest, LoadRealAddressNamesTheInvalidEntry) {
  cpu_.gr(3) = 0x10'0000;
  EXPECT_EQ(machine_.Run("b1203000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  EXPECT_EQ(cpu_.gr(2), kPrimary.segment_table + 8);
  SetPage(kPrimary, 7, kPageInvalid);
  cpu_.gr(3) = 0x7000;
  EXPECT_EQ(machine_.Run("b1203000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 2);
  EXPECT_EQ(cpu_.gr(2), kPrimary.page_table + 7 * 8);
}

TEST_F(ControlSpaceTest, LoadRealAddressNamesTheExceptionBeyondTheTables) {
  cpu_.gr(2) = 0x1111'1111'0000'0000;
  cpu_.gr(3) = std::uint64_t{1} << 40;  // an address space of 2 GiB
  EXPECT_EQ(machine_.Run("b1203000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 3);
  EXPECT_EQ(cpu_.gr(2), 0x1111'1111'8000'0038u);
}

TEST_F(ControlSpaceTest, LoadRealAddressKeepsTheLeftHalfInThe31BitMode) {
  cpu_.gr(2) = ~std::uint64_t{0};
  cpu_.gr(3) = kPage;
  EXPECT_EQ(machine_.Run("b1203000", Psw::kBasicAddressing), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), 0xffff'ffff'0000'0000 | kPrimary.frame);
}

TEST_F(ControlSpaceTest, TestProtectionTellsWhatIsAllowed) {
  cpu_.gr(1) = kPage;
  const auto test = [&](const char* text) {
    EXPECT_EQ(machine_.Run(text, kDat), ProgramCode::kNone);
    return machine_.Cc();
  };
  machine_.key(kPrimary.frame) = 0x30;
  EXPECT_EQ(test("e50110000000"), 0);
  EXPECT_EQ(test("e50110000030"), 0);
  EXPECT_EQ(test("e50110000050"), 1);
  machine_.key(kPrimary.frame) = 0x38;
  EXPECT_EQ(test("e50110000050"), 2);
  SetPage(kPrimary, kPage / kPageSize, kPrimary.frame | kPageProtected);
  machine_.group().PurgeAll();
  EXPECT_EQ(test("e50110000000"), 1);
  SetPage(kPrimary, kPage / kPageSize, kPageInvalid);
  machine_.group().PurgeAll();
  EXPECT_EQ(test("e50110000000"), 3);
}

TEST_F(ControlSpaceTest, TestProtectionKnowsLowAddressProtection) {
  cpu_.SetControl(0, cpu_.cr(0) | kLowAddressProtection);
  cpu_.gr(1) = 511;
  EXPECT_EQ(machine_.Run("e50110000000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  cpu_.gr(1) = 512;
  EXPECT_EQ(machine_.Run("e50110000000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
}

TEST_F(ControlSpaceTest, InvalidatedPageIsGoneAtOnce) {
  cpu_.gr(1) = kPage;
  cpu_.gr(2) = kPrimary.page_table;
  cpu_.gr(3) = kPage;
  EXPECT_EQ(machine_.Run("58401000 b2210023 58401000", kDat), ProgramCode::kPageTranslation);
  EXPECT_EQ(Page(kPrimary, kPage / kPageSize), kPrimary.frame | kPageInvalid);
  EXPECT_EQ(machine_.TranslationException() & kPageMask, kPage);
  EXPECT_EQ(machine_.ProgramOldPsw().address, ProgramMachine::kProgram + 8);
}

TEST(ControlBroadcastTest, InvalidatedPageIsGoneForOtherCpus) {
  constexpr std::uint64_t kOtherPrefix = 0x40000;
  constexpr std::uint64_t kLoop = 0x3000;
  ProgramMachine machine(2);
  for (int i = 0; i < 512; ++i) {
    machine.Put<std::uint64_t>(kPrimary.segment_table + 8 * i, kSegmentInvalid);
  }
  machine.Put<std::uint64_t>(kPrimary.segment_table, kPrimary.page_table);
  for (std::uint64_t page = 0; page < 256; ++page) {
    machine.Put<std::uint64_t>(kPrimary.page_table + 8 * page, page * kPageSize);
  }
  // The other CPU counts in storage, and loads from the page, until that fails.
  Cpu& other = machine.cpu(1);
  other.SetPrefix(kOtherPrefix);
  machine.SetNewPsw(kOtherPrefix + 0x1d0, kSupervisor, 0x700);
  machine.Put<std::uint32_t>(kOtherPrefix + 0x700, 0x8300'0000);
  machine.PutText(kLoop, "eb012000007a 58401000 a7f4fffb");  // AGSI, L, J
  for (Cpu* cpu : {&machine.cpu(), &other}) {
    cpu->SetControl(1, kPrimary.segment_table);
    cpu->gr(1) = kPage;
    cpu->gr(2) = ProgramMachine::kData;
  }
  std::thread thread([&] {
    const Exit exit = machine.RunFrom(kLoop, kDat, 1);
    EXPECT_EQ(exit.ipa, 0x8300);
  });
  // Wait until it has gone round some times; then IPTE.
  EXPECT_EQ(machine.Run("e30020000004 c20e00000064 a744fffa", kSupervisor), ProgramCode::kNone);
  machine.cpu().gr(2) = kPrimary.page_table;
  machine.cpu().gr(3) = kPage;
  EXPECT_EQ(machine.Run("b2210023"), ProgramCode::kNone);
  thread.join();
  EXPECT_EQ(machine.Get<std::uint16_t>(kOtherPrefix + 142),
            static_cast<std::uint16_t>(ProgramCode::kPageTranslation));
}

TEST_F(ControlSpaceTest, InvalidateDatTableEntryTakesARange) {
  for (int i = 1; i < 5; ++i) {
    machine_.Put<std::uint64_t>(kPrimary.segment_table + 8 * i, kPrimary.page_table);
  }
  cpu_.gr(2) = kPrimary.segment_table;
  cpu_.gr(3) = 0x20'0000 | 1;  // segment 2 and one more
  EXPECT_EQ(machine_.Run("b98e0023", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.segment_table + 8), kPrimary.page_table);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.segment_table + 16),
            kPrimary.page_table | kSegmentInvalid);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.segment_table + 24),
            kPrimary.page_table | kSegmentInvalid);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.segment_table + 32), kPrimary.page_table);
}

TEST_F(ControlSpaceTest, InvalidateDatTableEntryMayOnlyClear) {
  cpu_.gr(1) = kPage;
  cpu_.gr(2) = kPrimary.segment_table;
  cpu_.gr(3) = 0x800;
  SetPage(kPrimary, 6, kPageInvalid);
  EXPECT_EQ(machine_.Run("b98e0023", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.segment_table), kPrimary.page_table);
  cpu_.gr(3) = 0x1000;
  EXPECT_EQ(machine_.Run("b98e0023", kDat), ProgramCode::kSpecification);
}

TEST_F(ControlSpaceTest, CompareAndSwapAndPurgeSwapsTheEntry) {
  const std::uint64_t entry = kPrimary.page_table + kPage / kPageSize * 8;
  cpu_.gr(1) = kPage;
  cpu_.gr(2) = kPrimary.frame;
  cpu_.gr(3) = 0x51000;
  cpu_.gr(4) = entry | 1;
  machine_.Put<std::uint32_t>(0x50000, 0x11);
  machine_.Put<std::uint32_t>(0x51000, 0x22);
  EXPECT_EQ(machine_.Run("58501000 b98a0024 58601000", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(cpu_.gr(5), 0x11u);
  EXPECT_EQ(cpu_.gr(6), 0x22u);
  EXPECT_EQ(machine_.Run("b98a0024", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  EXPECT_EQ(cpu_.gr(2), 0x51000u);
  EXPECT_EQ(machine_.Run("b98a0034", kDat), ProgramCode::kSpecification);
}

TEST_F(ControlSpaceTest, CompareAndSwapAndPurgeOfAWord) {
  cpu_.gr(2) = 0xffff'ffff'0000'0007;
  cpu_.gr(3) = 9;
  cpu_.gr(4) = kPage | 3;
  machine_.Put<std::uint32_t>(kPrimary.frame, 7);
  EXPECT_EQ(machine_.Run("b2500024", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kPrimary.frame), 9u);
  EXPECT_EQ(machine_.Run("b2500024", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  EXPECT_EQ(cpu_.gr(2), 0xffff'ffff'0000'0009u);
}

TEST_F(ControlSpaceTest, InsertVirtualStorageKeyShowsNoReferenceBits) {
  machine_.key(kPrimary.frame) = 0x3e;
  cpu_.gr(3) = kPage;
  EXPECT_EQ(machine_.Run("b2230023", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2) & 0xff, 0x38u);
  EXPECT_EQ(machine_.Run("b2230023", kSupervisor), ProgramCode::kSpecialOperation);
  EXPECT_EQ(machine_.Run("b2230023", kDatProblem), ProgramCode::kPrivilegedOperation);
}

TEST_F(ControlSpaceTest, SetAddressSpaceControlSwitchesTheSpace) {
  cpu_.gr(1) = kPage;
  machine_.Put<std::uint32_t>(kPrimary.frame, 0x11);
  machine_.Put<std::uint32_t>(kSecondary.frame, 0x22);
  machine_.Put<std::uint32_t>(kHome.frame, 0x33);
  EXPECT_EQ(machine_.Run("58201000 b2190100 58301000 b2790300 58401000 b2190000", kDat),
            ProgramCode::kNone);
  EXPECT_EQ(cpu_.Low(2), 0x11u);
  EXPECT_EQ(cpu_.Low(3), 0x22u);
  EXPECT_EQ(cpu_.Low(4), 0x33u);
  EXPECT_EQ(machine_.Run("b2190400", kDat), ProgramCode::kSpecification);
  EXPECT_EQ(machine_.Run("b2190100", kSupervisor), ProgramCode::kSpecialOperation);
  EXPECT_EQ(machine_.Run("b2190300", kDatProblem), ProgramCode::kPrivilegedOperation);
}

TEST_F(ControlSpaceTest, RelativeOperandsAreWhereInstructionsAre) {
  const auto distance = static_cast<std::uint32_t>((kPage - ProgramMachine::kProgram) / 2);
  const std::string load_and_store =
      absl::StrFormat("c42d%08x c43f%08x", distance, distance - 3);  // LRL 2, STRL 3
  constexpr std::uint64_t kModes = 4;
  const Space* const expected[kModes] = {&kPrimary, &kPrimary, &kPrimary, &kHome};
  for (std::uint64_t mode = 0; mode < kModes; ++mode) {
    machine_.Put<std::uint32_t>(kPrimary.frame, 0x11);
    machine_.Put<std::uint32_t>(kSecondary.frame, 0x22);
    machine_.Put<std::uint32_t>(kHome.frame, 0x33);
    cpu_.gr(3) = 0x99;
    ASSERT_EQ(machine_.Run(load_and_store, kDat | mode << 46), ProgramCode::kNone);
    EXPECT_EQ(cpu_.Low(2), expected[mode] == &kHome ? 0x33u : 0x11u) << mode;
    for (const Space* const space : {&kPrimary, &kSecondary, &kHome}) {
      EXPECT_EQ(machine_.Get<std::uint32_t>(space->frame) == 0x99, space == expected[mode]) << mode;
    }
  }
}

TEST_F(ControlSpaceTest, EnteringHomeSpaceMayBeAnEvent) {
  cpu_.SetControl(4, 0x1234);
  cpu_.SetControl(13, kHome.segment_table | 0x40);
  EXPECT_EQ(machine_.Run("b2190300", kDat), ProgramCode::kSpaceSwitch);
  EXPECT_EQ(machine_.TranslationException(), 0x1234u);
  EXPECT_EQ(machine_.ProgramOldPsw().address, ProgramMachine::kProgram + 4);
  EXPECT_EQ(machine_.ProgramOldPsw().mask & Psw::kAddressSpaceMask, std::uint64_t{3} << 46);
}

TEST_F(ControlSpaceTest, LeavingHomeSpaceMayBeAnEvent) {
  cpu_.SetControl(4, 0x1234);
  cpu_.SetControl(13, kHome.segment_table | 0x40);
  EXPECT_EQ(machine_.Run("b2190000", kDat | std::uint64_t{3} << 46), ProgramCode::kSpaceSwitch);
  EXPECT_EQ(machine_.TranslationException(), 0x8000'0000u);  // home space has no number here
  cpu_.SetControl(1, kPrimary.segment_table | 0x40);
  cpu_.SetControl(13, kHome.segment_table);
  EXPECT_EQ(machine_.Run("b2190300", kDat), ProgramCode::kSpaceSwitch);
  EXPECT_EQ(machine_.TranslationException(), 0x8000'1234u);
}

TEST_F(ControlSpaceTest, StoreRealAddressInterruptsForMissingPages) {
  cpu_.gr(1) = ProgramMachine::kData;
  cpu_.gr(3) = kPage + 0x123;
  EXPECT_EQ(machine_.Run("e50210003000", kSupervisor), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(ProgramMachine::kData), kPrimary.frame + 0x123);
  SetPage(kPrimary, kPage / kPageSize, kPageInvalid);
  EXPECT_EQ(machine_.Run("e50210003000", kSupervisor), ProgramCode::kPageTranslation);
  cpu_.gr(1) = ProgramMachine::kData + 4;
  EXPECT_EQ(machine_.Run("e50210003000", kSupervisor), ProgramCode::kSpecification);
}

class MovePageTest : public ControlSpaceTest {
 protected:
  static constexpr const char* kMove = "b2540024";  // MVPG 2,4
  static constexpr std::uint64_t kFrom = 0x6000;

  MovePageTest() {
    cpu_.gr(0) = 0;
    cpu_.gr(2) = kPage + 0x123;  // bits inside of the page do not count
    cpu_.gr(4) = kFrom + 0x456;
    machine_.Put<std::uint64_t>(kFrom, 0x1122'3344'5566'7788);
    machine_.Put<std::uint64_t>(kFrom + 0xff8, 0x99);
  }
};

TEST_F(MovePageTest, WholePageMoves) {
  EXPECT_EQ(machine_.Run(kMove, kDatProblem), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.frame), 0x1122'3344'5566'7788u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.frame + 0xff8), 0x99u);
  EXPECT_EQ(machine_.Run(kMove, kSupervisor), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPage), 0x1122'3344'5566'7788u);
}

TEST_F(MovePageTest, MissingPagesAreExceptionsOrConditionCodes) {
  SetPage(kPrimary, kPage / kPageSize, kPageInvalid);
  EXPECT_EQ(machine_.Run(kMove, kDat), ProgramCode::kPageTranslation);
  EXPECT_EQ(machine_.TranslationException(), kPage | 4);
  EXPECT_EQ(machine_.Get<std::uint8_t>(162), 0x24);
  EXPECT_EQ(machine_.ProgramOldPsw().address, ProgramMachine::kProgram);
  cpu_.gr(0) = 0x100;
  EXPECT_EQ(machine_.Run(kMove, kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  SetPage(kPrimary, kFrom / kPageSize, kPageInvalid);
  machine_.group().PurgeAll();
  EXPECT_EQ(machine_.Run(kMove, kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 2);
}

TEST_F(MovePageTest, KeyOfRegisterZeroIsOneOperands) {
  machine_.key(kPrimary.frame) = 0x50;
  constexpr std::uint64_t kKey3 = std::uint64_t{3} << 52;
  EXPECT_EQ(machine_.Run(kMove, kDat | kKey3), ProgramCode::kProtection);
  cpu_.gr(0) = 0x850;
  EXPECT_EQ(machine_.Run(kMove, kDat | kKey3), ProgramCode::kNone);
  machine_.key(kFrom) = 0x58;
  machine_.group().PurgeAll();
  EXPECT_EQ(machine_.Run(kMove, kDat | kKey3), ProgramCode::kProtection);
  machine_.key(kPrimary.frame) = 0x30;
  machine_.group().PurgeAll();
  cpu_.gr(0) = 0x450;
  EXPECT_EQ(machine_.Run(kMove, kDat | kKey3), ProgramCode::kNone);
  EXPECT_EQ(machine_.Run(kMove, kDatProblem | kKey3), ProgramCode::kPrivilegedOperation);
  cpu_.gr(0) = 0xc50;
  EXPECT_EQ(machine_.Run(kMove, kDat), ProgramCode::kSpecification);
  cpu_.gr(0) = 0x1000;
  EXPECT_EQ(machine_.Run(kMove, kDat), ProgramCode::kSpecification);
}

TEST_F(ControlSpaceTest, AddressSpaceControlAndNumbersAreShown) {
  cpu_.gr(2) = 0xffff;
  EXPECT_EQ(machine_.Run("b2240020", kDat | std::uint64_t{2} << 46), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  EXPECT_EQ(cpu_.gr(2), 0x01ffu);
  cpu_.SetControl(3, 0x0002'0003);
  cpu_.SetControl(4, 0x0004'0005);
  EXPECT_EQ(machine_.Run("b2260020 b2270030", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), 5u);
  EXPECT_EQ(cpu_.Low(3), 3u);
  EXPECT_EQ(machine_.Run("b2260020", kDatProblem), ProgramCode::kPrivilegedOperation);
}

TEST_F(ControlSpaceTest, SecondarySpaceIsFoundThroughTheAsnTables) {
  constexpr std::uint64_t kFirstTable = 0x20000;
  constexpr std::uint64_t kSecondTable = 0x21000;
  constexpr std::uint64_t kAuthorityTable = 0x22000;
  const std::uint16_t asn = 3 << 6 | 2;
  cpu_.SetControl(14, kFirstTable / kPageSize | Psw::Bit(44));
  cpu_.SetControl(4, 5 << 16 | 7);  // authorization index 5, ASN 7
  machine_.Put<std::uint32_t>(kFirstTable + 3 * 4, kSecondTable);
  machine_.Put<std::uint32_t>(kSecondTable + 2 * 64, kAuthorityTable);
  machine_.Put<std::uint64_t>(kSecondTable + 2 * 64 + 8, kHome.segment_table);
  machine_.Put<std::uint8_t>(kAuthorityTable + 1, 0x10);  // index 5, secondary
  cpu_.gr(2) = asn;
  EXPECT_EQ(machine_.Run("b2250020", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.cr(7), kHome.segment_table);
  EXPECT_EQ(cpu_.cr(3) & 0xffff, asn);

  machine_.Put<std::uint8_t>(kAuthorityTable + 1, 0x20);
  EXPECT_EQ(machine_.Run("b2250020", kDat), ProgramCode::kSecondaryAuthority);
  EXPECT_EQ(machine_.TranslationException(), asn);
  machine_.Put<std::uint32_t>(kSecondTable + 2 * 64, 0x8000'0000);
  EXPECT_EQ(machine_.Run("b2250020", kDat), ProgramCode::kAsxTranslation);
  machine_.Put<std::uint32_t>(kFirstTable + 3 * 4, 0x8000'0000);
  EXPECT_EQ(machine_.Run("b2250020", kDat), ProgramCode::kAfxTranslation);

  cpu_.gr(2) = 7;  // the primary one
  EXPECT_EQ(machine_.Run("b2250020", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.cr(7), kPrimary.segment_table);
  cpu_.SetControl(14, 0);
  EXPECT_EQ(machine_.Run("b2250020", kDat), ProgramCode::kSpecialOperation);
}

TEST_F(ControlSpaceTest, MoveToPrimaryAndToSecondary) {
  cpu_.gr(1) = kPage;
  cpu_.gr(2) = kPage;
  cpu_.gr(5) = 4;
  machine_.Put<std::uint64_t>(kSecondary.frame, 0x1122'3344'5566'7788);
  EXPECT_EQ(machine_.Run("da5610002000", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.frame), 0x1122'3344'0000'0000u);
  machine_.Put<std::uint64_t>(kPrimary.frame, 0xaabb'ccdd'eeff'0011);
  cpu_.gr(5) = 8;
  EXPECT_EQ(machine_.Run("db5610002000", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kSecondary.frame), 0xaabb'ccdd'eeff'0011u);
  EXPECT_EQ(machine_.Run("da5610002000", kSupervisor), ProgramCode::kSpecialOperation);
}

TEST_F(ControlSpaceTest, MovesOf256BytesAtMostTellOfMore) {
  cpu_.gr(1) = kPage;
  cpu_.gr(2) = kPage;
  cpu_.gr(5) = 257;
  machine_.Put<std::uint16_t>(kSecondary.frame + 255, 0x7788);
  EXPECT_EQ(machine_.Run("da5610002000", kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 3);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kPrimary.frame + 255), 0x7700u);
}

TEST_F(ControlSpaceTest, ProblemStateMovesWithKeysOfItsMaskOnly) {
  cpu_.gr(1) = kPage;
  cpu_.gr(2) = kPage;
  cpu_.gr(5) = 1;
  cpu_.gr(6) = 0x30;
  EXPECT_EQ(machine_.Run("da5610002000", kDatProblem), ProgramCode::kPrivilegedOperation);
  cpu_.SetControl(3, std::uint64_t{0x8000 >> 3} << 16);
  EXPECT_EQ(machine_.Run("da5610002000", kDatProblem), ProgramCode::kNone);
}

TEST_F(ControlSpaceTest, MoveWithKeyObeysTheKeyOfTheSource) {
  for (const std::uint64_t mask : {kSupervisor, kDat}) {
    cpu_.gr(1) = 0x6000;
    cpu_.gr(2) = 0x7000;
    cpu_.gr(5) = 2;
    cpu_.gr(6) = 0x30;
    machine_.key(0x7000) = 0x38;
    machine_.Put<std::uint16_t>(0x7000, 0x1234);
    EXPECT_EQ(machine_.Run("d95610002000", mask), ProgramCode::kNone);
    EXPECT_EQ(machine_.Get<std::uint16_t>(0x6000), 0x1234u);
    cpu_.gr(6) = 0x40;
    EXPECT_EQ(machine_.Run("d95610002000", mask), ProgramCode::kProtection);
    EXPECT_EQ(machine_.ProgramOldPsw().mask & Psw::kKeyMask, 0u);
  }
}

TEST_F(ControlSpaceTest, MoveWithDestinationOrSourceKey) {
  cpu_.gr(0) = 1;  // two bytes
  cpu_.gr(1) = 0x6000;
  cpu_.gr(2) = 0x7000;
  machine_.key(0x6000) = 0x30;
  machine_.key(0x7000) = 0x48;
  machine_.Put<std::uint16_t>(0x7000, 0x1234);
  // General register 1 is the key's too: 0x6000 stands for key 0.
  EXPECT_EQ(machine_.Run("e50e10002000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint16_t>(0x6000), 0x1234u);
  cpu_.gr(1) = 0x6030;
  EXPECT_EQ(machine_.Run("e50e10002000"), ProgramCode::kProtection);
  EXPECT_EQ(machine_.Run("e50f10002000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint16_t>(0x6030), 0x1234u);
  cpu_.gr(1) = 0x6050;
  EXPECT_EQ(machine_.Run("e50f10002000"), ProgramCode::kProtection);
}

class MvcosTest : public ControlSpaceTest {
 protected:
  static constexpr std::uint64_t kSecondaryTarget = 0x0081'0000;
  static constexpr std::uint64_t kSecondarySource = 0x0081;
  const char* const kMvcos = "c85010002000";
};

TEST_F(MvcosTest, CopiesToAndFromTheSecondarySpace) {
  cpu_.gr(0) = kSecondaryTarget;
  cpu_.gr(1) = kPage;
  cpu_.gr(2) = kPage;
  cpu_.gr(5) = 8;
  machine_.Put<std::uint64_t>(kPrimary.frame, 0x1122'3344'5566'7788);
  EXPECT_EQ(machine_.Run(kMvcos, kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kSecondary.frame), 0x1122'3344'5566'7788u);
  machine_.Put<std::uint64_t>(kPrimary.frame, 0);
  cpu_.gr(0) = kSecondarySource;
  EXPECT_EQ(machine_.Run(kMvcos, kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kPrimary.frame), 0x1122'3344'5566'7788u);
}

TEST_F(MvcosTest, CopiesAtMost4096Bytes) {
  cpu_.gr(0) = kSecondarySource;
  cpu_.gr(1) = 0x30000;
  cpu_.gr(2) = kPage - 8;
  cpu_.gr(5) = 5000;
  machine_.Put<std::uint64_t>(kPage - 8, 0x11);
  machine_.Put<std::uint64_t>(kSecondary.frame, 0x22);
  machine_.Put<std::uint64_t>(kSecondary.frame + 4080, 0x33);
  machine_.Put<std::uint64_t>(kSecondary.frame + 4088, 0x44);
  EXPECT_EQ(machine_.Run(kMvcos, kDat), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 3);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x30000), 0x11u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x30008), 0x22u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x30000 + 4088), 0x33u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x31000), 0u);
}

TEST_F(MvcosTest, FaultNamesTheSpaceAndChangesNothing) {
  SetPage(kSecondary, 7, kPageInvalid);
  cpu_.gr(0) = kSecondaryTarget;
  cpu_.gr(1) = 0x7000 - 8;
  cpu_.gr(2) = kPage;
  cpu_.gr(5) = 16;
  machine_.Put<std::uint64_t>(kPrimary.frame, 0x55);
  EXPECT_EQ(machine_.Run(kMvcos, kDat), ProgramCode::kPageTranslation);
  EXPECT_EQ(machine_.TranslationException() & kPageMask, 0x7000u);
  EXPECT_EQ(machine_.TranslationException() & 3, 2u);
  EXPECT_EQ(machine_.ProgramOldPsw().address, ProgramMachine::kProgram);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x7000 - 8), 0u);
}

TEST_F(MvcosTest, WantsDatAndForTheSecondarySpaceItsControl) {
  cpu_.gr(1) = cpu_.gr(2) = kPage;
  EXPECT_EQ(machine_.Run(kMvcos, kSupervisor), ProgramCode::kSpecialOperation);
  cpu_.SetControl(0, cpu_.cr(0) & ~kSecondarySpaceControl);
  EXPECT_EQ(machine_.Run(kMvcos, kDat), ProgramCode::kNone);
  cpu_.gr(0) = 0x0081;  // from there
  EXPECT_EQ(machine_.Run(kMvcos, kDat), ProgramCode::kSpecialOperation);
  cpu_.gr(0) = 0x0081'0000;  // to there
  EXPECT_EQ(machine_.Run(kMvcos, kDat), ProgramCode::kSpecialOperation);
}

TEST_F(MvcosTest, ChecksAnImpliedKeyToo) {
  cpu_.gr(1) = cpu_.gr(2) = kPage;
  cpu_.gr(5) = 1;
  cpu_.SetControl(3, 0);
  EXPECT_EQ(machine_.Run(kMvcos, kDatProblem), ProgramCode::kPrivilegedOperation);
  cpu_.SetControl(3, 0x8000'0000);  // key 0
  EXPECT_EQ(machine_.Run(kMvcos, kDatProblem), ProgramCode::kNone);
}

TEST_F(MvcosTest, ProblemStateStoresNothingInHomeSpace) {
  cpu_.gr(0) = 0x00c1'0000;
  cpu_.gr(1) = cpu_.gr(2) = kPage;
  cpu_.gr(5) = 1;
  EXPECT_EQ(machine_.Run(kMvcos, kDatProblem), ProgramCode::kSpecialOperation);
  EXPECT_EQ(machine_.Run(kMvcos, kDat), ProgramCode::kNone);
}

class LinkageTest : public ControlSpaceTest {
 protected:
  static constexpr std::uint64_t kStack = 0x80000;

  // One section with room for `free_bytes`; the stack is empty.
  void MakeStack(std::uint16_t free_bytes) {
    machine_.Put<std::uint64_t>(kStack, 0);  // no backward link
    machine_.Put<std::uint64_t>(kStack + 8,
                                std::uint64_t{0x09} << 56 | std::uint64_t{free_bytes} << 32);
    machine_.Put<std::uint64_t>(kStack + 16 + free_bytes, 0);  // no forward link
    cpu_.SetControl(15, kStack + 8);
  }
};

TEST_F(LinkageTest, BranchAndStackIsUndoneByProgramReturn) {
  MakeStack(1000);
  for (int i = 0; i < 16; ++i) {
    cpu_.gr(i) = 0x1'0000'0000 + i;
    cpu_.ar(i) = 0x100 + i;
  }
  cpu_.gr(3) = 0x3000;
  // The called program changes registers 4 (returned to its value) and 0 (kept), and returns.
  machine_.PutText(0x3000, "a7490007 a7090008 0101");
  EXPECT_EQ(machine_.Run("b2400003", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(4), 0x1'0000'0004u);
  EXPECT_EQ(cpu_.gr(0), 8u);
  EXPECT_EQ(cpu_.cr(15), kStack + 8);
  EXPECT_EQ(machine_.EndPsw().address, ProgramMachine::kProgram + 6);
}

TEST_F(LinkageTest, StackedStateIsExtractedAndModified) {
  MakeStack(1000);
  cpu_.gr(4) = 0x1122'3344'5566'7788;
  cpu_.ar(4) = 0x99;
  cpu_.gr(2) = 0xaa;
  cpu_.gr(3) = 0xbb;
  // BAKR 0,0; LGHI 4,0; EREGG 4,4; MSTA 2; LGHI 5,3; ESTA 6,5; LGHI 5,4; ESTA 8,5
  EXPECT_EQ(
      machine_.Run("b2400000 a7490000 b90e0044 b2470020 a7590003 b24a0065 a7590004 b24a0085", kDat),
      ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(cpu_.gr(4), 0x1122'3344'5566'7788u);
  EXPECT_EQ(cpu_.Low(6), 0xaau);
  EXPECT_EQ(cpu_.Low(7), 0xbbu);
  EXPECT_EQ(cpu_.gr(8) & ~Psw::kConditionCodeMask, kDat);
  EXPECT_EQ(cpu_.gr(9), ProgramMachine::kProgram + 4);
  EXPECT_EQ(cpu_.cr(15), kStack + 8 + 296);
}

TEST_F(LinkageTest, StackIsFullOrEmpty) {
  MakeStack(295);
  EXPECT_EQ(machine_.Run("b2400000", kDat), ProgramCode::kStackSpecification);
  MakeStack(288);
  EXPECT_EQ(machine_.Run("b2400000", kDat), ProgramCode::kStackFull);
  EXPECT_EQ(machine_.Run("0101", kDat), ProgramCode::kStackEmpty);
  EXPECT_EQ(machine_.Run("0101", kSupervisor), ProgramCode::kSpecialOperation);
}

TEST_F(LinkageTest, NextSectionIsLinked) {
  constexpr std::uint64_t kNext = 0x90000;
  MakeStack(0);
  machine_.Put<std::uint64_t>(kStack + 16, kNext + 8 + 1);
  machine_.Put<std::uint64_t>(kNext + 8, std::uint64_t{0x09} << 56 | std::uint64_t{296} << 32);
  EXPECT_EQ(machine_.Run("b2400000", kDat), ProgramCode::kNone);
  EXPECT_EQ(cpu_.cr(15), kNext + 8 + 296);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kNext), kStack + 8 + 1);
}

}  // namespace
}  // namespace lethe::emulated
