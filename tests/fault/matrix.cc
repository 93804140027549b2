#include "tests/fault/matrix.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "accel/kvm-s390/kernel_call.h"
#include "tests/fault/kernel_failures.h"

namespace lethe::fault {
namespace {

kvm::Fault FaultOf(const kvm::KernelCall& call, const KernelFailure& failure, unsigned occurrence,
                   bool sticks) {
  kvm::Fault fault;
  fault.call = call;
  fault.occurrence = occurrence;
  fault.error = failure.error;
  fault.rc = failure.refusal.rc;
  fault.rrc = failure.refusal.rrc;
  fault.result = failure.result;
  fault.made_first = failure.afterwards;
  fault.sticks = sticks;
  return fault;
}

// What one case stands for that others do not.
std::string Class(const FaultCase& one) {
  const kvm::Fault& fault = one.fault;
  return absl::StrCat(one.kind->name, ToString(*fault.call), " ", fault.error, " ", fault.result,
                      " ", fault.made_first);
}

}  // namespace

std::string FaultCase::Name() const {
  std::string name =
      absl::StrCat(kind->name, ": ", ToString(*fault.call), ", call ", fault.occurrence);
  if (fault.error != 0)
    absl::StrAppend(&name, ", ", std::strerror(fault.error));
  else
    absl::StrAppend(&name, ", result ", fault.result);
  if (fault.rc != 0) absl::StrAppendFormat(&name, ", rc %#x, rrc %#x", fault.rc, fault.rrc);
  if (fault.made_first) absl::StrAppend(&name, ", after it was made");
  if (fault.sticks) absl::StrAppend(&name, ", and all later ones");
  return name;
}

bool FaultCase::IsClear(const std::string& message) const {
  // What the VMM makes of a value, or of a state that it could not know of, is its own to say.
  if (fault.error == 0 || fault.made_first) return !message.empty();
  std::string call = ToString(*fault.call);
  call.resize(std::min(call.size(), call.find_first_of("( ")));  // without what it is about
  const bool has_name = fault.call->kind == kvm::KernelCall::Kind::kIoctl;
  return absl::StrContains(message, std::strerror(fault.error)) &&
         (!has_name || absl::StrContains(message, call)) &&
         (fault.rc == 0 || absl::StrContains(message, absl::StrFormat("rc %#06x", fault.rc)));
}

bool FaultCase::IsAnswer(const std::string& message) const {
  const bool is_command = fault.call->request == abi::KVM_S390_PV_COMMAND;
  if (!is_command || fault.made_first) return !message.empty();
  // DIAGNOSE 308 subcode 10: ENABLE has no place in the newer form of its code.
  const std::uint64_t command = fault.call->subject;
  return absl::StrContains(
      message, command == abi::KVM_PV_ENABLE
                   ? "code 0x0000000000000a02"
                   : absl::StrFormat("code 0x%04x%04x%04x0a02", command, fault.rrc, fault.rc));
}

std::vector<FaultCase> CasesOf(const LifeKind& kind, const std::vector<kvm::KernelCall>& calls,
                               std::vector<std::string>& unknown) {
  std::map<kvm::KernelCall, unsigned> counts;
  for (const kvm::KernelCall& call : calls) ++counts[call];
  std::vector<FaultCase> cases;
  for (const auto& [call, count] : counts) {
    const std::optional<FailingCall> failing = FailuresOf(call);
    if (!failing) {
      unknown.push_back(absl::StrCat(kind.name, ": ", ToString(call)));
      continue;
    }
    for (const KernelFailure& failure : failing->failures) {
      std::vector<Ending> endings = failing->endings;
      if (failure.passes) endings = {Ending::kGoesOn};
      // The VMM and the kernel now differ in what they think has been done.
      if (failure.afterwards) endings = {Ending::kGoesOn, Ending::kAnswered, Ending::kError};
      for (unsigned occurrence = 1; occurrence <= count; ++occurrence) {
        cases.push_back({&kind, FaultOf(call, failure, occurrence, false), endings});
        if (!failure.passes)
          cases.push_back({&kind, FaultOf(call, failure, occurrence, true), endings});
      }
    }
  }
  return cases;
}

std::string Serialize(const std::vector<kvm::KernelCall>& calls) {
  std::string text;
  for (const kvm::KernelCall& call : calls)
    absl::StrAppend(&text, static_cast<int>(call.kind), " ", call.request, " ", call.subject, " ",
                    call.cpu, "\n");
  return text;
}

std::vector<kvm::KernelCall> ParseCalls(const std::string& text) {
  std::vector<kvm::KernelCall> calls;
  std::istringstream stream(text);
  int kind = 0;
  for (kvm::KernelCall call; stream >> kind >> call.request >> call.subject >> call.cpu;) {
    call.kind = static_cast<kvm::KernelCall::Kind>(kind);
    calls.push_back(call);
  }
  return calls;
}

std::vector<FaultCase> Sample(std::vector<FaultCase> cases, std::size_t size, std::uint32_t seed) {
  if (cases.size() <= size) return cases;
  std::minstd_rand random(seed);
  std::shuffle(cases.begin(), cases.end(), random);
  std::set<std::string> seen;
  std::stable_partition(cases.begin(), cases.end(),
                        [&seen](const FaultCase& one) { return seen.insert(Class(one)).second; });
  cases.resize(size);
  return cases;
}

}  // namespace lethe::fault
