#include <gtest/gtest.h>

#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/test_machine.h"

namespace lethe::emulated {
namespace {

// Tables at fixed absolute addresses, for a space of three levels (region-third, segment, page).
constexpr std::uint64_t kRegionThirdTable = 0x20000;
constexpr std::uint64_t kSegmentTable = 0x24000;
constexpr std::uint64_t kPageTable = 0x28000;
constexpr std::uint64_t kThreeLevels = kRegionThirdTable | 0x4 | 0x3;

constexpr std::uint64_t kProgramCodeAt = 0x8e;
constexpr std::uint64_t kProgramOldAt = 0x150;
constexpr std::uint64_t kTranslationExceptionAt = 0xa8;

class TranslationTest : public ::testing::Test {
 protected:
  TranslationTest() {
    machine_.WaitOnInterruptions();
    machine_.SetNewPsw(0x900, TestMachine::kDisabledWait, 0x1234);
    for (std::uint64_t i = 0; i < 2048; ++i) {
      machine_.Set<std::uint64_t>(kRegionThirdTable + i * 8, 0x20 | 0x4);
      machine_.Set<std::uint64_t>(kSegmentTable + i * 8, 0x20);
    }
    for (std::uint64_t i = 0; i < 256; ++i) {
      machine_.Set<std::uint64_t>(kPageTable + i * 8, i * kPageSize);
    }
    machine_.Set<std::uint64_t>(kRegionThirdTable, kSegmentTable | 0x4 | 0x3);
    machine_.Set<std::uint64_t>(kSegmentTable, kPageTable);
    cpu_.SetControl(1, kThreeLevels);
  }

  Translation Translate(std::uint64_t address, std::uint64_t asce) {
    return cpu_.Translate(address, asce, AddressSpace::kPrimary);
  }
  void ExpectException(std::uint64_t address, std::uint64_t asce, ProgramCode code) {
    const Translation translation = Translate(address, asce);
    EXPECT_EQ(translation.exception.code, code);
    EXPECT_EQ(translation.exception.translation_exception, address & kPageMask);
  }
  void SetPage(std::uint64_t page, std::uint64_t entry) {
    machine_.Set<std::uint64_t>(kPageTable + page * 8, entry);
  }

