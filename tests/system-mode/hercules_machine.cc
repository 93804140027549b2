#include <filesystem>
#include <fstream>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "tests/system-mode/child_process.h"
#include "tests/system-mode/machine.h"

namespace lethe::system_mode {
namespace {

constexpr int kSeconds = 120;

// Hercules: told what to do by a file of commands. Its automatic operator saves the results when
// the program has come to its disabled wait, and ends it.
class HerculesMachine : public Machine {
 public:
  HerculesMachine(std::string program, std::string directory)
      : program_(std::move(program)), directory_(std::move(directory)) {}
  std::string name() const override { return "hercules"; }
  bool has_access_lists() const override { return true; }

  absl::StatusOr<std::vector<MachineResult>> Run(const Image& image) override {
    LETHE_RETURN_IF_ERROR(image.WriteIns(directory_));
    const std::string saved = directory_ + "/saved";
    const std::uint64_t end = kResults + image.cases() * sizeof(MachineResult);
    std::filesystem::remove(saved);  // Hercules would refuse
    LETHE_RETURN_IF_ERROR(WriteConfiguration());
    LETHE_RETURN_IF_ERROR(WriteCommands(saved, end));
    const absl::Status ended = RunChild({program_, "-d", "-f", directory_ + "/configuration"},
                                        {"HERCULES_RC=" + directory_ + "/commands"},
                                        directory_ + "/hercules.log", kSeconds);
    if (absl::IsNotFound(ended)) return ended;
    std::vector<MachineResult> results(image.cases());
    std::ifstream file(saved, std::ios::binary);
    file.read(reinterpret_cast<char*>(results.data()),
              static_cast<std::streamsize>(results.size() * sizeof(MachineResult)));
    if (!file) {
      return absl::InternalError(absl::StrFormat(
          "Hercules saved no results; see %s/hercules.log. %s", directory_, ended.message()));
    }
    return results;
  }

 private:
  absl::Status WriteConfiguration() const {
    std::ofstream file(directory_ + "/configuration");
    file << "OSTAILOR QUIET\nARCHMODE z/Arch\nCPUMODEL 2097\nCPUSERIAL 012345\nMAINSIZE "
         << (kStorageBytes >> 20)
         << "\nXPNDSIZE 0\nNUMCPU 1\nLPARNAME X\nLPARNUM 01\nDIAG8CMD DISABLE\n000E 1403 "
         << directory_ << "/printer\n";
    file.close();
    return file ? absl::OkStatus() : absl::UnavailableError("cannot write into " + directory_);
  }
  absl::Status WriteCommands(const std::string& saved, std::uint64_t end) const {
    std::ofstream file(directory_ + "/commands");
    const std::string save = absl::StrFormat("savecore %s %x %x", saved, kResults, end - 1);
    // The CPU stops a moment after its message; until then saving is refused.
    file << "hao tgt HHCCP011I.*\nhao cmd " << save << "\nhao tgt HHCPN102E.*\nhao cmd " << save
         << "\nhao tgt HHCPN170I.*\nhao cmd quit\nipl " << directory_ << "/oracle.ins\n";
    file.close();
    return file ? absl::OkStatus() : absl::UnavailableError("cannot write into " + directory_);
  }

  const std::string program_;
  const std::string directory_;
};

}  // namespace

std::unique_ptr<Machine> MakeHercules(std::string program, std::string directory) {
  return std::make_unique<HerculesMachine>(std::move(program), std::move(directory));
}

}  // namespace lethe::system_mode
