#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <vector>

#include "absl/strings/str_format.h"
#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/cpu_group.h"
#include "tests/differential/subject.h"
#include "tests/system-mode/machine.h"

namespace lethe::system_mode {
namespace {

using emulated::Psw;

// Reserved, not filled: most of it is never touched.
class Storage {
 public:
  Storage()
      : bytes_(mmap(nullptr, kStorageBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
        keys_(kStorageBytes / kPageBytes),
        states_(kStorageBytes / kPageBytes),
        code_(kStorageBytes / kPageBytes) {}
  ~Storage() {
    if (valid()) munmap(bytes_, kStorageBytes);
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  bool valid() const { return bytes_ != MAP_FAILED; }
  std::uint8_t* bytes() { return static_cast<std::uint8_t*>(bytes_); }
  emulated::GuestStorage::Slot Slot() {
    return {.absolute = 0,
            .size = kStorageBytes,
            .bytes = bytes(),
            .keys = keys_.data(),
            .states = states_.data(),
            .code = code_.data()};
  }

 private:
  void* bytes_;
  std::vector<std::atomic<std::uint8_t>> keys_;
  std::vector<std::atomic<std::uint32_t>> states_;
  std::vector<std::atomic<std::uint8_t>> code_;
};

class Host : public emulated::CpuHost {
 public:
  Verdict ResolveSecureFault(emulated::Cpu&, std::uint64_t, emulated::SecureFault) override {
    return Verdict::kLeave;
  }
  Verdict OnAttention(emulated::Cpu& cpu) override {
    cpu.PresentTimers();
    return Verdict::kContinue;
  }
};

class OwnMachine : public Machine {
 public:
  std::string name() const override { return "emulated-host"; }
  bool has_access_lists() const override { return true; }

  absl::StatusOr<std::vector<MachineResult>> Run(const Image& image) override {
    Storage storage;
    if (!storage.valid()) return absl::ErrnoToStatus(errno, "storage of the emulated machine");
    for (const Image::Piece& piece : image.pieces()) {
      std::memcpy(storage.bytes() + piece.address, piece.bytes.data(), piece.bytes.size());
    }
    emulated::GuestStorage guest_storage;
    guest_storage.Replace({storage.Slot()});
    const emulated::CpuModel model = differential::EverythingOffered();
    emulated::CpuGroup group;
    Host host;
    emulated::Cpu cpu(model, 0, guest_storage, group, host);
    cpu.ClearReset();
    cpu.SetPsw({Psw::kExtendedAddressing | Psw::kBasicAddressing, kOracleAddress});
    const emulated::Exit exit = cpu.Run();
    std::vector<MachineResult> results(image.cases());
    std::memcpy(results.data(), storage.bytes() + kResults, results.size() * sizeof(MachineResult));
    const auto done =
        LoadBigEndian<std::uint64_t>(storage.bytes() + kHeader + offsetof(Header, done));
    if (exit.reason != emulated::Exit::Reason::kWait || done != image.cases()) {
      return absl::InternalError(absl::StrFormat(
          "the emulated machine left its program in case %d: exit %d, instruction %04x %08x", done,
          static_cast<int>(exit.reason), exit.ipa, exit.ipb));
    }
    return results;
  }
};

}  // namespace

std::unique_ptr<Machine> MakeOwnMachine() { return std::make_unique<OwnMachine>(); }

}  // namespace lethe::system_mode
