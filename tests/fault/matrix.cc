#include "tests/fault/matrix.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "accel/kvm-s390/kernel_call.h"
#include "tests/fault/kernel_failures.h"

namespace lethe::fault {
namespace {

// Of each kind of call, as many from the beginning and from the end: there are thousands of some.
constexpr std::uint64_t kUvcsAtEachEnd = 3;

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

void AddCases(const LifeKind& kind, const kvm::KernelCall& call, unsigned count,
              const FailingCall& failing, std::vector<FaultCase>& cases) {
  for (const KernelFailure& failure : failing.failures) {
    std::vector<Ending> endings(failing.endings.begin(), failing.endings.end());
    if (failure.passes) endings = {Ending::kGoesOn};
    // The VMM and the kernel now differ in what they think has been done.
    if (failure.afterwards) endings = {Ending::kGoesOn, Ending::kAnswered, Ending::kError};
    for (unsigned occurrence = 1; occurrence <= count; ++occurrence) {
      cases.push_back({&kind, {.fault = FaultOf(call, failure, occurrence, false)}, endings});
      if (!failure.passes)
        cases.push_back({&kind, {.fault = FaultOf(call, failure, occurrence, true)}, endings});
    }
  }
}

void AddUvcCases(const LifeKind& kind, emulated::Uvc uvc, std::uint64_t count,
                 std::vector<FaultCase>& cases) {
  constexpr std::uint64_t kForEver = ~std::uint64_t{0};
  const FailingUvc failing = FailuresOf(uvc);
  const std::vector<Ending> endings(failing.endings.begin(), failing.endings.end());
  for (std::uint64_t before = 0; before < count; ++before) {
    if (before >= kUvcsAtEachEnd && before + kUvcsAtEachEnd < count) continue;
    for (const emulated::UvcResult& result : failing.passing)
      cases.push_back({&kind,
                       {.uvc_fault = {{.call = uvc, .result = result, .after = before}}},
                       {Ending::kGoesOn}});
    for (const emulated::UvcResult& result : failing.refusals)
      for (const std::uint64_t times : {std::uint64_t{1}, kForEver})
        cases.push_back(
            {&kind,
             {.uvc_fault = {{.call = uvc, .result = result, .after = before, .times = times}}},
             endings});
  }
}

std::string UvcFaultName(const emulated::UvcFault& fault) {
  std::string name = absl::StrFormat("Ultravisor call %#06x, after %u",
                                     static_cast<unsigned>(fault.call), fault.after);
  absl::StrAppendFormat(&name, ", cc %u, rc %#06x, rrc %#x", fault.result.cc, fault.result.rc,
                        fault.result.rrc);
  if (fault.times > 1) absl::StrAppend(&name, ", and all later ones");
  return name;
}

// What one case stands for that others do not.
std::string Class(const FaultCase& one) {
  if (const auto& uvc = one.trouble.uvc_fault)
    return absl::StrCat(one.kind->name, static_cast<int>(uvc->call), " ", uvc->result.rc, " ",
                        uvc->times);
  const kvm::Fault& fault = *one.trouble.fault;
  return absl::StrCat(one.kind->name, ToString(*fault.call), " ", fault.error, " ", fault.result,
                      " ", fault.made_first);
}

}  // namespace

std::string FaultCase::Name() const {
  if (trouble.uvc_fault) return absl::StrCat(kind->name, ": ", UvcFaultName(*trouble.uvc_fault));
  const kvm::Fault& fault = *trouble.fault;
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
  if (!trouble.fault) return !message.empty();
  const kvm::Fault& fault = *trouble.fault;
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
  if (!trouble.fault) return !message.empty();
  const kvm::Fault& fault = *trouble.fault;
  const bool is_command = fault.call->request == abi::KVM_S390_PV_COMMAND;
  if (!is_command || fault.made_first) return !message.empty();
  // DIAGNOSE 308 subcode 10: ENABLE has no place in the newer form of its code.
  const std::uint64_t command = fault.call->subject;
  return absl::StrContains(
      message, command == abi::KVM_PV_ENABLE
                   ? "code 0x0000000000000a02"
                   : absl::StrFormat("code 0x%04x%04x%04x0a02", command, fault.rrc, fault.rc));
}

std::vector<FaultCase> CasesOf(const LifeKind& kind, const LifeRecord& record,
                               std::vector<std::string>& unknown) {
  std::vector<FaultCase> cases;
  std::map<kvm::KernelCall, unsigned> counts;
  for (const kvm::KernelCall& call : record.calls) ++counts[call];
  for (const auto& [call, count] : counts) {
    if (const std::optional<FailingCall> failing = FailuresOf(call))
      AddCases(kind, call, count, *failing, cases);
    else
      unknown.push_back(absl::StrCat(kind.name, ": ", ToString(call)));
  }
  for (const auto& [uvc, count] : record.uvcs)
    if (count > 0) AddUvcCases(kind, uvc, count, cases);
  return cases;
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
