#ifndef LETHE_CLI_LEDGER_OPTIONS_H_
#define LETHE_CLI_LEDGER_OPTIONS_H_

#include <chrono>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace lethe {

// Options of the commands that read the ledger. `ledger`: its directory; empty: the default.

struct PsOptions {
  std::string ledger;
  bool all = false;
  bool json = false;
};

struct StatusOptions {
  std::string ledger;
  std::string guest;  // name, UUID (or its beginning) or process id
  bool json = false;
};

struct WaitOptions {
  std::string ledger;
  std::string guest;
  bool stopped = false;  // exactly one of the two
  bool released = false;
  std::optional<std::chrono::nanoseconds> timeout = std::nullopt;
};

struct MetricsOptions {
  std::string ledger;
  std::string output;  // empty: standard output
};

// Each adds its command.
void AddPs(CLI::App& app, PsOptions& ps);
void AddStatus(CLI::App& app, StatusOptions& status);
void AddWait(CLI::App& app, WaitOptions& wait);
void AddMetrics(CLI::App& app, MetricsOptions& metrics);

std::optional<std::string> WhatIsWrong(const WaitOptions& wait);

}  // namespace lethe

#endif  // LETHE_CLI_LEDGER_OPTIONS_H_
