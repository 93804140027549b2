#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "cli/client_program.h"
#include "cli/commands.h"

namespace lethe {
namespace {

constexpr char kEmulator[] = "qemu-s390x-static";
constexpr char kLibrary[] = "liblethe-kvm.so";

// For each kind of program: where the library is, seen from this program. As built, as installed.
constexpr const char* kNativePlaces[] = {"../preload", "../lib/x86_64-linux-gnu",
                                         "../lib/s390x-linux-gnu", "../lib64", "../lib"};
constexpr const char* kForeignPlaces[] = {"../preload/s390x-linux-gnu", "../lib/s390x-linux-gnu"};

template <std::size_t count>
absl::StatusOr<std::string> FindLibrary(const char* const (&places)[count]) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* const place : places) {
    const fs::path candidate = (here / place / kLibrary).lexically_normal();
    if (fs::exists(candidate, error)) return candidate.string();
  }
  return absl::NotFoundError(absl::StrCat(kLibrary, " is missing: not in ",
                                          (here / places[0]).lexically_normal().string(),
                                          " nor where Lethe is installed; name it with --library"));
}

absl::StatusOr<std::string> Library(const EmulateOptions& options, const ClientProgram& program) {
  std::string library = options.library;
  if (library.empty()) {
    LETHE_ASSIGN_OR_RETURN(
        library, program.foreign ? FindLibrary(kForeignPlaces) : FindLibrary(kNativePlaces));
  }
  std::error_code error;
  library = std::filesystem::absolute(library, error).string();
  if (::access(library.c_str(), R_OK) != 0) return absl::ErrnoToStatus(errno, library);
  // Both the dynamic linker and the emulator take lists.
  if (library.find_first_of(" :,") == std::string::npos) return library;
  return absl::InvalidArgumentError(
      absl::StrCat(library, ": a path without spaces, colons and commas is needed"));
}

void SetVariable(const char* name, const std::string& value) {
  ::setenv(name, value.c_str(), /*overwrite=*/1);
}

// See preload/settings.h.
void DescribeHost(const EmulateOptions& options) {
  const HostOptions& host = options.host;
  if (!host.host_key.empty()) {
    std::error_code error;
    SetVariable("LETHE_EMULATE_HOST_KEY", std::filesystem::absolute(host.host_key, error).string());
  }
  SetVariable("LETHE_EMULATE_UVC_COST", absl::StrCat(host.uvc_cost.count()));
  SetVariable("LETHE_EMULATE_EXPORT_COST", absl::StrCat(host.export_cost.count()));
  SetVariable("LETHE_EMULATE_DESTROY_FAST", host.destroy_fast ? "1" : "0");
  SetVariable("LETHE_EMULATE_ASYNC_DESTROY", host.asynchronous_destroy ? "1" : "0");
  SetVariable("LETHE_EMULATE_LOG", options.log);
}

void PreloadNatively(const std::string& library) {
  const char* const others = std::getenv("LD_PRELOAD");
  SetVariable("LD_PRELOAD",
              others == nullptr || *others == '\0' ? library : absl::StrCat(library, ":", others));
}

// The emulator's command line: it sets the variable for the program alone.
absl::StatusOr<std::vector<std::string>> ForeignCommand(const EmulateOptions& options,
                                                        const std::string& path,
                                                        const std::string& library) {
  if (options.sysroot.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is an s390x program: --sysroot must say where its libraries are"));
  }
  std::error_code error;
  if (!std::filesystem::is_directory(options.sysroot, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--sysroot ", options.sysroot, ": not a directory"));
  }
  return std::vector<std::string>{
      kEmulator, "-L", options.sysroot, "-E", absl::StrCat("LD_PRELOAD=", library), path};
}

absl::Status Execute(const std::string& path, const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  ::execvp(path.c_str(), arguments.data());
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot run ", path));
}

}  // namespace

// The client takes our place in the process, so that signals and its exit status are its own.
absl::StatusOr<ExitStatus> Emulate(const EmulateOptions& options) {
  LETHE_ASSIGN_OR_RETURN(const ClientProgram program,
                         FindClientProgram(options.command.front(), options.sysroot));
  LETHE_ASSIGN_OR_RETURN(const std::string library, Library(options, program));
  DescribeHost(options);
  std::vector<std::string> command;
  std::string path = program.path;
  if (program.foreign) {
    LETHE_ASSIGN_OR_RETURN(command, ForeignCommand(options, program.path, library));
    command.insert(command.end(), options.command.begin() + 1, options.command.end());
    path = kEmulator;
  } else {
    PreloadNatively(library);
    command = options.command;
  }
  return Execute(path, command);
}

}  // namespace lethe
