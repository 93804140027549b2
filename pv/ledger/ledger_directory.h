#ifndef LETHE_PV_LEDGER_LEDGER_DIRECTORY_H_
#define LETHE_PV_LEDGER_LEDGER_DIRECTORY_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace lethe {

// Where the ledger is when nobody says otherwise: /run/lethe for root, else $XDG_RUNTIME_DIR/lethe,
// else lethe-UID in $TMPDIR or /tmp.
std::string DefaultLedgerDirectory();

struct LedgerDirectory {
  UniqueFd fd;  // none: it does not exist, and was not to be made
  uid_t owner = 0;
};

// Opens a directory that only its owner (root or this user) can write to; no symbolic link is
// followed at its last component. `make`: creates it, readable by all for root, else private.
absl::StatusOr<LedgerDirectory> OpenLedgerDirectory(const std::string& path, bool make);

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_LEDGER_DIRECTORY_H_
