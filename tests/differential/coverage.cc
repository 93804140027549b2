#include "tests/differential/coverage.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "emulated-host/cpu/instruction_set.h"

namespace lethe::differential {
namespace {

using nlohmann::json;

// FNV-1a of the running program: what tells whether two reports are about the same code.
std::string HashOfProgram() {
  std::ifstream program("/proc/self/exe", std::ios::binary);
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (std::istreambuf_iterator<char> at(program), end; at != end; ++at) {
    hash = (hash ^ static_cast<std::uint8_t>(*at)) * 0x100'0000'01b3;
  }
  return absl::StrFormat("%016x", hash);
}

json ToJson(const Coverage::Row& row) {
  json made = {{"opcode", absl::StrFormat("%x", row.opcode)}};
  if (row.cases == 0) {
    made["never"] = row.never;
    return made;
  }
  made["cases"] = row.cases;
  made["traps"] = row.traps;
  made["agreeing"] = row.agreeing;
  made["differing"] = row.differing;
  made["known"] = row.known;
  return made;
}

void AddRow(const Coverage::Row& from, Coverage::Row& to) {
  to.cases += from.cases;
  to.traps += from.traps;
  to.agreeing += from.agreeing;
  to.differing += from.differing;
  for (const auto& [reason, count] : from.known) to.known[reason] += count;
  if (to.never.empty()) to.never = from.never;
}

}  // namespace

std::uint64_t Coverage::Row::Known() const {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : known) sum += count;
  return sum;
}

Coverage::Coverage(absl::string_view witness) : witness_(witness), program_(HashOfProgram()) {
  for (const auto chapter : emulated::AllChapters()) {
    for (const emulated::Instruction& instruction : chapter) {
      rows_[std::string(instruction.mnemonic)].opcode = instruction.opcode;
    }
  }
}

absl::StatusOr<Coverage> Coverage::Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  try {
    const json report = json::parse(file);
    Coverage coverage(report.at("witness").get<std::string>());
    coverage.program_ = report.at("program");
    for (const std::uint64_t seed : report.at("seeds")) coverage.AddSeed(seed);
    for (const auto& [mnemonic, from] : report.at("rows").items()) {
      Row& row = coverage.rows_[mnemonic];
      row.never = from.value("never", "");
      row.cases = from.value("cases", std::uint64_t{0});
      row.traps = from.value("traps", std::uint64_t{0});
      row.agreeing = from.value("agreeing", std::uint64_t{0});
      row.differing = from.value("differing", std::uint64_t{0});
      row.known = from.value("known", row.known);
    }
    return coverage;
  } catch (const json::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not a report that --report made: ", error.what()));
  }
}

absl::Status Coverage::Write(const std::string& path) const {
  const Row sum = Sum();
  json rows = json::object();
  for (const auto& [mnemonic, row] : rows_) rows[mnemonic] = ToJson(row);
  json seeds = json::array();
  for (const auto& [seed, present] : seeds_) seeds.push_back(seed);
  const json report = {{"program", program_},
                       {"witness", witness_},
                       {"seeds", seeds},
                       {"rows", rows},
                       {"totals",
                        {{"rows", rows_.size()},
                         {"compared", RowsCompared()},
                         {"cases", sum.cases},
                         {"traps", sum.traps},
                         {"agreeing", sum.agreeing},
                         {"known", sum.Known()},
                         {"differing", sum.differing}}}};
  std::ofstream file(path);
  file << report.dump(1) << '\n';
  file.close();
  return file ? absl::OkStatus()
              : absl::UnavailableError(absl::StrCat(path, ": the report cannot be written"));
}

Coverage::Row& Coverage::RowOf(const emulated::Instruction& instruction) {
  return rows_.find(instruction.mnemonic)->second;
}

absl::Status Coverage::Add(const Coverage& other) {
  if (witness_ != other.witness_ || program_ != other.program_) {
    return absl::InvalidArgumentError(
        absl::StrFormat("reports of different runs: program %s against %s, and %s against %s",
                        witness_, program_, other.witness_, other.program_));
  }
  for (const auto& [seed, present] : other.seeds_) {
    if (!seeds_.emplace(seed, present).second) {
      return absl::InvalidArgumentError(absl::StrCat("seed ", seed, " is in two reports"));
    }
  }
  AddPart(other);
  return absl::OkStatus();
}

void Coverage::AddPart(const Coverage& part) {
  for (const auto& [mnemonic, row] : part.rows_) AddRow(row, rows_[mnemonic]);
}

Coverage::Row Coverage::Sum() const {
  Row sum;
  for (const auto& [mnemonic, row] : rows_) AddRow(row, sum);
  return sum;
}

std::size_t Coverage::RowsCompared() const {
  std::size_t compared = 0;
  for (const auto& [mnemonic, row] : rows_) compared += row.cases != 0 ? 1 : 0;
  return compared;
}

void Coverage::Print(bool all_rows) const {
  const Row sum = Sum();
  std::map<std::string, std::pair<int, std::string>> never;
  for (const auto& [mnemonic, row] : rows_) {
    if (row.cases == 0) {
      auto& [count, names] = never[row.never];
      ++count;
      absl::StrAppend(&names, " ", mnemonic);
    } else if (all_rows || row.differing != 0) {
      absl::PrintF("%-8s %9d cases %9d trapped %9d agree %7d known %6d differ\n", mnemonic,
                   row.cases, row.traps, row.agreeing, row.Known(), row.differing);
    }
  }
  for (const auto& [reason, count] : sum.known) absl::PrintF("  known: %s: %d\n", reason, count);
  for (const auto& [reason, named] : never) {
    absl::PrintF("  never compared (%s), %d:%s\n", reason, named.first, named.second);
  }
  absl::PrintF("%s: %d rows of %d in the table, %d cases trapped\n", witness_, RowsCompared(),
               rows_.size(), sum.traps);
  absl::PrintF("%d instructions (rows), %d cases, %d known deviations, %d differ\n", RowsCompared(),
               sum.cases, sum.Known(), sum.differing);
}

}  // namespace lethe::differential
