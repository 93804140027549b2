#ifndef LETHE_CLI_EXIT_STATUS_H_
#define LETHE_CLI_EXIT_STATUS_H_

namespace lethe {

// What the process tells its parent (docs/user-guide.md, "Exit status").
enum class ExitStatus : int {
  kPoweredOff = 0,    // the guest powered off, or the command did its work
  kFailure = 1,       // Lethe or its host failed
  kUsage = 2,         // the command line was not understood
  kGuestCrashed = 3,  // a disabled wait, or an interruption loop
  kEnded = 4,         // ended from outside: the escape key, or a signal
};

}  // namespace lethe

#endif  // LETHE_CLI_EXIT_STATUS_H_
