#include "emulated-host/ultravisor/secure_cpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>
#include <optional>

#include "base/big_endian.h"
#include "emulated-host/ultravisor/test_machine.h"

namespace lethe::emulated {
namespace {

using Next = SecureCpu::Next;
using Code = SecureIntercept::Code;

constexpr std::uint64_t kProgram = 0x60000;  // where the test's instructions lie
constexpr std::uint64_t kData = 0x61000;
constexpr std::uint64_t kProgramNew = 0x1d0;
constexpr std::uint64_t kHandler = 0x62000;
constexpr std::uint64_t kMask64 = Psw::kExtendedAddressing | Psw::kBasicAddressing;

// A protected guest whose first CPU executes what the test writes.
class SecureCpuTest : public ::testing::Test {
 protected:
  SecureCpuTest() {
    configuration_ = machine_.Create();
    secure_ = Make(cpu_);
    other_secure_ = Make(other_);
    LETHE_CHECK(machine_.Start(*configuration_, ReadGolden("g235-plain.pv")).ok());
    for (const std::uint64_t page : {std::uint64_t{0}, kProgram, kData, kHandler}) {
      LETHE_CHECK(ultravisor_.ConvertToSecure(*configuration_, page).ok());
    }
    Put<std::uint64_t>(kProgramNew, kMask64);
    Put<std::uint64_t>(kProgramNew + 8, kHandler);
    LETHE_CHECK(ultravisor_.SetCpuState(*secure_, 5).ok());
  }
  ~SecureCpuTest() override {
    if (secure_) ultravisor_.DestroyCpu(secure_);
    if (other_secure_) ultravisor_.DestroyCpu(other_secure_);
  }

  std::unique_ptr<SecureCpu> Make(Cpu& cpu) {
    auto created = ultravisor_.CreateCpu(configuration_, cpu);
    LETHE_CHECK(created.result.ok());
    return std::move(created.cpu);
  }

  std::uint8_t* at(std::uint64_t absolute) { return machine_.region().bytes() + absolute; }
  template <typename T>
  void Put(std::uint64_t absolute, T value) {
    StoreBigEndian(at(absolute), value);
  }
  template <typename T>
  T Get(std::uint64_t absolute) {
    return LoadBigEndian<T>(at(absolute));
  }
  std::uint64_t& gr(int n) { return cpu_.registers().general[n]; }
  std::uint8_t cc() { return cpu_.registers().psw.mask >> 44 & 3; }

  // Runs one instruction; the CPU stops for it.
  void Execute(std::initializer_list<std::uint8_t> text) { ExecuteOn(*secure_, text); }
  void ExecuteOn(SecureCpu& secure, std::initializer_list<std::uint8_t> text) {
    std::copy(text.begin(), text.end(), at(kProgram));
    machine_.group().PurgePage(kProgram);
    secure.cpu().SetPsw({kMask64, kProgram});
    ASSERT_EQ(secure.Enter({}), Next::kRun);
    const Exit exit = secure.cpu().Run();
    ASSERT_EQ(exit.reason, Exit::Reason::kInstruction);
    secure.Take(exit);
  }
  // The same, and the host gets to see it.
  void Intercept(std::initializer_list<std::uint8_t> text) { InterceptOn(*secure_, text); }
  void InterceptOn(SecureCpu& secure, std::initializer_list<std::uint8_t> text) {
    ExecuteOn(secure, text);
    ASSERT_EQ(secure.Enter({}), Next::kIntercept);
  }
  // Did the guest get this program interruption?
  bool Interrupted(ProgramCode code) {
    return cpu_.registers().psw.address == kHandler &&
           Get<std::uint16_t>(0x8e) == static_cast<std::uint16_t>(code);
  }
  void ExpectText(Code code, std::uint16_t ipa, std::uint32_t ipb) {
    EXPECT_EQ(secure_->intercept().code, code);
    EXPECT_EQ(secure_->intercept().ipa, ipa);
    EXPECT_EQ(secure_->intercept().ipb, ipb);
  }

