#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "tests/system-mode/child_process.h"
#include "tests/system-mode/machine.h"

namespace lethe::system_mode {
namespace {

constexpr int kSeconds = 120;

// qemu-system-s390x, translating. The guest's storage is a file; its end is a disabled wait, which
// QEMU takes for a crash and ends.
class QemuMachine : public Machine {
 public:
  QemuMachine(std::string program, std::string directory)
      : program_(std::move(program)), directory_(std::move(directory)) {}
  std::string name() const override { return "qemu-system"; }
  bool has_access_lists() const override { return false; }
  bool has_storage_keys() const override { return false; }  // it stores them and checks none

  absl::StatusOr<std::vector<MachineResult>> Run(const Image& image) override {
    const std::string elf = directory_ + "/oracle.elf";
    const std::string storage = directory_ + "/storage";
    LETHE_RETURN_IF_ERROR(image.WriteElf(elf));
    std::filesystem::remove(storage);  // what an earlier run left in it
    const absl::Status ended =
        RunChild({program_, "-accel", "tcg,thread=single", "-cpu", "max", "-machine",
                  "s390-ccw-virtio,memory-backend=storage", "-m", absl::StrCat(kStorageBytes >> 20),
                  "-object",
                  absl::StrFormat("memory-backend-file,id=storage,size=%d,share=on,mem-path=%s",
                                  kStorageBytes, storage),
                  "-nodefaults", "-display", "none", "-no-reboot", "-kernel", elf},
                 {}, directory_ + "/qemu.log", kSeconds);
    if (absl::IsNotFound(ended)) return ended;
    std::ifstream file(storage, std::ios::binary);
    const auto read = [&](std::uint64_t at, void* to, std::size_t size) {
      file.seekg(static_cast<std::streamoff>(at));
      file.read(static_cast<char*>(to), static_cast<std::streamsize>(size));
      return static_cast<bool>(file);
    };
    Be64 done;
    std::vector<MachineResult> results(image.cases());
    if (!read(kHeader + offsetof(Header, done), &done, sizeof(done)) ||
        !read(kResults, results.data(), results.size() * sizeof(MachineResult))) {
      return absl::InternalError("QEMU left no storage behind; see its log: " + directory_);
    }
    if (done != image.cases()) {
      return absl::InternalError(absl::StrFormat("QEMU came to case %d of %d. %s", done.value(),
                                                 image.cases(), ended.message()));
    }
    return results;
  }

 private:
  const std::string program_;
  const std::string directory_;
};

}  // namespace

std::unique_ptr<Machine> MakeQemu(std::string program, std::string directory) {
  return std::make_unique<QemuMachine>(std::move(program), std::move(directory));
}

}  // namespace lethe::system_mode
