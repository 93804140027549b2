#ifndef LETHE_PV_SHUTDOWN_STRATEGY_H_
#define LETHE_PV_SHUTDOWN_STRATEGY_H_

#include <cstdint>

namespace lethe {

// The reaper keeps its strategy in memory that it shares with the VMM: a plain number.
enum class ShutdownStrategy : std::uint32_t {
  kBulk,     // the reaper issues DISABLE and then gives the memory back in chunks
  kTrickle,  // the reaper issues PREPARE and PERFORM and gives memory back behind it
  kExit,     // no command: the kernel frees what the last process leaves, page by page
  kSync,     // the VMM issues DISABLE and then ends; the reaper is not needed
};

}  // namespace lethe

#endif  // LETHE_PV_SHUTDOWN_STRATEGY_H_