  HostKey key_ = ReadGoldenKey("host.key");
  Ultravisor ultravisor_{key_};
  TestMachine machine_{ultravisor_};
  std::shared_ptr<SecureConfiguration> configuration_;
  CpuModel model_ = CpuModel::Default();
  Cpu cpu_{model_, 0, machine_.storage(), machine_.group(), machine_};
  Cpu other_{model_, 1, machine_.storage(), machine_.group(), machine_};
  std::unique_ptr<SecureCpu> secure_;
  std::unique_ptr<SecureCpu> other_secure_;
};

TEST_F(SecureCpuTest, StartsWhereTheHeaderSays) {
  const auto& parts = ReadGoldenImage("g235-plain.pv").parameters.components;
  EXPECT_EQ(cpu_.registers().psw, (Psw{kMask64, parts.back().address}));
}

TEST_F(SecureCpuTest, DiagnoseShowsAFixedForm) {
  gr(3) = 0xdead'beef;
  gr(7) = 0x4711;
  gr(1) = 3;
  gr(2) = 0x10001;
  Intercept({0x83, 0x37, 0x05, 0x00});  // DIAG 3,7,0x500
  ExpectText(Code::kInstruction, 0x8302, 0x50000000);
  const auto& seen = secure_->intercept().general;
  EXPECT_EQ(seen[5], 0x500);
  EXPECT_EQ(seen[1], 3);
  EXPECT_EQ(seen[2], 0x10001);
  EXPECT_EQ(seen[7], 0);  // nothing else is shown
  HostAnswer answer{seen, 3, ProgramCode::kNone};
  answer.general[2] = 17;
  answer.general[9] = 0xbad;
  EXPECT_EQ(secure_->Enter(answer), Next::kRun);
  EXPECT_EQ(gr(2), 17);
  EXPECT_EQ(gr(9), 0);
  EXPECT_EQ(cc(), 0);  // DIAGNOSE sets none
}

TEST_F(SecureCpuTest, TheHostSeesNoAddressButInADisabledWait) {
  Intercept({0x83, 0x00, 0x00, 0x44});
  EXPECT_EQ(secure_->VisiblePsw().address, 0);
  cpu_.registers().psw = {kMask64 | Psw::kWait, 0xdead};
  EXPECT_EQ(secure_->VisiblePsw().address, 0xdead);
}

TEST_F(SecureCpuTest, SomeIplSubcodesAreNotForProtectedGuests) {
  for (const std::uint64_t subcode : {2, 4, 7, 8, 9, 10, 11, 0x10003}) {
    gr(4) = subcode;
    gr(2) = kData;
    Execute({0x83, 0x24, 0x03, 0x08});
    EXPECT_TRUE(Interrupted(ProgramCode::kSpecification)) << subcode;
    EXPECT_EQ(secure_->Enter({}), Next::kRun);
  }
}

TEST_F(SecureCpuTest, ResetsAreNotifications) {
  for (const std::uint64_t subcode : {0, 1, 3}) {
    gr(4) = subcode;
    Intercept({0x83, 0x24, 0x03, 0x08});
    ExpectText(Code::kNotification, 0x8302, 0x50000000);
    EXPECT_EQ(secure_->intercept().general[2], subcode);
    EXPECT_EQ(secure_->intercept().general[5], 0x308);
    EXPECT_EQ(secure_->Enter({}), Next::kRun);
  }
}

TEST_F(SecureCpuTest, IplBlocksGoThroughTheSida) {
  gr(2) = kData;
  gr(4) = 5;
  Put<std::uint32_t>(kData, 0x1000);
  Intercept({0x83, 0x24, 0x03, 0x08});
  ExpectText(Code::kInstruction, 0x8302, 0x50000000);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(secure_->sida().data()), 0x1000);
  HostAnswer answer{secure_->intercept().general, 0, ProgramCode::kNone};
  answer.general[1] = 1;
  EXPECT_EQ(secure_->Enter(answer), Next::kRun);
  EXPECT_EQ(gr(3), 1);

