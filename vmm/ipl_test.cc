#include "vmm/ipl.h"

#include <gtest/gtest.h>

#include "base/status_matchers.h"
#include "vmm/boot_fixture.h"

namespace lethe::vmm {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t kSize = 32 << 20;

class IplTest : public ::testing::Test {
 protected:
  absl::StatusOr<Psw> Boot() { return LoadBootFiles(boot, memory); }

  BootFiles files;
  BootConfig boot;
  GuestMemory memory = *GuestMemory::Create(kSize, MemoryBacking::kPrivate);
};

TEST_F(IplTest, StartsALinuxImageAtItsEntryWithInitrdAndCommandLine) {
  boot.kernel = files.Write("kernel", BootFiles::LinuxImage());
  boot.initrd = files.Write("initrd", Bytes(5000, 0x5a));
  boot.command_line = "console=ttyS0";
  const auto psw = Boot();
  ASSERT_THAT(psw, IsOk());
  EXPECT_EQ(*psw, (Psw{0x180000000, 0x10000}));
  const std::uint64_t start = *memory.Read<Be64>(GuestAddress(0x10408));
  EXPECT_EQ(start % 4096, 0u);
  EXPECT_GE(start, 0x11000u);
  EXPECT_EQ(memory.Read<Be64>(GuestAddress(0x10410))->value(), 5000u);
  EXPECT_EQ(*memory.Read<std::uint8_t>(GuestAddress(start + 4999)), 0x5a);
  std::array<char, 14> line = *memory.Read<std::array<char, 14>>(GuestAddress(0x10480));
  EXPECT_STREQ(line.data(), "console=ttyS0");
}

TEST_F(IplTest, PutsTheInitrdBehindALargeKernel) {
  Bytes image = BootFiles::LinuxImage();
  image.resize(12 << 20);
  boot.kernel = files.Write("kernel", image);
  boot.initrd = files.Write("initrd", Bytes(1));
  ASSERT_THAT(Boot(), IsOk());
  EXPECT_GE(memory.Read<Be64>(GuestAddress(0x10408))->value(), 13u << 20);
}

TEST_F(IplTest, HoldsTheCommandLineToTheKernelsLimit) {
  boot.kernel = files.Write("old", BootFiles::LinuxImage());
  boot.command_line = std::string(895, 'x');
  EXPECT_THAT(Boot(), IsOk());
  boot.command_line += 'x';
  EXPECT_THAT(Boot(), FailsWith(AllOf(HasSubstr("896 bytes"), HasSubstr("at most 895"))));
  boot.kernel = files.Write("new", BootFiles::LinuxImage(4096));
  EXPECT_THAT(Boot(), IsOk());
}

TEST_F(IplTest, LoadsAnElfProgramAndClearsItsRest) {
  ASSERT_TRUE(memory.Write(GuestAddress(0x20000 + 100), std::uint8_t{0xff}));
  boot.kernel = files.Write("program", BootFiles::ElfProgram(0x20000, 100, 9000));
  const auto psw = Boot();
  ASSERT_THAT(psw, IsOk());
  EXPECT_EQ(*psw, (Psw{0x180000000, 0x20000}));
  EXPECT_EQ(*memory.Read<std::uint8_t>(GuestAddress(0x20000 + 99)), 0xa5);
  EXPECT_EQ(*memory.Read<std::uint8_t>(GuestAddress(0x20000 + 100)), 0);
}

TEST_F(IplTest, StartsAProtectedImageAtItsShortPsw) {
  Bytes image(0x12000);
  StoreBigEndian<std::uint64_t>(image.data(), 0x0008000180011000);
  boot.protected_image = files.Write("image", image);
  const auto psw = Boot();
  ASSERT_THAT(psw, IsOk());
  EXPECT_EQ(*psw, (Psw{0x0000000180000000, 0x11000}));
  EXPECT_EQ(memory.Read<Be64>(GuestAddress(0))->value(), 0x0008000180011000u);
}

TEST_F(IplTest, NamesTheFileThatCannotBeRead) {
  boot.kernel = files.Missing();
  EXPECT_THAT(Boot(), FailsWith(HasSubstr(files.Missing())));
  boot.kernel = "/dev/null";
  EXPECT_THAT(Boot(), FailsWith(HasSubstr("/dev/null: not a regular file")));
  boot.kernel = files.Write("empty", {});
  EXPECT_THAT(Boot(), FailsWith(HasSubstr("empty file")));
}

TEST_F(IplTest, RefusesWhatIsNoImage) {
  boot.kernel = files.Write("text", Bytes(0x20000, 'x'));
  EXPECT_THAT(Boot(), FailsWith(HasSubstr("neither a Linux kernel for s390x nor")));
  boot.kernel.clear();
  boot.protected_image = files.Write("image", Bytes(0x20000, 0));
  EXPECT_THAT(Boot(), FailsWith(HasSubstr("not a Secure Execution image")));
}

TEST_F(IplTest, RefusesWhatDoesNotFit) {
  Bytes image = BootFiles::LinuxImage();
  image.resize(kSize + 1);
  boot.kernel = files.Write("kernel", image);
  EXPECT_THAT(Boot(), FailsWith(HasSubstr("does not fit into the guest's memory of 32 MiB")));
  boot.kernel = files.Write("small", BootFiles::LinuxImage());
  boot.initrd = files.Write("initrd", Bytes(kSize - (4 << 20)));
  EXPECT_THAT(Boot(), FailsWith(HasSubstr("initrd: does not fit")));
}

TEST_F(IplTest, RefusesDamagedElfFiles) {
  const Bytes good = BootFiles::ElfProgram(0x20000, 100, 100);
  const auto boot_changed = [&](const char* name, auto change) {
    Bytes elf = good;
    change(elf);
    boot.kernel = files.Write(name, elf);
    return Boot();
  };
  EXPECT_THAT(boot_changed("cut", [](Bytes& elf) { elf.resize(70); }),
              FailsWith(HasSubstr("truncated")));
  EXPECT_THAT(boot_changed("body", [](Bytes& elf) { elf.resize(elf.size() - 1); }),
              FailsWith(HasSubstr("truncated")));
  EXPECT_THAT(boot_changed("x86", [](Bytes& elf) { elf[18] = 62; }),
              FailsWith(HasSubstr("another machine")));
  EXPECT_THAT(boot_changed("elf32", [](Bytes& elf) { elf[4] = 1; }),
              FailsWith(HasSubstr("not a 64-bit")));
  EXPECT_THAT(boot_changed("object", [](Bytes& elf) { elf[17] = 1; }),
              FailsWith(HasSubstr("not executable")));
  EXPECT_THAT(boot_changed("far", [](Bytes& elf) { elf[64 + 24] = 0xff; }),
              FailsWith(HasSubstr("does not fit")));
  EXPECT_THAT(boot_changed("sizes", [](Bytes& elf) { elf[64 + 47] = 1; }),
              FailsWith(HasSubstr("larger in the file")));
  EXPECT_THAT(boot_changed("entry", [](Bytes& elf) { elf[31] = 1; }),
              FailsWith(HasSubstr("bad entry point")));
  EXPECT_THAT(boot_changed("headers", [](Bytes& elf) { elf[32] = 0xff; }),
              FailsWith(HasSubstr("truncated")));
}

}  // namespace
}  // namespace lethe::vmm