  static constexpr std::uint64_t kDatOn = TestMachine::kSupervisor | Psw::kDat;
  TestMachine machine_;
  Cpu& cpu_ = machine_.cpu();
};

TEST_F(TranslationTest, WalksThreeLevels) {
  SetPage(5, 0x9000);
  const Translation translation = Translate(0x5123, kThreeLevels);
  EXPECT_EQ(translation.exception.code, ProgramCode::kNone);
  EXPECT_EQ(translation.absolute, 0x9123);
  EXPECT_FALSE(translation.is_protected);
}

TEST_F(TranslationTest, WalksFiveLevels) {
  constexpr std::uint64_t kFirst = 0x30000;
  constexpr std::uint64_t kSecond = 0x34000;
  machine_.Set<std::uint64_t>(kFirst + 3 * 8, kSecond | 0xc | 0x3);
  machine_.Set<std::uint64_t>(kSecond + 7 * 8, kRegionThirdTable | 0x8 | 0x3);
  const std::uint64_t address = std::uint64_t{3} << 53 | std::uint64_t{7} << 42 | 0x6010;
  EXPECT_EQ(Translate(address, kFirst | 0xc | 0x3).absolute, 0x6010);
}

TEST_F(TranslationTest, PrefixingFollowsTranslation) {
  cpu_.SetPrefix(0x10000);
  EXPECT_EQ(Translate(0x1008, kThreeLevels).real, 0x1008);
  EXPECT_EQ(Translate(0x1008, kThreeLevels).absolute, 0x11008);
}

TEST_F(TranslationTest, RealSpaceIsNotTranslated) {
  EXPECT_EQ(Translate(0x1234'5678, 0x20).absolute, 0x1234'5678);
}

TEST_F(TranslationTest, AddressBeyondTheSpaceIsAnAsceTypeException) {
  ExpectException(std::uint64_t{1} << 42, kThreeLevels, ProgramCode::kAsceType);
  ExpectException(std::uint64_t{1} << 31, kSegmentTable | 0x3, ProgramCode::kAsceType);
  ExpectException(std::uint64_t{1} << 53, kRegionThirdTable | 0x8 | 0x3, ProgramCode::kAsceType);
}

TEST_F(TranslationTest, InvalidEntriesNameTheirLevel) {
  ExpectException(std::uint64_t{1} << 31, kThreeLevels, ProgramCode::kRegionThirdTranslation);
  ExpectException(std::uint64_t{1} << 20, kThreeLevels, ProgramCode::kSegmentTranslation);
  SetPage(5, 0x9000 | 0x400);
  ExpectException(0x5000, kThreeLevels, ProgramCode::kPageTranslation);
}

TEST_F(TranslationTest, ShortTablesEndEarly) {
  // Length 0: one block of 512 entries.
  const std::uint64_t address = std::uint64_t{512} << 31;
  const Translation translation = Translate(address, kRegionThirdTable | 0x4);
  EXPECT_EQ(translation.exception.code, ProgramCode::kRegionThirdTranslation);
  EXPECT_TRUE(translation.beyond_table);
  // Offset 1: the first block is missing.
  machine_.Set<std::uint64_t>(kRegionThirdTable, kSegmentTable | 0x40 | 0x4 | 0x3);
  ExpectException(0x5000, kThreeLevels, ProgramCode::kSegmentTranslation);
}

TEST_F(TranslationTest, ChangeRecordingOverrideNeedsEnhancedDat) {
  SetPage(5, 0x9000 | 0x100);
  ExpectException(0x5000, kThreeLevels, ProgramCode::kTranslationSpecification);
}

TEST_F(TranslationTest, WrongTableTypeIsATranslationSpecificationException) {
  machine_.Set<std::uint64_t>(kRegionThirdTable, kSegmentTable | 0x8 | 0x3);
  ExpectException(0x5000, kThreeLevels, ProgramCode::kTranslationSpecification);
  machine_.Set<std::uint64_t>(kRegionThirdTable, kSegmentTable | 0x4 | 0x3);
  SetPage(5, 0x9000 | 0x800);
  ExpectException(0x5000, kThreeLevels, ProgramCode::kTranslationSpecification);
}

TEST_F(TranslationTest, TableBeyondStorageIsAnAddressingException) {
  ExpectException(0x5000, 0x4000'0000 | 0x4 | 0x3, ProgramCode::kAddressing);
}

TEST_F(TranslationTest, LargePagesNeedTheFacility) {
  machine_.Set<std::uint64_t>(kSegmentTable, 0x10'0000 | 0x400);
  cpu_.SetControl(0, Psw::Bit(40));
  // Without it the bit means nothing and the rest is a page-table origin.
  EXPECT_NE(Translate(0x5123, kThreeLevels).absolute, 0x10'5123);

  CpuModel model = CpuModel::Default();
  model.facilities.Set(8, true);
  TestMachine large(4 << 20, 1, model);
  large.Set<std::uint64_t>(kSegmentTable, 0x10'0000 | 0x400 | 0x200);
  large.cpu().SetControl(0, Psw::Bit(40));
  const Translation translation =
      large.cpu().Translate(0x5123, kSegmentTable, AddressSpace::kPrimary);
  EXPECT_EQ(translation.absolute, 0x10'5123);
  EXPECT_TRUE(translation.is_protected);
}

TEST_F(TranslationTest, ProgramSeesTranslatedStorage) {
  SetPage(5, 0x9000);
  machine_.Set<std::uint64_t>(0x9010, 0xabcd);
  machine_.Program(0x2000, {
                               "a729 5000  lghi r2,20480",
                               "e310 2010 0004  lg r1,16(r2)",
                               "e310 2018 0024  stg r1,24(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  EXPECT_EQ(machine_.RunFrom(0x2000, kDatOn).reason, Exit::Reason::kWait);
  EXPECT_EQ(cpu_.registers().psw.address, 0x1234);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x9018), 0xabcd);
}

TEST_F(TranslationTest, PageFaultIsNullifiedAndCanBeRepaired) {
  SetPage(5, 0x9000 | 0x400);
  machine_.SetNewPsw(0x1d0, TestMachine::kSupervisor, 0x3000);
  machine_.Set<std::uint64_t>(0x3100, 0x9000);
  machine_.Program(0x2000, {
                               "a729 5000  lghi r2,20480",
                               "a719 0007  lghi r1,7",
                               "e310 2010 0024  stg r1,16(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  // The handler makes the page valid, purges and goes back.
  machine_.Program(0x3000, {
                               "c041 0002 8000  lgfi r4,163840",
                               "a759 3000  lghi r5,12288",
                               "d207 4028 5100  mvc 40(8,r4),256(r5)",
                               "b20d 0000  ptlb",
                               "b2b2 0150  lpswe 336",
                           });
  machine_.RunFrom(0x2000, kDatOn);
  EXPECT_EQ(cpu_.registers().psw.address, 0x1234);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kProgramOldAt + 8), 0x2008);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kProgramCodeAt), 0x11);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kTranslationExceptionAt), 0x5000);
  EXPECT_EQ(machine_.Get<std::uint64_t>(0x9010), 7);
}

TEST_F(TranslationTest, FaultOfAnInstructionFetch) {
  SetPage(5, 0x9000 | 0x400);
  machine_.Program(0x2000, {
                               "a729 5000  lghi r2,20480",
                               "07f2  br r2",
                           });
  machine_.RunFrom(0x2000, kDatOn);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kProgramCodeAt), 0x11);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kProgramOldAt + 8), 0x5000);
}