  gr(4) = 6;
  Intercept({0x83, 0x24, 0x03, 0x08});
  StoreBigEndian<std::uint32_t>(secure_->sida().data(), 0x77);
  EXPECT_EQ(secure_->Enter(answer), Next::kRun);
  EXPECT_EQ(Get<std::uint32_t>(kData), 0x77);

  gr(2) = kData + 8;
  Execute({0x83, 0x24, 0x03, 0x08});
  EXPECT_TRUE(Interrupted(ProgramCode::kSpecification));
}

TEST_F(SecureCpuTest, ServiceCallsEndWithANotification) {
  gr(6) = 0x0012'0001;
  gr(8) = kData;
  Put<std::uint16_t>(kData, 32);
  Put<std::uint32_t>(kData + 8, 0xcafe);
  Put<std::uint32_t>(kData + 32, 0x5ec2e7);  // behind the block
  Intercept({0xb2, 0x20, 0x00, 0x68});
  ExpectText(Code::kInstruction, 0xb220, 0x00020000);
  EXPECT_EQ(secure_->intercept().general[0], 0x0012'0001);
  EXPECT_EQ(secure_->intercept().general[8], 0);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(secure_->sida().data() + 8), 0xcafe);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(secure_->sida().data() + 32), 0);

  StoreBigEndian<std::uint16_t>(secure_->sida().data() + 6, 0x0020);
  EXPECT_EQ(secure_->Enter({}), Next::kIntercept);  // cc 0
  ExpectText(Code::kNotification, 0xb220, 0);
  EXPECT_EQ(Get<std::uint16_t>(kData + 6), 0x0020);
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_EQ(cc(), 0);

  // A second one has to wait until the guest got its interruption.
  Execute({0xb2, 0x20, 0x00, 0x68});
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_EQ(cc(), 2);
  EXPECT_EQ(secure_->ServiceParameter(0x1), 0x1);  // an event alone
  EXPECT_EQ(secure_->ServiceParameter(0x43001), kData | 1);
  EXPECT_EQ(secure_->ServiceParameter(0x1), 0x1);
}

// Hosts leave it alone (QEMU does): what it is in the PSW that they are shown is the guest's last.
TEST_F(SecureCpuTest, TheConditionCodeOfAServiceCallIsTheUltravisors) {
  gr(6) = 0x0012'0001;
  gr(8) = kData;
  Put<std::uint16_t>(kData, 32);
  Intercept({0xb2, 0x20, 0x00, 0x68});
  StoreBigEndian<std::uint16_t>(secure_->sida().data() + 6, 0x0020);
  EXPECT_EQ(secure_->Enter({{}, 1, ProgramCode::kNone}), Next::kIntercept);
  ExpectText(Code::kNotification, 0xb220, 0);
  EXPECT_EQ(Get<std::uint16_t>(kData + 6), 0x0020);
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_EQ(cc(), 0);
}

TEST_F(SecureCpuTest, ServiceCallBlocksStayInOnePage) {
  gr(8) = kData + 0xff8;
  Put<std::uint16_t>(kData + 0xff8, 16);
  Execute({0xb2, 0x20, 0x00, 0x68});
  EXPECT_TRUE(Interrupted(ProgramCode::kSpecification));
  gr(8) = kData + 1;
  Execute({0xb2, 0x20, 0x00, 0x68});
  EXPECT_TRUE(Interrupted(ProgramCode::kSpecification));
}

