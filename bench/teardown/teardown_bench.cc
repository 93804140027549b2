#include "bench/teardown/teardown_bench.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "bench/teardown/child_process.h"
#include "bench/teardown/guest_image.h"
#include "bench/teardown/guest_run.h"
#include "bench/teardown/memory_reading.h"
#include "image/host_key.h"
#include "image/sealer.h"

namespace lethe::bench {
namespace {

class TemporaryDirectory {
 public:
  static absl::StatusOr<TemporaryDirectory> Make() {
    std::error_code error;
    std::string path =
        (std::filesystem::temp_directory_path(error) / "lethe-bench-XXXXXX").string();
    if (error || mkdtemp(path.data()) == nullptr)
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot make the directory '", path, "'"));
    return TemporaryDirectory(path);
  }
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string File(absl::string_view name) const { return absl::StrCat(path_, "/", name); }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

std::string Mebibytes(std::uint64_t bytes) { return absl::StrCat(bytes >> 20, "M"); }

std::string Gibibytes(std::uint64_t bytes) {
  return absl::StrFormat("%.3g GiB", static_cast<double>(bytes) / (1 << 30));
}

// What a program prints when asked for help; empty: it cannot be run.
std::string HelpOf(const std::string& program, const Interruption& interruption) {
  const auto child = ChildProcess::Start({program, "--help"}, interruption);
  if (!child.ok()) return "";
  std::string text;
  // No line contains a line's end: this reads all.
  const auto end = (*child)->ReadUntil(
      "\n", [&text](const ConsoleLine& line) { absl::StrAppend(&text, line.text, "\n"); });
  return (*child)->WaitForEnd().ok() ? text : "";
}

bool HugePagesOnRequest() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string text;
  std::getline(file, text);
  return absl::StrContains(text, "[always]") || absl::StrContains(text, "[madvise]");
}

class Bench {
 public:
  Bench(const TeardownPlan& plan, const OnProgress& on_progress, Interruption interruption,
        TemporaryDirectory directory)
      : plan_(plan),
        on_progress_(on_progress),
        interruption_(std::move(interruption)),
        directory_(std::move(directory)) {}

  absl::StatusOr<Results> Run() {
    LETHE_RETURN_IF_ERROR(MakeImages());
    AskQemu();
    for (const std::uint64_t size : plan_.sizes) AddRows(size);
    for (int round = 0; round < plan_.rounds; ++round)
      for (const std::uint64_t size : plan_.sizes) LETHE_RETURN_IF_ERROR(Measure(size));
    return std::move(results_);
  }

 private:
  absl::Status MakeImages() {
    SealRequest request;
    request.kernel = GuestKernel();
    LETHE_RETURN_IF_ERROR(WriteFile(kernel_, request.kernel));
    if (plan_.host_key_document.empty()) {
      LETHE_ASSIGN_OR_RETURN(const HostKey key, OpenOrCreateHostKey(key_));
      request.host_keys.push_back(key.key());
    } else {
      LETHE_ASSIGN_OR_RETURN(EllipticKey key, ReadHostKeyDocument(plan_.host_key_document));
      request.host_keys.push_back(std::move(key));
    }
    LETHE_ASSIGN_OR_RETURN(const Bytes image, Seal(request));
    return WriteFile(image_, image);
  }

  void AskQemu() {
    if (plan_.qemu.empty()) return;
    const std::string help = HelpOf(plan_.qemu, interruption_);
    if (help.empty()) {
      Note(absl::StrCat("QEMU is left out: '", plan_.qemu, "' cannot be run"));
      return;
    }
    qemu_ = true;
    if (HugePagesOnRequest())
      Note(
          "QEMU's memory is in huge pages on this host, which it asks for and which are freed at "
          "once; plain munmap and Lethe on the emulated host have memory files in small pages");
    if (absl::StrContains(help, "-run-with") && absl::StrContains(help, "async-teardown="))
      async_teardown_ = {"-run-with", "async-teardown=on"};
    else if (absl::StrContains(help, "-async-teardown"))
      async_teardown_ = {"-async-teardown"};
    else
      Note("QEMU with asynchronous teardown is left out: this QEMU does not have it");
  }

  void AddRows(std::uint64_t size) {
    results_.plain.push_back({size, {}});
    for (const std::chrono::nanoseconds cost : plan_.costs)
      for (const std::string& mode : plan_.modes)
        results_.rows.push_back({{"lethe", mode, size, cost}, {}});
    if (!qemu_) return;
    results_.rows.push_back({{"qemu", "exit", size, {}}, {}});
    if (!async_teardown_.empty())
      results_.rows.push_back({{"qemu", "async-teardown", size, {}}, {}});
  }