TEST_F(TranslationTest, StoreIntoAProtectedPage) {
  SetPage(5, 0x9000 | 0x200);
  machine_.Program(0x2000, {
                               "a729 5000  lghi r2,20480",
                               "e310 2010 0004  lg r1,16(r2)",
                               "e310 2010 0024  stg r1,16(r2)",
                           });
  machine_.RunFrom(0x2000, kDatOn);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kProgramCodeAt), 4);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kTranslationExceptionAt), 0x5004);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kProgramOldAt + 8), 0x2010);
}

TEST_F(TranslationTest, SpacesHaveTheirOwnTranslations) {
  // A second space in which page 5 is another one.
  constexpr std::uint64_t kOther = 0x40000;
  for (std::uint64_t i = 0; i < 256; ++i) {
    machine_.Set<std::uint64_t>(kOther + 0x1000 + i * 8, i * kPageSize);
  }
  machine_.Set<std::uint64_t>(kOther, kOther + 0x1000);
  machine_.Set<std::uint64_t>(kOther + 0x1000 + 5 * 8, 0xa000);
  SetPage(5, 0x9000);
  machine_.Set<std::uint64_t>(0x9000, 9);
  machine_.Set<std::uint64_t>(0xa000, 10);
  cpu_.SetControl(0, Psw::Bit(37));
  cpu_.SetControl(7, kOther);
  cpu_.SetControl(13, kOther);
  machine_.Program(0x2000, {
                               "a729 5000  lghi r2,20480",
                               "e330 2000 0004  lg r3,0(r2)",
                               "b219 0100  sac 256",
                               "e340 2000 0004  lg r4,0(r2)",
                               "b219 0300  sac 768",
                               "e350 2000 0004  lg r5,0(r2)",
                               "b219 0000  sac 0",
                               "b219 0200  sac 512",
                               "b24d 0020  cpya a2,a0",
                               "a768 0001  lhi r6,1",
                               "b24e 0026  sar a2,r6",
                               "e360 2000 0004  lg r6,0(r2)",
                               "a778 0000  lhi r7,0",
                               "b24e 0027  sar a2,r7",
                               "e370 2000 0004  lg r7,0(r2)",
                               "b2b2 0900  lpswe 2304",
                           });
  machine_.RunFrom(0x2000, kDatOn);
  EXPECT_EQ(cpu_.registers().psw.address, 0x1234);
  EXPECT_EQ(cpu_.registers().general[3], 9);
  EXPECT_EQ(cpu_.registers().general[4], 10);
  EXPECT_EQ(cpu_.registers().general[5], 10);
  EXPECT_EQ(cpu_.registers().general[6], 10);
  EXPECT_EQ(cpu_.registers().general[7], 9);
}

TEST_F(TranslationTest, OperandAcrossPagesChecksBothBeforeStoring) {
  SetPage(5, 0x9000);
  SetPage(6, 0xb000 | 0x400);
  machine_.Program(0x2000, {
                               "a729 5ffc  lghi r2,24572",
                               "a719 ffff  lghi r1,-1",
                               "e310 2000 0024  stg r1,0(r2)",
                           });
  machine_.RunFrom(0x2000, kDatOn);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kProgramCodeAt), 0x11);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kTranslationExceptionAt), 0x6000);
  EXPECT_EQ(machine_.Get<std::uint32_t>(0x9ffc), 0);
}

TEST_F(TranslationTest, HostAccessesGoThroughTranslation) {
  SetPage(5, 0x9000);
  SetPage(6, 0xb000);
  SetPage(7, 0xb000 | 0x400);
  cpu_.SetPsw({kDatOn, 0});
  const std::uint8_t text[4] = {1, 2, 3, 4};
  EXPECT_EQ(cpu_.WriteLogical({0x5ffe, 0}, text).code, ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint16_t>(0x9ffe), 0x0102);
  EXPECT_EQ(machine_.Get<std::uint16_t>(0xb000), 0x0304);
  EXPECT_EQ(cpu_.WriteLogical({0x6ffe, 0}, text).code, ProgramCode::kPageTranslation);
  EXPECT_EQ(machine_.Get<std::uint16_t>(0xbffe), 0);
  std::uint8_t back[4] = {};
  EXPECT_EQ(cpu_.ReadLogical({0x5ffe, 0}, absl::MakeSpan(back)).code, ProgramCode::kNone);
  EXPECT_EQ(back[3], 4);
}

