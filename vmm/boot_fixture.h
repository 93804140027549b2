#ifndef LETHE_VMM_BOOT_FIXTURE_H_
#define LETHE_VMM_BOOT_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/big_endian.h"
#include "base/file.h"

namespace lethe::vmm {

// Files to boot from, made for a test in a directory of its own.
class BootFiles {
 public:
  BootFiles() {
    std::string pattern = ::testing::TempDir() + "/lethe-boot-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~BootFiles() {
    for (const std::string& path : paths_) remove(path.c_str());
    remove(directory_.c_str());
  }

  std::string Write(const std::string& name, const Bytes& content) {
    const std::string path = directory_ + "/" + name;
    EXPECT_TRUE(WriteFile(path, content).ok());
    paths_.push_back(path);
    return path;
  }
  std::string Missing() const { return directory_ + "/missing"; }

  // The smallest file that passes for a Linux kernel.
  static Bytes LinuxImage(std::uint64_t command_line_size = 0) {
    Bytes image(0x11000);
    std::memcpy(image.data() + 0x10008, "S390EP", 6);
    StoreBigEndian<std::uint64_t>(image.data() + 0x10430, command_line_size);
    return image;
  }

  // An ELF64 program with one segment of `file_size` bytes 0xa5, and `memory_size` in memory.
  static Bytes ElfProgram(std::uint64_t address, std::uint64_t file_size,
                          std::uint64_t memory_size) {
    Bytes elf(64 + 56 + file_size, 0xa5);
    std::fill_n(elf.begin(), 64 + 56, 0);
    std::uint8_t* header = elf.data();
    std::memcpy(header,
                "\x7f"
                "ELF\x02\x02\x01",
                7);
    StoreBigEndian<std::uint16_t>(header + 16, 2);   // executable
    StoreBigEndian<std::uint16_t>(header + 18, 22);  // s390
    StoreBigEndian<std::uint64_t>(header + 24, address);
    StoreBigEndian<std::uint64_t>(header + 32, 64);
    StoreBigEndian<std::uint16_t>(header + 54, 56);
    StoreBigEndian<std::uint16_t>(header + 56, 1);
    std::uint8_t* segment = header + 64;
    StoreBigEndian<std::uint32_t>(segment, 1);
    StoreBigEndian<std::uint64_t>(segment + 8, 64 + 56);
    StoreBigEndian<std::uint64_t>(segment + 24, address);
    StoreBigEndian<std::uint64_t>(segment + 32, file_size);
    StoreBigEndian<std::uint64_t>(segment + 40, memory_size);
    return elf;
  }

 private:
  std::string directory_;
  std::vector<std::string> paths_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_BOOT_FIXTURE_H_
