#include "cli/ledger_lookup.h"

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/uuid.h"

namespace lethe {
namespace {

constexpr std::size_t kShortestUuid = 4;
constexpr std::size_t kMostListed = 10;

bool HasName(const LedgerSnapshot& entry, const std::string& guest) { return entry.name == guest; }

bool HasPid(const LedgerSnapshot& entry, const std::string& guest) {
  return absl::StrCat(entry.pid) == guest;
}

bool HasUuid(const LedgerSnapshot& entry, const std::string& guest) {
  return guest.size() >= kShortestUuid &&
         absl::StartsWith(FormatUuid(entry.uuid), absl::AsciiStrToLower(guest));
}

absl::Status Unknown(absl::Span<const LedgerSnapshot> entries, const std::string& guest) {
  std::string known;
  for (const LedgerSnapshot& entry : entries.subspan(0, kMostListed))
    absl::StrAppend(&known, known.empty() ? "" : ", ", entry.name, " (pid ", entry.pid, ")");
  if (entries.size() > kMostListed)
    absl::StrAppend(&known, " and ", entries.size() - kMostListed, " more");
  return absl::NotFoundError(
      absl::StrCat("no guest '", guest, "'; known: ", known.empty() ? "none" : known));
}

}  // namespace

absl::StatusOr<std::vector<LedgerSnapshot>> ReadLedger(Ledger& ledger) {
  std::vector<std::string> ignored;
  LETHE_ASSIGN_OR_RETURN(auto entries, ledger.Read(&ignored));
  for (const std::string& line : ignored) std::cerr << "lethe: warning: ignored " << line << "\n";
  return entries;
}

absl::StatusOr<LedgerSnapshot> FindGuest(absl::Span<const LedgerSnapshot> entries,
                                         const std::string& guest) {
  for (const auto matches : {HasName, HasPid, HasUuid}) {
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)  // youngest first
      if (matches(*entry, guest)) return *entry;
  }
  return Unknown(entries, guest);
}

}  // namespace lethe
