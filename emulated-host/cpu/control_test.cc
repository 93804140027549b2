// Control instructions that need no address translation.

#include <gtest/gtest.h>

#include <cstdint>

#include "emulated-host/cpu/control_authority.h"
#include "emulated-host/cpu/program_machine.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kData = ProgramMachine::kData;
constexpr std::uint64_t kProblem = ProgramMachine::kProblem;
constexpr std::uint64_t kSupervisor = ProgramMachine::kSupervisor;

class ControlTest : public testing::Test {
 protected:
  ControlTest() { cpu_.gr(1) = kData; }

  // All storage and the CPU belong to a secure configuration from now on.
  void MakeProtected() {
    constexpr ConfigurationId kConfiguration = 7;
    for (std::uint64_t page = 0; page < ProgramMachine::kSize; page += kPageSize) {
      machine_.state(page) = PageState(PageKind::kSecure, kConfiguration, false).word();
    }
    cpu_.SetConfiguration(kConfiguration);
    machine_.group().PurgeAll();
  }

  ProgramMachine machine_;
  Cpu& cpu_ = machine_.cpu();
};

TEST_F(ControlTest, PrivilegedInstructionsNeedTheSupervisorState) {
  for (const char* text :
       {"acfc1000", "ad031000", "80001000",     "b2b21000",     "82001000",     "ebd11000002f",
        "b7dd1000", "b6dd1004", "ebd110000025", "b2101000",     "b2111000",     "b2121000",
        "b2021000", "b2b10000", "0107",         "b2041000",     "b2061000",     "b2071000",
        "b2081000", "b2091000", "b2801000",     "b1203000",     "e32030000003", "b24b0023",
        "b9050023", "b2460023", "b9250023",     "e50110000050", "b2210023",     "b98e0023",
        "b2500024", "b98a0024", "b20d0000",     "b2480000",     "b22b0023",     "b2290023",
        "b22a0003", "b22c0003", "b27d1000",     "b2200023",     "ae230000",     "83230000",
        "b2331000", "b25f0020"}) {
    EXPECT_EQ(machine_.Run(text, kProblem), ProgramCode::kPrivilegedOperation) << text;
  }
}

TEST_F(ControlTest, StoreThenAndSystemMaskStoresTheOldMask) {
  EXPECT_EQ(machine_.Run("acfc1000", kSupervisor | Psw::kExternal | Psw::kInputOutput),
            ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint8_t>(kData), 0x03);
  EXPECT_EQ(machine_.EndPsw().mask >> 56, 0u);
}

