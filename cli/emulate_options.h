#ifndef LETHE_CLI_EMULATE_OPTIONS_H_
#define LETHE_CLI_EMULATE_OPTIONS_H_

#include <string>
#include <vector>

#include "cli/host_options.h"

namespace CLI {
class App;
}

namespace lethe {

// Options of `lethe emulate`.
struct EmulateOptions {
  HostOptions host;
  std::string log = "error";         // up to which level the emulated host writes to stderr
  std::string library;               // empty: the one that belongs to this program
  std::string sysroot;               // of an s390x program on another machine
  std::vector<std::string> command;  // the client and its arguments
};

void AddEmulate(CLI::App& app, EmulateOptions& emulate);

}  // namespace lethe

#endif  // LETHE_CLI_EMULATE_OPTIONS_H_
