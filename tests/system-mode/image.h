#ifndef LETHE_TESTS_SYSTEM_MODE_IMAGE_H_
#define LETHE_TESTS_SYSTEM_MODE_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tests/differential/generator.h"
#include "tests/system-mode/record.h"

namespace lethe::system_mode {

// What lies in storage when the oracle is entered; everything else is zero.
class Image {
 public:
  struct Piece {
    std::uint64_t address;
    std::vector<std::uint8_t> bytes;
  };

  // `oracle`: the oracle program's bytes.
  Image(const std::vector<std::uint8_t>& oracle, absl::Span<const differential::Sample> samples,
        const std::vector<MachineCase>& cases, bool has_access_lists);

  const std::vector<Piece>& pieces() const { return pieces_; }
  std::uint64_t cases() const { return cases_; }

  // An ELF program, entered in the 64-bit mode.
  absl::Status WriteElf(const std::string& path) const;
  // A list for initial program load, `directory`/oracle.ins, and the files in it.
  absl::Status WriteIns(const std::string& directory) const;

 private:
  std::vector<Piece> pieces_;
  std::uint64_t cases_;
};

}  // namespace lethe::system_mode

#endif  // LETHE_TESTS_SYSTEM_MODE_IMAGE_H_