// --- access-register translation -----------------------------------------------------------------

class AccessRegisterTest : public TranslationTest {
 protected:
  static constexpr std::uint32_t kDuct = 0x50000;
  static constexpr std::uint32_t kAccessList = 0x51000;
  static constexpr std::uint32_t kAste = 0x52000;
  static constexpr std::uint32_t kAlet = 0x00'05'0003;  // sequence 5, entry 3

  AccessRegisterTest() {
    cpu_.SetControl(2, kDuct);
    machine_.Set<std::uint32_t>(kDuct + 16, kAccessList);  // eight entries
    machine_.Set<std::uint32_t>(kAccessList + 48, 0x0005'0000);
    machine_.Set<std::uint32_t>(kAccessList + 48 + 8, kAste);
    machine_.Set<std::uint32_t>(kAccessList + 48 + 12, 77);
    machine_.Set<std::uint64_t>(kAste + 8, kThreeLevels);
    machine_.Set<std::uint32_t>(kAste + 20, 77);
  }
  ProgramCode CodeOf(std::uint32_t alet, std::uint16_t eax = 0) {
    return cpu_.TranslateAlet(alet, eax, 4).exception.code;
  }
};

TEST_F(AccessRegisterTest, FindsTheSpaceInTheAccessList) {
  const Cpu::AletTranslation found = cpu_.TranslateAlet(kAlet, 0, 4);
  EXPECT_EQ(found.exception.code, ProgramCode::kNone);
  EXPECT_EQ(found.asce, kThreeLevels);
  EXPECT_EQ(found.aste, kAste);
  EXPECT_FALSE(found.is_protected);
  EXPECT_TRUE(found.from_dispatchable_unit);
}

TEST_F(AccessRegisterTest, ExceptionsInTheirOrder) {
  EXPECT_EQ(CodeOf(0x0200'0000), ProgramCode::kAletSpecification);
  EXPECT_EQ(CodeOf(0x0005'0008), ProgramCode::kAlenTranslation);
  EXPECT_EQ(CodeOf(0x0006'0003), ProgramCode::kAleSequence);
  machine_.Set<std::uint32_t>(kAste + 20, 78);
  EXPECT_EQ(CodeOf(kAlet), ProgramCode::kAsteSequence);
  machine_.Set<std::uint32_t>(kAste, 0x8000'0000);
  EXPECT_EQ(CodeOf(kAlet), ProgramCode::kAsteValidity);
  machine_.Set<std::uint32_t>(kAccessList + 48, 0x8005'0000);
  EXPECT_EQ(CodeOf(kAlet), ProgramCode::kAlenTranslation);
}

TEST_F(AccessRegisterTest, PrivateEntryNeedsAuthority) {
  machine_.Set<std::uint32_t>(kAccessList + 48, 0x0105'0009);
  EXPECT_EQ(CodeOf(kAlet, 9), ProgramCode::kNone);
  EXPECT_EQ(CodeOf(kAlet, 2), ProgramCode::kExtendedAuthority);
  machine_.Set<std::uint32_t>(kAste, 0x53000);
  machine_.Set<std::uint8_t>(0x53000, 0x04);  // index 2, secondary
  EXPECT_EQ(CodeOf(kAlet, 2), ProgramCode::kNone);
  EXPECT_EQ(CodeOf(kAlet, 16), ProgramCode::kExtendedAuthority);  // beyond the table
}

TEST_F(AccessRegisterTest, FetchOnlyEntryForbidsStores) {
  machine_.Set<std::uint32_t>(kAccessList + 48, 0x0205'0000);
  SetPage(5, 0x9000);
  cpu_.registers().access[4] = kAlet;
  machine_.Program(0x2000, {
                               "a749 5000  lghi r4,20480",
                               "e310 4000 0004  lg r1,0(r4)",
                               "e310 4000 0024  stg r1,0(r4)",
                           });
  machine_.RunFrom(0x2000, kDatOn | std::uint64_t{1} << 46);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kProgramCodeAt), 4);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kTranslationExceptionAt), 0x5005);
  EXPECT_EQ(machine_.Get<std::uint8_t>(0xa0), 4);
}

}  // namespace
}  // namespace lethe::emulated