TEST_F(SecureCpuTest, OperandsOfInputOutputInstructionsGoThroughTheSida) {
  gr(1) = 0x10002;
  gr(9) = kData;
  Put<std::uint32_t>(kData + 0x10, 0x1234);
  Intercept({0xb2, 0x33, 0x90, 0x10});  // SSCH 16(9)
  ExpectText(Code::kInstruction, 0xb233, 0);
  EXPECT_EQ(secure_->intercept().general[1], 0x10002);
  EXPECT_EQ(secure_->intercept().general[9], 0);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(secure_->sida().data()), 0x1234);
  EXPECT_EQ(secure_->Enter({{}, 2, ProgramCode::kNone}), Next::kRun);
  EXPECT_EQ(cc(), 2);

  Intercept({0xb2, 0x34, 0x90, 0x10});  // STSCH
  secure_->sida()[51] = 0x99;
  EXPECT_EQ(secure_->Enter({{}, 3, ProgramCode::kNone}), Next::kRun);
  EXPECT_EQ(*at(kData + 0x10 + 51), 0);  // not operational: nothing stored
  Intercept({0xb2, 0x34, 0x90, 0x10});
  secure_->sida()[51] = 0x99;
  secure_->sida()[52] = 0x98;
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_EQ(*at(kData + 0x10 + 51), 0x99);
  EXPECT_EQ(*at(kData + 0x10 + 52), 0);

  Execute({0xb2, 0x33, 0x90, 0x12});
  EXPECT_TRUE(Interrupted(ProgramCode::kSpecification));
}

TEST_F(SecureCpuTest, TheHostInjectsWhatFitsTheInstruction) {
  gr(9) = kData;
  Intercept({0xb2, 0x33, 0x90, 0x00});
  EXPECT_EQ(secure_->Enter({{}, 0, ProgramCode::kOperand}), Next::kRun);
  EXPECT_TRUE(Interrupted(ProgramCode::kOperand));
  Intercept({0xb2, 0x33, 0x90, 0x00});
  EXPECT_EQ(secure_->Enter({{}, 0, ProgramCode::kAddressing}), Next::kValidity);
  Intercept({0x83, 0x00, 0x00, 0x44});
  EXPECT_EQ(secure_->Enter({{}, 0, ProgramCode::kSpecification}), Next::kValidity);
}

