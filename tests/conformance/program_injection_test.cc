// Program interruptions that the user injects.

#include "tests/conformance/one_cpu.h"

namespace lethe::conformance {
namespace {

class ProgramInjection : public OneCpu {
 protected:
  void Deliver(std::uint64_t address = kProgramAt) {
    SetPsw(cpu_, kSupervisor, address);
    ASSERT_EQ(Run(cpu_), 0);
    ASSERT_EQ(Landed(), kProgramNew);
  }
  abi::kvm_s390_irq irq_{abi::KVM_S390_PROGRAM_INT, {}};
};

TEST_F(ProgramInjection, HasItsCode) {
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 6);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt);
}

TEST_F(ProgramInjection, WithoutAnInterceptTheLengthIs0) {
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 0);
}

TEST_F(ProgramInjection, TheLengthIsThatOfTheInterceptedInstruction) {
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  ASSERT_EQ(InjectProgram(6), 0);
  ASSERT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 4);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt + 4);
}

TEST_F(ProgramInjection, TheLengthIsTheUsersIfHeSaysSo) {
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  ASSERT_EQ(InjectProgram(6, abi::KVM_S390_PGM_FLAGS_ILC_VALID | 2), 0);
  ASSERT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 2);
}

TEST_F(ProgramInjection, ANullifyingOneGoesBackToTheInstruction) {
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  irq_.u.pgm.code = 0x11;
  irq_.u.pgm.trans_exc_code = 0x12345000;
  ASSERT_EQ(Inject(irq_), 0);
  ASSERT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt);
  EXPECT_EQ(Load<std::uint64_t>(0xa8), 0x12345000);
}

TEST_F(ProgramInjection, UnlessTheUserHasGoneBack) {
  EXPECT_EQ(Execute({0x83, 0x00, 0x05, 0x01}), 0);
  irq_.u.pgm.code = 0x11;
  irq_.u.pgm.flags = abi::KVM_S390_PGM_FLAGS_ILC_VALID | 4 | abi::KVM_S390_PGM_FLAGS_NO_REWIND;
  ASSERT_EQ(Inject(irq_), 0);
  ASSERT_EQ(Run(cpu_), 0);
  ASSERT_EQ(Landed(), kProgramNew);
  EXPECT_EQ(Load<std::uint64_t>(0x158), kProgramAt + 4);
  EXPECT_EQ(Load<std::uint16_t>(0x8c), 4);
}

TEST_F(ProgramInjection, TheLastOneCounts) {
  ASSERT_EQ(InjectProgram(6), 0);
  ASSERT_EQ(InjectProgram(5), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 5);
}

TEST_F(ProgramInjection, DataHasItsCode) {
  irq_.u.pgm.code = 7;
  irq_.u.pgm.data_exc_code = 0x20;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint32_t>(0x90), 0x20u);
}

TEST_F(ProgramInjection, MonitorHasClassAndCode) {
  irq_.u.pgm.code = 0x40;
  irq_.u.pgm.mon_class_nr = 0x12;
  irq_.u.pgm.mon_code = 0x3456;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x94), 0x12);
  EXPECT_EQ(Load<std::uint64_t>(0xb0), 0x3456);
}

TEST_F(ProgramInjection, ProtectionHasAddressAndAccessRegister) {
  irq_.u.pgm.code = 4;
  irq_.u.pgm.trans_exc_code = 0x12345004;
  irq_.u.pgm.exc_access_id = 3;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint64_t>(0xa8), 0x12345004);
  EXPECT_EQ(Load<std::uint8_t>(0xa0), 3);
}

TEST_F(ProgramInjection, PageTranslationHasAddressAndAccessRegisters) {
  irq_.u.pgm.code = 0x11;
  irq_.u.pgm.trans_exc_code = 0x12345000;
  irq_.u.pgm.exc_access_id = 3;
  irq_.u.pgm.op_access_id = 5;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint64_t>(0xa8), 0x12345000);
  EXPECT_EQ(Load<std::uint8_t>(0xa0), 3);
  EXPECT_EQ(Load<std::uint8_t>(0xa2), 5);
}

TEST_F(ProgramInjection, PerHasItsFields) {
  irq_.u.pgm.code = 0x80;
  irq_.u.pgm.per_code = 0x40;
  irq_.u.pgm.per_atmid = 0x90;
  irq_.u.pgm.per_address = 0x12346;
  irq_.u.pgm.per_access_id = 2;
  ASSERT_EQ(Inject(irq_), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 0x80);
  EXPECT_EQ(Load<std::uint8_t>(0x96), 0x40);
  EXPECT_EQ(Load<std::uint8_t>(0x97), 0x90);
  EXPECT_EQ(Load<std::uint64_t>(0x98), 0x12346);
  EXPECT_EQ(Load<std::uint8_t>(0xa1), 2);
}

TEST_F(ProgramInjection, PerComesTogetherWithAnother) {
  irq_.u.pgm.code = 0x80;
  irq_.u.pgm.per_code = 0x40;
  irq_.u.pgm.per_address = 0x12346;
  ASSERT_EQ(Inject(irq_), 0);
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint16_t>(0x8e), 0x86);
  EXPECT_EQ(Load<std::uint64_t>(0x98), 0x12346);
}

TEST_F(ProgramInjection, HasTheBreakingEventAddress) {
  ASSERT_EQ(SetOneRegister(abi::KVM_REG_S390_GBEA, 0x13570), 0);
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
  EXPECT_EQ(Load<std::uint64_t>(0x110), 0x13570);
}

TEST_F(ProgramInjection, IsTakenWithEverythingDisabled) {
  ASSERT_EQ(InjectProgram(6), 0);
  Deliver();
}

}  // namespace
}  // namespace lethe::conformance
