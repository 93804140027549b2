#include "tests/differential/worker.h"

#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "emulated-host/cpu/chapters.h"
#include "emulated-host/cpu/instruction_set.h"
#include "tests/differential/comparison.h"

namespace lethe::differential {
namespace {

constexpr std::uint64_t kShownPerInstruction = 2;

bool InChapter(const emulated::Instruction& instruction,
               absl::Span<const emulated::Instruction> chapter) {
  for (const emulated::Instruction& row : chapter) {
    if (row.mnemonic == instruction.mnemonic) return true;
  }
  return false;
}

}  // namespace

std::string ReasonNever(const emulated::Instruction& instruction) {
  if (InChapter(instruction, emulated::HexFloatInstructions())) {
    return "hexadecimal floating point, not in the oracle";
  }
  if (InChapter(instruction, emulated::ControlInstructions())) {
    return "control instructions, of a machine";
  }
  return std::string(ReasonToSkip(instruction));
}

Worker::Worker(Work work) : work_(std::move(work)), generator_(work_.seed), coverage_(kWitness) {
  for (auto& results : ours_) results.resize(kMaxBatch);
}

void Worker::ChooseSamples() {
  samples_.clear();
  for (const auto chapter : emulated::AllChapters()) {
    for (const emulated::Instruction& instruction : chapter) {
      std::string reason = ReasonNever(instruction);
      const bool wanted = work_.only.empty() || instruction.mnemonic == work_.only;
      if (reason.empty() && !wanted) reason = "not asked for";
      if (!reason.empty()) {
        coverage_.RowOf(instruction).never = reason;
        continue;
      }
      for (std::uint32_t i = 0; i < work_.samples && samples_.size() < kMaxStubs; ++i) {
        samples_.push_back(
            generator_.MakeSample(instruction, static_cast<std::uint32_t>(samples_.size())));
      }
    }
  }
}

absl::Status Worker::Run() {
  for (std::uint32_t i = 0; i < work_.rounds; ++i) LETHE_RETURN_IF_ERROR(RunRound());
  return absl::OkStatus();
}

absl::Status Worker::RunRound() {
  ChooseSamples();
  subject_.Load(samples_);
  next_case_ = 0;
  LETHE_ASSIGN_OR_RETURN(const auto oracle, OracleProcess::Start(work_.oracle, samples_));
  std::array<std::uint32_t, kBatches> counts{};
  for (std::uint32_t now = 0;; now ^= 1) {
    Exchange::Slot& slot = oracle->slot(now);
    counts[now] = MakeBatch(slot);
    if (counts[now] != 0) LETHE_RETURN_IF_ERROR(oracle->Send(now, counts[now]));
    for (std::uint32_t i = 0; i < counts[now]; ++i) subject_.Execute(slot.cases[i], ours_[now][i]);
    const std::uint32_t before = now ^ 1;
    if (counts[before] != 0) {
      LETHE_RETURN_IF_ERROR(oracle->Receive(before));
      const Exchange::Slot& done = oracle->slot(before);
      for (std::uint32_t i = 0; i < counts[before]; ++i) {
        Judge(done.cases[i], ours_[before][i], done.results[i]);
      }
      counts[before] = 0;
    }
    if (counts[now] == 0) return absl::OkStatus();
  }
}

std::uint32_t Worker::MakeBatch(Exchange::Slot& slot) {
  const std::uint64_t all = std::uint64_t{work_.cases} * samples_.size();
  std::uint32_t count = 0;
  for (; count < kMaxBatch && next_case_ < all; ++count, ++next_case_) {
    const auto stub = static_cast<std::uint32_t>(next_case_ / work_.cases);
    generator_.MakeCase(samples_[stub], stub, slot.cases[count]);
  }
  return count;
}

void Worker::Judge(const Case& request, const SubjectResult& ours, const Result& theirs) {
  const Sample& sample = samples_[request.stub];
  Coverage::Row& row = coverage_.RowOf(*sample.instruction);
  ++row.cases;
  if (theirs.outcome == Outcome::kTrapped) ++row.traps;
  if (Agree(ours, theirs)) {
    ++row.agreeing;
    return;
  }
  const absl::string_view known = KnownDeviation(sample, request.state, ours, theirs);
  if (!known.empty()) {
    ++row.known[std::string(known)];
    return;
  }
  if (++row.differing > kShownPerInstruction) return;
  const auto& text = sample.stub.instruction;
  differences_.push_back(absl::StrFormat(
      "%s %02x%02x %02x%02x %02x%02x:%s%s", sample.instruction->mnemonic, text[0], text[1], text[2],
      text[3], text[4], text[5], Differences(ours, theirs), Describe(request)));
}

}  // namespace lethe::differential