TEST_F(SecureCpuTest, SignalsReachRegistersTheHostCannot) {
  gr(2) = 1;
  gr(5) = 0x34000;
  gr(4) = 0xffff'ffff'0000'0000;
  Intercept({0xae, 0x42, 0x00, 0x0d});  // set prefix
  ExpectText(Code::kInstruction, 0xae02, 0x50000000);
  EXPECT_EQ(secure_->intercept().general[1], 0x34000);
  EXPECT_EQ(secure_->intercept().general[2], 1);
  EXPECT_EQ(secure_->intercept().general[5], 0x0d);
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_EQ(cc(), 0);
  ASSERT_TRUE(ultravisor_.SetCpuState(*other_secure_, 1).ok());
  EXPECT_EQ(other_secure_->Enter({}), Next::kRun);
  EXPECT_EQ(other_.registers().prefix, 0x34000);

  HostAnswer answer{{}, 1, ProgramCode::kNone};
  answer.general[0] = 0x40;
  Intercept({0xae, 0x42, 0x00, 0x01});  // sense: status stored
  EXPECT_EQ(secure_->Enter(answer), Next::kRun);
  EXPECT_EQ(cc(), 1);
  EXPECT_EQ(gr(4), 0xffff'ffff'0000'0040);
}

TEST_F(SecureCpuTest, AStoppedCpuIsRestartedWithoutTheHost) {
  constexpr std::uint8_t kRestart = 6, kOperating = 1, kStopped = 2;
  gr(2) = 1;
  ASSERT_TRUE(ultravisor_.SetCpuState(*other_secure_, kStopped).ok());
  Intercept({0xae, 0x42, 0x00, kRestart});
  // The host lets the other CPU go before it answers this one.
  ASSERT_TRUE(ultravisor_.SetCpuState(*other_secure_, kOperating).ok());
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_TRUE(other_secure_->TakeRestart());
  EXPECT_FALSE(other_secure_->TakeRestart());

  Intercept({0xae, 0x42, 0x00, kRestart});  // it operates: the host presents an interruption
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_FALSE(other_secure_->TakeRestart());

  constexpr HostAnswer kBusy{{}, 2, ProgramCode::kNone};
  ASSERT_TRUE(ultravisor_.SetCpuState(*other_secure_, kStopped).ok());
  Intercept({0xae, 0x42, 0x00, kRestart});
  EXPECT_EQ(secure_->Enter(kBusy), Next::kRun);
  EXPECT_FALSE(other_secure_->TakeRestart());

  Intercept({0xae, 0x42, 0x00, kRestart});
  ASSERT_TRUE(ultravisor_.CpuInitialReset(*other_secure_).ok());
  EXPECT_FALSE(other_secure_->TakeRestart());
}

// Two CPUs that restart a third one, which is stopped.
class TwoRestarts : public SecureCpuTest {
 protected:
  static constexpr std::uint8_t kOperating = 1, kStopped = 2;
  static constexpr HostAnswer kBusy{{}, 2, ProgramCode::kNone};

  TwoRestarts() {
    third_secure_ = Make(third_);
    LETHE_CHECK(ultravisor_.SetCpuState(*third_secure_, kOperating).ok());
    StopOther();
  }
  ~TwoRestarts() override { ultravisor_.DestroyCpu(third_secure_); }

  void StopOther() { LETHE_CHECK(ultravisor_.SetCpuState(*other_secure_, kStopped).ok()); }
  void Restart(SecureCpu& sender) {
    sender.cpu().registers().general[2] = other_secure_->address();
    InterceptOn(sender, {0xae, 0x42, 0x00, 0x06});
  }

  Cpu third_{model_, 2, machine_.storage(), machine_.group(), machine_};
  std::unique_ptr<SecureCpu> third_secure_;
};

TEST_F(TwoRestarts, TheSecondRefusedLeavesTheFirst) {
  Restart(*secure_);
  Restart(*third_secure_);
  EXPECT_EQ(third_secure_->Enter(kBusy), Next::kRun);
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_TRUE(other_secure_->TakeRestart());
  EXPECT_FALSE(other_secure_->TakeRestart());
}

TEST_F(TwoRestarts, TheFirstRefusedLeavesTheSecond) {
  Restart(*secure_);
  Restart(*third_secure_);
  EXPECT_EQ(third_secure_->Enter({}), Next::kRun);
  EXPECT_EQ(secure_->Enter(kBusy), Next::kRun);
  EXPECT_TRUE(other_secure_->TakeRestart());
  EXPECT_FALSE(other_secure_->TakeRestart());
}

TEST_F(TwoRestarts, BothRefusedLeaveNone) {
  Restart(*secure_);
  Restart(*third_secure_);
  EXPECT_EQ(third_secure_->Enter(kBusy), Next::kRun);
  EXPECT_EQ(secure_->Enter(kBusy), Next::kRun);
  EXPECT_FALSE(other_secure_->TakeRestart());
}

TEST_F(TwoRestarts, OneRefusedLateLeavesTheNext) {
  Restart(*secure_);
  EXPECT_TRUE(other_secure_->TakeRestart());
  StopOther();
  Restart(*third_secure_);
  EXPECT_EQ(secure_->Enter(kBusy), Next::kRun);
  EXPECT_EQ(third_secure_->Enter({}), Next::kRun);
  EXPECT_TRUE(other_secure_->TakeRestart());
}

TEST_F(TwoRestarts, AProgramInterruptionIsARefusal) {
  Restart(*secure_);
  EXPECT_EQ(secure_->Enter({{}, 0, ProgramCode::kOperand}), Next::kRun);
  EXPECT_TRUE(Interrupted(ProgramCode::kOperand));
  EXPECT_FALSE(other_secure_->TakeRestart());
}

TEST_F(SecureCpuTest, SystemInformationComesThroughTheSida) {
  gr(0) = 0x1000'0001;
  gr(1) = 1;
  gr(9) = kData;
  Intercept({0xb2, 0x7d, 0x90, 0x00});
  ExpectText(Code::kInstruction, 0xb27d, 0);
  EXPECT_EQ(secure_->intercept().general[0], 0x1000'0001);
  secure_->sida()[4095] = 0x42;
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_EQ(*at(kData + 4095), 0x42);
}

// --- calls of the guest --------------------------------------------------------------------------

class UltravisorCall : public SecureCpuTest {
 protected:
  static constexpr std::uint64_t kShared = 0x70000;

  void Call(std::uint16_t command, std::uint16_t length, std::uint64_t address = 0) {
    Put(kData, length);
    Put(kData + 2, command);
    Put(kData + 0x20, address);
    gr(3) = kData;
    Execute({0xb9, 0xa4, 0x00, 0x03});
  }
  std::uint16_t rc() { return Get<std::uint16_t>(kData + 4); }
  PageKind kind() { return machine_.state(kShared / kPageSize).kind(); }
};

TEST_F(UltravisorCall, AProtectedGuestKnowsItselfByTheQuery) {
  Call(0x0001, 0x120);
  EXPECT_EQ(cc(), 0);
  EXPECT_EQ(rc(), 1);
  const auto calls = Get<std::uint64_t>(kData + 0x10);
  EXPECT_EQ(calls, std::uint64_t{1} << 63 | std::uint64_t{3} << (63 - 9));  // query, share, unshare
  Call(0x0001, 0xa8);
  EXPECT_EQ(rc(), 0x100);
}

TEST_F(UltravisorCall, SharedPagesAreTheHostsAsWell) {
  Call(0x1000, 0x30, kShared);
  EXPECT_EQ(cc(), 0);
  EXPECT_EQ(kind(), PageKind::kShared);
  *at(kShared + 8) = 0x11;
  EXPECT_EQ(machine_.client()[kShared + 8], 0x11);
  machine_.client()[kShared + 9] = 0x22;
  EXPECT_EQ(*at(kShared + 9), 0x22);
  EXPECT_EQ(kind(), PageKind::kShared);  // no export for that

  Call(0x1001, 0x30, kShared);
  EXPECT_EQ(cc(), 0);
  EXPECT_EQ(kind(), PageKind::kSecure);
  if (machine_.mapping().concealment() != Concealment::kNone) {
    EXPECT_NE(machine_.client()[kShared + 8], 0x11);
    EXPECT_EQ(kind(), PageKind::kNonSecure);
  }
}

TEST_F(UltravisorCall, ThePinOfTheHostIsLiftedBeforeAPageIsUnshared) {
  Call(0x1000, 0x30, kShared);
  ASSERT_TRUE(ultravisor_.PinShared(machine_.region(), kShared / kPageSize).ok());
  Call(0x1001, 0x30, kShared);
  ASSERT_EQ(secure_->Enter({}), Next::kIntercept);
  ExpectText(Code::kNotification, 0xb9a4, 0x00020000);
  EXPECT_EQ(LoadBigEndian<std::uint16_t>(secure_->sida().data() + 2), 0x1001);
  EXPECT_EQ(LoadBigEndian<std::uint64_t>(secure_->sida().data() + 0x20), kShared);
  ASSERT_TRUE(ultravisor_.UnpinShared(*configuration_, kShared).ok());
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
  EXPECT_EQ(cc(), 2);  // the guest tries again
  Call(0x1001, 0x30, kShared);
  EXPECT_EQ(cc(), 0);
  EXPECT_EQ(kind(), PageKind::kSecure);
}

TEST_F(UltravisorCall, TellsWhatIsWrong) {
  Call(0x1000, 0x28, kShared);
  EXPECT_EQ(cc(), 1);
  EXPECT_EQ(rc(), 0x005);
  Call(0x1000, 0x30, machine_.pages() * kPageSize);
  EXPECT_EQ(rc(), 0x101);
  for (const std::uint16_t command : {0x0000, 0x0100, 0x0202, 0x0300, 0x1020, 0xffff}) {
    Call(command, 0x30, kShared);
    EXPECT_EQ(cc(), 1) << command;
    EXPECT_EQ(rc(), 0x002) << command;
  }
  gr(3) = kData + 4;
  Execute({0xb9, 0xa4, 0x00, 0x03});
  EXPECT_TRUE(Interrupted(ProgramCode::kSpecification));
}

// --- resets --------------------------------------------------------------------------------------

class Reset : public UltravisorCall {};

TEST_F(Reset, TakesItsStepsInOrder) {
  Call(0x1000, 0x30, kShared);
  gr(4) = 1;
  Intercept({0x83, 0x24, 0x03, 0x08});
  EXPECT_FALSE(ultravisor_.PrepareReset(*configuration_).ok());  // CPUs run, pages are shared
  ASSERT_TRUE(ultravisor_.SetCpuState(*secure_, 2).ok());
  ASSERT_TRUE(ultravisor_.SetCpuState(*other_secure_, 2).ok());
  EXPECT_FALSE(ultravisor_.PrepareReset(*configuration_).ok());
  ASSERT_TRUE(ultravisor_.UnshareAll(*configuration_).ok());
  EXPECT_EQ(kind(), PageKind::kSecure);
  ASSERT_TRUE(ultravisor_.PrepareReset(*configuration_).ok());

  Put<std::uint64_t>(0, 0x0008'0001'8006'0000);
  ASSERT_TRUE(ultravisor_.SetCpuState(*secure_, 1).ok());
  EXPECT_EQ(secure_->Enter({}), Next::kValidity);  // not reset
  ASSERT_TRUE(ultravisor_.SetCpuState(*secure_, 2).ok());
  ASSERT_TRUE(ultravisor_.CpuInitialReset(*secure_).ok());
  ASSERT_TRUE(ultravisor_.CpuReset(*other_secure_).ok());
  ASSERT_TRUE(ultravisor_.SetCpuState(*secure_, 5).ok());
  EXPECT_EQ(cpu_.registers().psw, (Psw{0x0000'0001'8000'0000, 0x60000}));
  EXPECT_EQ(secure_->Enter({}), Next::kRun);
}

TEST_F(Reset, AStoppedCpuDoesNotRun) {
  ASSERT_TRUE(ultravisor_.SetCpuState(*secure_, 2).ok());
  EXPECT_EQ(secure_->Enter({}), Next::kValidity);
}

TEST_F(Reset, AFailedStartLeavesTheCpuAsItWas) {
  Ultravisor ultravisor(key_);
  TestMachine machine(ultravisor);
  Cpu cpu(model_, 0, machine.storage(), machine.group(), machine);
  cpu.registers().general[4] = 0x4444;
  cpu.registers().control[6] = 0x6666;
  cpu.SetPsw({kMask64, 0x11000});
  const auto configuration = machine.Create();
  auto created = ultravisor.CreateCpu(configuration, cpu);
  ASSERT_TRUE(created.result.ok());
  EXPECT_EQ(cpu.registers().general[4], 0);
  EXPECT_FALSE(ultravisor.SetCpuState(*created.cpu, 5).ok());  // not verified
  ASSERT_TRUE(ultravisor.DestroyCpu(created.cpu).ok());
  EXPECT_EQ(cpu.registers().general[4], 0x4444);
  EXPECT_EQ(cpu.registers().control[6], 0x6666);
  EXPECT_EQ(cpu.registers().psw, (Psw{kMask64, 0x11000}));
}

}  // namespace
}  // namespace lethe::emulated
