#include "emulated-host/cpu/cpu.h"

#include <gtest/gtest.h>

#include "emulated-host/cpu/test_machine.h"

namespace lethe::emulated {
namespace {

TEST(CpuTest, RunsALoop) {
  TestMachine machine;
  machine.Set<std::uint64_t>(0x900, TestMachine::kDisabledWait);
  machine.Set<std::uint64_t>(0x908, 0x1234);
  machine.Program(0x2000, {
                              "a719 000a  lghi %r1,10",
                              "a729 0000  lghi %r2,0",
                              "b908 0021  agr %r2,%r1",
                              "a717 fffe  brctg %r1,-4",
                              "e320 0800 0024  stg %r2,2048",
                              "b2b2 0900  lpswe 2304",
                          });
  const Exit exit = machine.RunFrom(0x2000);
  EXPECT_EQ(exit.reason, Exit::Reason::kWait);
  EXPECT_EQ(machine.cpu().registers().psw, (Psw{TestMachine::kDisabledWait, 0x1234}));
  EXPECT_EQ(machine.Get<std::uint64_t>(0x800), 55);
}

}  // namespace
}  // namespace lethe::emulated