TEST_F(ControlTest, StoreThenOrSystemMaskEnables) {
  EXPECT_EQ(machine_.Run("ad031000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint8_t>(kData), 0x00);
  EXPECT_EQ(machine_.EndPsw().mask >> 56, 0x03u);
}

TEST_F(ControlTest, SetSystemMaskMayBeSuppressed) {
  machine_.Put<std::uint8_t>(kData, 0x02);
  EXPECT_EQ(machine_.Run("80001000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().mask >> 56, 0x02u);
  cpu_.SetControl(0, cpu_.cr(0) | kSsmSuppression);
  EXPECT_EQ(machine_.Run("80001000"), ProgramCode::kSpecialOperation);
}

TEST_F(ControlTest, AnInvalidSystemMaskInterruptsEarlyWithALength) {
  constexpr std::uint64_t kLength = 0x8d;
  machine_.Put<std::uint8_t>(kData, 0x80);
  EXPECT_EQ(machine_.Run("80001000"), ProgramCode::kSpecification);
  EXPECT_EQ(machine_.ProgramOldPsw(),
            (Psw{kSupervisor | Psw::Bit(0), ProgramMachine::kProgram + 4}));
  EXPECT_EQ(machine_.Get<std::uint8_t>(kLength), 4);
  EXPECT_EQ(machine_.Run("ad101000"), ProgramCode::kSpecification);
  EXPECT_EQ(machine_.Get<std::uint8_t>(kLength), 4);
  EXPECT_EQ(machine_.Get<std::uint8_t>(kData), kSupervisor >> 56);
}

TEST_F(ControlTest, LoadPswExtendedReplacesThePsw) {
  machine_.Put<std::uint64_t>(kData, kSupervisor | std::uint64_t{2} << 44);
  machine_.Put<std::uint64_t>(kData + 8, 0x3000);
  machine_.PutText(0x3000, "0a00");
  EXPECT_EQ(machine_.Run("b2b21000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().address, 0x3002u);
  EXPECT_EQ(machine_.Cc(), 2);
}

TEST_F(ControlTest, LoadPswExtendedOfAnInvalidPswIsASpecificationException) {
  machine_.Put<std::uint64_t>(kData, kSupervisor | Psw::Bit(0));
  machine_.Put<std::uint64_t>(kData + 8, 0x3000);
  EXPECT_EQ(machine_.Run("b2b21000"), ProgramCode::kSpecification);
  EXPECT_EQ(machine_.ProgramOldPsw(), (Psw{kSupervisor | Psw::Bit(0), 0x3000}));
}

TEST_F(ControlTest, LoadPswTakesTheShortFormat) {
  machine_.Put<std::uint64_t>(kData, Psw::kShort | 0x8000'3000);
  machine_.PutText(0x3000, "0a00");
  EXPECT_EQ(machine_.Run("82001000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw(), (Psw{Psw::kBasicAddressing, 0x3002}));
  machine_.Put<std::uint64_t>(kData, 0x8000'3000);
  EXPECT_EQ(machine_.Run("82001000"), ProgramCode::kSpecification);
}

TEST_F(ControlTest, LoadPswWantsADoublewordBoundary) {
  cpu_.gr(1) = kData + 4;
  EXPECT_EQ(machine_.Run("82001000"), ProgramCode::kSpecification);
  EXPECT_EQ(machine_.Run("b2b21000"), ProgramCode::kSpecification);
}

TEST_F(ControlTest, ExtractPswShowsItsLeftHalf) {
  cpu_.gr(2) = cpu_.gr(3) = ~std::uint64_t{0};
  // Compare to make condition code 0 first.
  EXPECT_EQ(machine_.Run("1911 b98d0023", kProblem), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), 0xffff'ffff'0001'0001u);
  EXPECT_EQ(cpu_.gr(3), 0xffff'ffff'8000'0000u);
}

TEST_F(ControlTest, ProblemStateSetsOnlyKeysOfItsMask) {
  cpu_.SetControl(3, std::uint64_t{0x8000 >> 5} << 16);
  EXPECT_EQ(machine_.Run("b20a0050", kProblem), ProgramCode::kNone);
  EXPECT_EQ(machine_.EndPsw().mask & Psw::kKeyMask, std::uint64_t{5} << 52);
  EXPECT_EQ(machine_.Run("b20a0060", kProblem), ProgramCode::kPrivilegedOperation);
  EXPECT_EQ(machine_.Run("b20a0060", kSupervisor), ProgramCode::kNone);
}

TEST_F(ControlTest, InsertPswKeyNeedsExtractionAuthority) {
  cpu_.gr(2) = 0x1234;
  const std::uint64_t key_seven = std::uint64_t{7} << 52;
  for (int page = 0; page < 16; ++page) machine_.key(page * kPageSize) = 0x70;
  EXPECT_EQ(machine_.Run("b20b0000", kProblem | key_seven), ProgramCode::kPrivilegedOperation);
  cpu_.SetControl(0, cpu_.cr(0) | kExtractionAuthority);
  EXPECT_EQ(machine_.Run("b20b0000", kProblem | key_seven), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), 0x1270u);
}

TEST_F(ControlTest, ControlRegistersWrapFromFifteenToZero) {
  cpu_.gr(1) = kData;
  for (int i = 0; i < 5; ++i) machine_.Put<std::uint64_t>(kData + 8 * i, 0x1000 * (i + 1));
  machine_.Put<std::uint64_t>(kData + 24, 0xe0);
  EXPECT_EQ(machine_.Run("ebd11000002f"), ProgramCode::kNone);
  EXPECT_EQ(cpu_.cr(13), 0x1000u);
  EXPECT_EQ(cpu_.cr(15), 0x3000u);
  EXPECT_EQ(cpu_.cr(0), 0xe0u);
  EXPECT_EQ(cpu_.cr(1), 0x5000u);
  cpu_.gr(1) = kData + 64;
  EXPECT_EQ(machine_.Run("ebd110000025"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 64 + 16), 0x3000u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 64 + 32), 0x5000u);
}

TEST_F(ControlTest, LoadControlKeepsTheLeftHalf) {
  cpu_.SetControl(13, 0x1111'1111'2222'2222);
  machine_.Put<std::uint32_t>(kData, 0x3333'3333);
  EXPECT_EQ(machine_.Run("b7dd1000 b6dd1004"), ProgramCode::kNone);
  EXPECT_EQ(cpu_.cr(13), 0x1111'1111'3333'3333u);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kData + 4), 0x3333'3333u);
}

TEST_F(ControlTest, PrefixSwapsTheFirstEightKilobytes) {
  machine_.Put<std::uint32_t>(kData, 0x0001'0fff);
  machine_.Put<std::uint64_t>(0x100c8, 0);
  // SPX, STPX, STFL: the list goes to real address 200.
  machine_.Put<std::uint64_t>(0x101c0, kSupervisor);
  machine_.Put<std::uint64_t>(0x101c8, 0x600);
  machine_.PutText(0x10600, "83000000");
  EXPECT_EQ(machine_.Run("b2101000 b2111004 b2b10000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kData + 4), 0x10000u);
  EXPECT_EQ(machine_.Get<std::uint32_t>(0x100c8) >> 29, 7u);
  EXPECT_EQ(machine_.Get<std::uint32_t>(0xc8), 0u);
}

TEST_F(ControlTest, PrefixOutsideOfStorageIsAnAddressingException) {
  machine_.Put<std::uint32_t>(kData, 0x7000'0000);
  EXPECT_EQ(machine_.Run("b2101000"), ProgramCode::kAddressing);
}

TEST_F(ControlTest, RealStorageIsLoadedAndStored) {
  cpu_.gr(2) = 0x0123'4567'89ab'cdef;
  cpu_.gr(3) = kData;
  EXPECT_EQ(machine_.Run("b9250023"), ProgramCode::kNone);  // STURG
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData), 0x0123'4567'89ab'cdefu);
  cpu_.gr(2) = 0;
  EXPECT_EQ(machine_.Run("b24b0023"), ProgramCode::kNone);  // LURA
  EXPECT_EQ(cpu_.gr(2), 0x0123'4567u);
  EXPECT_EQ(machine_.Run("b9050023"), ProgramCode::kNone);  // LURAG
  EXPECT_EQ(cpu_.gr(2), 0x0123'4567'89ab'cdefu);
  cpu_.gr(3) = kData + 12;
  EXPECT_EQ(machine_.Run("b2460023"), ProgramCode::kNone);  // STURA
  EXPECT_EQ(machine_.Get<std::uint32_t>(kData + 12), 0x89ab'cdefu);
  EXPECT_EQ(machine_.Run("b9250023"), ProgramCode::kSpecification);
}

TEST_F(ControlTest, CpuTellsWhatItIs) {
  EXPECT_EQ(machine_.Run("b2121000 b2021008"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kData), 0u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 8), cpu_.model().cpu_id);
}

TEST_F(ControlTest, FacilityListTellsItsLength) {
  const FacilityList seen = FacilitiesOf(cpu_.model().facilities, kNoConfiguration);
  cpu_.gr(0) = 0xff00;  // one doubleword
  EXPECT_EQ(machine_.Run("b2b01000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 3);
  EXPECT_EQ(cpu_.gr(0), 0xff00u + seen.SignificantDoublewords() - 1);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData), seen.Doubleword(0));
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 8), 0u);

  machine_.Put<std::uint64_t>(kData + 24, 0x55);
  cpu_.gr(0) = 31;
  EXPECT_EQ(machine_.Run("b2b01000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(cpu_.gr(0), 2u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 16), seen.Doubleword(2));
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 24), 0x55u);
}

TEST_F(ControlTest, ProgramParameterIsLoaded) {
  machine_.Put<std::uint64_t>(kData, 0x1234);
  EXPECT_EQ(machine_.Run("b2801000"), ProgramCode::kNone);
  EXPECT_EQ(cpu_.registers().program_parameter, 0x1234u);
}

TEST_F(ControlTest, ProgramParameterMayLieOffABoundary) {
  machine_.Put<std::uint64_t>(kData + 3, 0x5678);
  EXPECT_EQ(machine_.Run("b2801003"), ProgramCode::kNone);
  EXPECT_EQ(cpu_.registers().program_parameter, 0x5678u);
}

TEST_F(ControlTest, ClockValuesAscendAndAreUnique) {
  EXPECT_EQ(machine_.Run("b2051000 b2051008 b2781010 b2781020"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  const auto first = machine_.Get<std::uint64_t>(kData);
  const auto second = machine_.Get<std::uint64_t>(kData + 8);
  const auto third = machine_.Get<std::uint64_t>(kData + 17);
  const auto fourth = machine_.Get<std::uint64_t>(kData + 33);
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_LT(third, fourth);
  EXPECT_EQ(machine_.Get<std::uint8_t>(kData + 16), 0u);
}

TEST_F(ControlTest, ExtendedClockCarriesTheProgrammableField) {
  cpu_.gr(0) = 0xabcd;
  EXPECT_EQ(machine_.Run("0107 b2781000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kData + 14), 0xabcdu);
  EXPECT_NE(machine_.Get<std::uint64_t>(kData + 8) & 0xff'ffff'ffff'0000, 0u);
  cpu_.gr(0) = 0x1'0000;
  EXPECT_EQ(machine_.Run("0107"), ProgramCode::kSpecification);
}

TEST_F(ControlTest, SetClockSetsTheClockOfTheMachine) {
  constexpr std::uint64_t kDay = std::uint64_t{86400} * 1'000'000 << 12;
  machine_.Put<std::uint64_t>(kData, kDay);
  EXPECT_EQ(machine_.Run("b2041000 b27c1008"), ProgramCode::kNone);
  EXPECT_GE(machine_.Get<std::uint64_t>(kData + 8), kDay);
  EXPECT_LT(machine_.Get<std::uint64_t>(kData + 8), 2 * kDay);
}

TEST_F(ControlTest, TimersAreSetAndStored) {
  machine_.Put<std::uint64_t>(kData, 0x7fff'ffff'ffff'fff0);
  EXPECT_EQ(machine_.Run("b2061000 b2071008 b2081000 b2091010"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 8), 0x7fff'ffff'ffff'fff0u);
  EXPECT_LE(machine_.Get<std::uint64_t>(kData + 16), 0x7fff'ffff'ffff'fff0u);
  EXPECT_GT(machine_.Get<std::uint64_t>(kData + 16), 0x7f00'0000'0000'0000u);
  cpu_.gr(1) = kData + 4;
  EXPECT_EQ(machine_.Run("b2081000"), ProgramCode::kSpecification);
}

TEST_F(ControlTest, CpuTimeIsTheDifferenceToTheTimer) {
  cpu_.SetCpuTimer(0x1000'0000'0000);
  machine_.Put<std::uint64_t>(kData, 0x1000'0000'0000);
  machine_.Put<std::uint64_t>(kData + 8, 0x22);
  machine_.Put<std::uint64_t>(kData + 16, 0x33);
  cpu_.gr(2) = kData + 16;
  EXPECT_EQ(machine_.Run("c82110001008", kProblem), ProgramCode::kNone);
  EXPECT_LT(cpu_.gr(0), 0x1000'0000'0000u);
  EXPECT_EQ(cpu_.gr(1), 0x22u);
  EXPECT_EQ(cpu_.gr(2), 0x33u);
}

TEST_F(ControlTest, StorageKeysAreSetInsertedAndReset) {
  cpu_.gr(2) = 0xff36;  // key 3, referenced and changed
  cpu_.gr(3) = kData;
  EXPECT_EQ(machine_.Run("b22b0023"), ProgramCode::kNone);
  EXPECT_EQ(machine_.key(kData), 0x36u);
  cpu_.gr(2) = 0x1'0001;
  EXPECT_EQ(machine_.Run("b2290023"), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), 0x1'0036u);
  EXPECT_EQ(machine_.Run("b22a0003"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 3);
  EXPECT_EQ(machine_.Run("b22a0003"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 1);
  cpu_.gr(3) = ProgramMachine::kSize;
  EXPECT_EQ(machine_.Run("b2290023"), ProgramCode::kAddressing);
}

TEST_F(ControlTest, ReferenceBitIsSetAgainAfterItsReset) {
  cpu_.gr(3) = kData;
  // A fetch, RRBE, the same fetch.
  EXPECT_EQ(machine_.Run("e32010000004 b22a0003 e32010000004"), ProgramCode::kNone);
  EXPECT_EQ(machine_.key(kData) & 0x04, 0x04);
}

TEST_F(ControlTest, NewStorageKeyProtectsAtOnce) {
  for (int page = 0; page < 16; ++page) machine_.key(page * kPageSize) = 0x50;
  cpu_.gr(2) = 0x60;
  cpu_.gr(3) = kData;
  const std::uint64_t key_five = std::uint64_t{5} << 52;
  EXPECT_EQ(machine_.Run("50201000 b22b0023 50201000", kSupervisor | key_five),
            ProgramCode::kProtection);
}

TEST_F(ControlTest, TestBlockClearsThePage) {
  machine_.Put<std::uint64_t>(kData + 8, 1);
  machine_.Put<std::uint64_t>(kData + 4088, 1);
  cpu_.gr(0) = 5;
  cpu_.gr(3) = kData + 100;
  EXPECT_EQ(machine_.Run("b22c0003"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Cc(), 0);
  EXPECT_EQ(cpu_.gr(0), 0u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 8), 0u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 4088), 0u);
  cpu_.SetControl(0, cpu_.cr(0) | kLowAddressProtection);
  cpu_.gr(3) = 0x1000;
  EXPECT_EQ(machine_.Run("b22c0003"), ProgramCode::kProtection);
}

TEST_F(ControlTest, HostCompletesInterceptedInstructions) {
  machine_.PutText(ProgramMachine::kProgram, "b2200023");
  cpu_.SetPsw({kSupervisor, ProgramMachine::kProgram});
  const Exit exit = cpu_.Run();
  EXPECT_EQ(exit.reason, Exit::Reason::kInstruction);
  EXPECT_EQ(exit.ipa, 0xb220u);
  EXPECT_EQ(exit.ipb >> 16, 0x0023u);
  EXPECT_EQ(cpu_.registers().psw.address, ProgramMachine::kProgram + 4);
}

TEST_F(ControlTest, UltravisorCallExistsForProtectedGuestsOnly) {
  EXPECT_EQ(machine_.Run("b9a40023"), ProgramCode::kOperation);
  EXPECT_EQ(machine_.Run("b9a40023", kProblem), ProgramCode::kOperation);

  MakeProtected();
  EXPECT_EQ(machine_.Run("b9a40023", kProblem), ProgramCode::kPrivilegedOperation);
  machine_.PutText(ProgramMachine::kProgram, "b9a40023");
  const Exit exit = machine_.RunFrom(ProgramMachine::kProgram);
  EXPECT_EQ(exit.reason, Exit::Reason::kInstruction);
  EXPECT_EQ(exit.ipa, 0xb9a4u);
}

TEST_F(ControlTest, ProtectedGuestSeesItsOwnFacilities) {
  cpu_.gr(0) = 2;
  EXPECT_EQ(machine_.Run("b2b01000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 16),
            std::uint64_t{1} << (191 - kUnpack) | std::uint64_t{1} << (191 - 138));
  MakeProtected();
  cpu_.gr(0) = 2;
  EXPECT_EQ(machine_.Run("b2b01000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kData + 16),
            std::uint64_t{1} << (191 - kUltravisorCall) | std::uint64_t{1} << (191 - 138));
}

TEST_F(ControlTest, InstructionsOfFacilitiesNotOfferedAreOperationExceptions) {
  EXPECT_EQ(machine_.Run("0104"), ProgramCode::kOperation);      // PTFF, facility 28
  EXPECT_EQ(machine_.Run("b9a20020"), ProgramCode::kOperation);  // PTF, facility 11
  EXPECT_EQ(machine_.Run("b9ab0020"), ProgramCode::kOperation);  // ESSA
  EXPECT_EQ(machine_.Run("b2af0000"), ProgramCode::kOperation);  // PQAP
}

TEST_F(ControlTest, CacheAttributesNameOneLevel) {
  EXPECT_EQ(machine_.Run("eb200000004c", kProblem), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), std::uint64_t{0x04} << 56);
  EXPECT_EQ(machine_.Run("eb200010004c", kProblem), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), 256u);
  EXPECT_EQ(machine_.Run("eb2000f0004c", kProblem), ProgramCode::kNone);
  EXPECT_EQ(cpu_.gr(2), ~std::uint64_t{0});
}

class TraceTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kTable = 0x5000;

  TraceTest() {
    cpu_.SetControl(12, std::uint64_t{3} << 62 | kTable | 1);
    cpu_.gr(1) = 0x1'0000'0011;
    cpu_.gr(2) = 0x1'0000'0022;
    cpu_.gr(6) = ProgramMachine::kData;
    machine_.Put<std::uint32_t>(ProgramMachine::kData, 0x1234'5678);
  }

  ProgramMachine machine_;
  Cpu& cpu_ = machine_.cpu();
};

TEST_F(TraceTest, ShortAndLongEntries) {
  EXPECT_EQ(machine_.Run("99126000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kTable), 0x7100);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kTable + 8), 0x1234'5678u);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kTable + 12), 0x11u);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kTable + 16), 0x22u);
  EXPECT_EQ(cpu_.cr(12), std::uint64_t{3} << 62 | (kTable + 20) | 1);

  EXPECT_EQ(machine_.Run("eb126000000f"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint16_t>(kTable + 20), 0x7180);
  EXPECT_EQ(machine_.Get<std::uint32_t>(kTable + 20 + 12), 0x1234'5678u);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kTable + 20 + 24), 0x1'0000'0022u);
  EXPECT_EQ(cpu_.cr(12), std::uint64_t{3} << 62 | (kTable + 20 + 32) | 1);
  // The long one has the clock's leftmost bits, which are those that the short one lacks.
  const auto clock = machine_.Get<std::uint64_t>(kTable + 20 + 2);
  EXPECT_GT(clock & 0xffff'ffff'ffff, machine_.Get<std::uint64_t>(kTable) & 0xffff'ffff'ffff);
}

TEST_F(TraceTest, NothingIsTracedUnlessAskedFor) {
  machine_.Put<std::uint32_t>(ProgramMachine::kData, 0x8000'0000);
  EXPECT_EQ(machine_.Run("99126000"), ProgramCode::kNone);
  machine_.Put<std::uint32_t>(ProgramMachine::kData, 0);
  cpu_.SetControl(12, kTable);
  EXPECT_EQ(machine_.Run("99126000"), ProgramCode::kNone);
  EXPECT_EQ(machine_.Get<std::uint64_t>(kTable), 0u);
  EXPECT_EQ(cpu_.cr(12), kTable);
  EXPECT_EQ(machine_.Run("99126002"), ProgramCode::kSpecification);
  EXPECT_EQ(machine_.Run("99126000", kProblem), ProgramCode::kPrivilegedOperation);
}

TEST_F(TraceTest, TableEndsBeforeTheNextBlock) {
  cpu_.SetControl(12, (kTable + kPageSize - 76) | 1);
  EXPECT_EQ(machine_.Run("99126000"), ProgramCode::kTraceTable);
  EXPECT_EQ(machine_.ProgramOldPsw().address, ProgramMachine::kProgram);
  cpu_.SetControl(12, (kTable + kPageSize - 80) | 1);
  EXPECT_EQ(machine_.Run("99126000"), ProgramCode::kNone);
  cpu_.SetControl(0, kLowAddressProtection);
  cpu_.SetControl(12, 0x101);
  EXPECT_EQ(machine_.Run("99126000"), ProgramCode::kProtection);
}

}  // namespace
}  // namespace lethe::emulated
