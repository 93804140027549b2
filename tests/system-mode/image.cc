#include "tests/system-mode/image.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "emulated-host/cpu/instruction_set.h"
#include "tests/system-mode/tables.h"

namespace lethe::system_mode {
namespace {

using differential::kInstruction;
using differential::kStubBytes;
using differential::kTaken;
using differential::kTarget;
using differential::Sample;

template <typename T>
std::vector<std::uint8_t> BytesOf(const T* first, std::size_t count) {
  const auto* const begin = reinterpret_cast<const std::uint8_t*>(first);
  return {begin, begin + count * sizeof(T)};
}

std::vector<std::uint8_t> Stubs(absl::Span<const Sample> samples) {
  constexpr std::uint8_t kSvc = 0x0a;
  std::vector<std::uint8_t> bytes(samples.size() * kStubBytes);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const differential::Stub& stub = samples[i].stub;
    std::uint8_t* const at = &bytes[i * kStubBytes];
    std::size_t length = emulated::LengthOfInstruction(stub.instruction[0]);
    std::memcpy(at + kInstruction, stub.instruction.data(), length);
    if (stub.repeat != 0) {
      const auto branch = differential::RepeatBranch(length);
      std::ranges::copy(branch, at + kInstruction + length);
      length += branch.size();
    }
    at[kInstruction + length] = kSvc;
    at[kInstruction + length + 1] = differential::Outcome::kFellThrough;
    at[kTaken] = kSvc;
    at[kTaken + 1] = differential::Outcome::kBranched;
    std::memcpy(at + kTarget, stub.target.data(), stub.target.size());
  }
  return bytes;
}

std::vector<std::uint8_t> FarTable() {
  std::vector<std::uint8_t> bytes(differential::kTableBytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = differential::FarTableByte(i);
  return bytes;
}

struct ElfHeader {
  std::array<std::uint8_t, 16> ident = {0x7f, 'E', 'L', 'F', 2, 2, 1};
  Be16 type = 2;      // ET_EXEC
  Be16 machine = 22;  // EM_S390
  Be32 version = 1;
  Be64 entry = kOracleAddress;
  Be64 program_headers = 64;
  Be64 section_headers = 0;
  Be32 flags = 0;
  Be16 header_size = 64;
  Be16 program_header_size = 56;
  Be16 program_header_count;
  std::array<std::uint8_t, 6> sections{};
};
static_assert(sizeof(ElfHeader) == 64);

struct ElfProgramHeader {
  Be32 type = 1;   // PT_LOAD
  Be32 flags = 7;  // read, write, execute
  Be64 offset;
  Be64 virtual_address;
  Be64 physical_address;
  Be64 file_size;
  Be64 memory_size;
  Be64 alignment = 1;
};
static_assert(sizeof(ElfProgramHeader) == 56);

void Put(std::ofstream& file, const void* bytes, std::size_t size) {
  file.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
}

absl::Status Finish(std::ofstream& file, const std::string& path) {
  file.close();
  return file ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

}  // namespace

Image::Image(const std::vector<std::uint8_t>& oracle, absl::Span<const Sample> samples,
             const std::vector<MachineCase>& cases, bool has_access_lists)
    : cases_(cases.size()) {
  Header header;
  header.cases = cases.size();
  header.has_access_lists = has_access_lists ? 1 : 0;
  pieces_.push_back({kOracleAddress, oracle});
  pieces_.push_back({kPristineTables, PristineTables()});
  pieces_.push_back({kPristineFrames, PristineFrames()});
  pieces_.push_back({kFarTable, FarTable()});
  pieces_.push_back({kStubs, Stubs(samples)});
  pieces_.push_back({kHeader, BytesOf(&header, 1)});
  pieces_.push_back({kCases, BytesOf(cases.data(), cases.size())});
}

absl::Status Image::WriteElf(const std::string& path) const {
  std::ofstream file(path, std::ios::binary);
  ElfHeader header;
  header.program_header_count = static_cast<std::uint16_t>(pieces_.size());
  Put(file, &header, sizeof(header));
  std::uint64_t offset = sizeof(ElfHeader) + pieces_.size() * sizeof(ElfProgramHeader);
  for (const Piece& piece : pieces_) {
    ElfProgramHeader program;
    program.offset = offset;
    program.virtual_address = program.physical_address = piece.address;
    program.file_size = program.memory_size = piece.bytes.size();
    Put(file, &program, sizeof(program));
    offset += piece.bytes.size();
  }
  for (const Piece& piece : pieces_) Put(file, piece.bytes.data(), piece.bytes.size());
  return Finish(file, path);
}

absl::Status Image::WriteIns(const std::string& directory) const {
  const std::string list_path = directory + "/oracle.ins";
  std::ofstream list(list_path);
  // The PSW of initial program load: 31-bit mode, disabled.
  const std::uint32_t psw[] = {
      SwapIfLittleEndian<std::uint32_t>(0x0008'0000),
      SwapIfLittleEndian<std::uint32_t>(0x8000'0000 + kOracleAddress + kEntryOfInitialLoad)};
  const auto write = [&](const std::string& name, std::uint64_t address, const void* bytes,
                         std::size_t size) {
    const std::string path = absl::StrCat(directory, "/", name);
    std::ofstream file(path, std::ios::binary);
    Put(file, bytes, size);
    list << absl::StrFormat("%s 0x%08x\n", name, address);
    return Finish(file, path);
  };
  LETHE_RETURN_IF_ERROR(write("psw", 0, psw, sizeof(psw)));
  for (const Piece& piece : pieces_) {
    LETHE_RETURN_IF_ERROR(write(absl::StrFormat("at-%x", piece.address), piece.address,
                                piece.bytes.data(), piece.bytes.size()));
  }
  return Finish(list, list_path);
}

}  // namespace lethe::system_mode
