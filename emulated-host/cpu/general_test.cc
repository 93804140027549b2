#include <algorithm>
#include <cstdint>
#include <vector>

#include "emulated-host/cpu/chapters.h"
#include "gtest/gtest.h"

namespace lethe::emulated {
namespace {

TEST(GeneralInstructionsTest, NoOpcodeIsTwiceInTheTable) {
  std::vector<std::uint16_t> opcodes;
  for (const Instruction& row : GeneralInstructions()) opcodes.push_back(row.opcode);
  std::sort(opcodes.begin(), opcodes.end());
  EXPECT_EQ(std::adjacent_find(opcodes.begin(), opcodes.end()), opcodes.end());
}

}  // namespace
}  // namespace lethe::emulated