  absl::Status Measure(std::uint64_t size) {
    Tell(absl::StrCat(Gibibytes(size), ", plain release"), size, 0);
    if (!HasRoom(size)) return absl::OkStatus();
    for (PlainRelease& plain : results_.plain) {
      if (plain.size != size) continue;
      LETHE_ASSIGN_OR_RETURN(const double seconds, RunPlainRelease(size, interruption_));
      plain.seconds.push_back(seconds);
    }
    done_ += size;
    for (Row& row : results_.rows) {
      if (row.subject.size != size) continue;
      const std::string what = NameOf(row.subject);
      const GuestCommand command = CommandFor(row.subject);
      Tell(what, size, 0);
      if (HasRoom(size)) {
        absl::StatusOr<Round> round = RunGuest(command, size, interruption_,
                                               [&](double touched) { Tell(what, size, touched); });
        if (!round.ok()) return Annotate(round.status(), what);
        row.rounds.push_back(*std::move(round));
      }
      done_ += size;
    }
    return absl::OkStatus();
  }

  bool HasRoom(std::uint64_t size) {
    const std::uint64_t available = ReadMemory().available;
    if (available >= MemoryNeeded(size)) return true;
    Note(absl::StrFormat("%s is left out: it needs %s of memory to be safe, %s are available",
                         Gibibytes(size), Gibibytes(MemoryNeeded(size)), Gibibytes(available)));
    return false;
  }

  GuestCommand CommandFor(const Subject& subject) const {
    return subject.vmm == "qemu" ? QemuCommand(subject) : LetheCommand(subject);
  }

  GuestCommand LetheCommand(const Subject& subject) const {
    GuestCommand command;
    command.reboots = true;
    command.events = directory_.File("events");
    command.arguments = {plan_.lethe,   "run",
                         "--image",     image_,
                         "--memory",    Mebibytes(subject.size),
                         "--destroy",   subject.mode,
                         "--events",    command.events,
                         "--admission", "off",
                         "--ledger",    directory_.File("ledger"),
                         "--log",       "warning"};
    if (plan_.host_key_document.empty()) {
      for (const std::string& argument :
           {std::string("--accel"), std::string("emulated"), std::string("--host-key"), key_,
            std::string("--uvc-cost"), absl::StrCat(subject.uvc_cost.count(), "ns")})
        command.arguments.push_back(argument);
    }
    return command;
  }

  GuestCommand QemuCommand(const Subject& subject) const {
    GuestCommand command;
    command.arguments = {plan_.qemu,   "-accel",
                         "tcg",        "-nodefaults",
                         "-nographic", "-no-reboot",
                         "-chardev",   "stdio,id=console,signal=off",
                         "-device",    "sclpconsole,chardev=console",
                         "-m",         Mebibytes(subject.size),
                         "-kernel",    kernel_};
    if (subject.mode == "async-teardown")
      command.arguments.insert(command.arguments.end(), async_teardown_.begin(),
                               async_teardown_.end());
    return command;
  }

  std::string NameOf(const Subject& subject) const {
    if (subject.vmm == "qemu")
      return absl::StrCat(Gibibytes(subject.size), ", QEMU, ", subject.mode);
    return absl::StrCat(Gibibytes(subject.size), ", ", subject.mode, ", ", subject.uvc_cost.count(),
                        " ns a call");
  }

  void Note(const std::string& note) {
    for (const std::string& other : results_.notes)
      if (absl::StartsWith(other, note.substr(0, note.find(':')))) return;
    results_.notes.push_back(note);
  }

  void Tell(absl::string_view what, std::uint64_t size, double touched) const {
    if (!on_progress_) return;
    std::uint64_t whole = 0;
    for (const PlainRelease& plain : results_.plain) whole += plain.size;
    for (const Row& row : results_.rows) whole += row.subject.size;
    whole *= static_cast<std::uint64_t>(plan_.rounds);
    const double done = static_cast<double>(done_) + touched * 0.5 * static_cast<double>(size);
    on_progress_(whole == 0 ? 1 : done / static_cast<double>(whole), what);
  }

  const TeardownPlan& plan_;
  const OnProgress& on_progress_;
  const Interruption interruption_;
  const TemporaryDirectory directory_;
  const std::string kernel_ = directory_.File("guest.img");
  const std::string image_ = directory_.File("guest.pv");
  const std::string key_ = directory_.File("host.key");
  bool qemu_ = false;
  std::vector<std::string> async_teardown_;
  std::uint64_t done_ = 0;  // bytes of guests measured, as a measure of progress
  Results results_;
};

}  // namespace

std::uint64_t MemoryNeeded(std::uint64_t guest_size) { return guest_size + guest_size / 8; }

absl::StatusOr<Results> MeasureTeardown(const TeardownPlan& plan, const OnProgress& on_progress) {
  LETHE_ASSIGN_OR_RETURN(Interruption interruption, Interruption::Claim());
  LETHE_RETURN_IF_ERROR(AdoptOrphans());
  LETHE_ASSIGN_OR_RETURN(TemporaryDirectory directory, TemporaryDirectory::Make());
  return Bench(plan, on_progress, std::move(interruption), std::move(directory)).Run();
}

}  // namespace lethe::bench
