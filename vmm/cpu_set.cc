#include "vmm/cpu_set.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lethe::vmm {
namespace {

using std::chrono::steady_clock;

absl::string_view Words(Whereabouts::Place place) {
  switch (place) {
    case Whereabouts::Place::kOutside:
      return "on its way out of the guest";
    case Whereabouts::Place::kGuest:
      return "in the guest (KVM_RUN)";
    case Whereabouts::Place::kExitHandler:
      return "in the handler of an exit";
    case Whereabouts::Place::kOrder:
      return "in an order of another CPU";
  }
  return "nowhere";
}

std::string Describe(const VcpuThread& cpu) {
  const Whereabouts whereabouts = cpu.whereabouts();
  const std::chrono::duration<double> since = steady_clock::now() - whereabouts.since;
  return absl::StrFormat("CPU %u has been %s for %.1f seconds", cpu.address(),
                         Words(whereabouts.place), since.count());
}

}  // namespace

AllOut::AllOut(CpuSet& cpus) : cpus_(cpus) {
  Hold();
  for (const auto& thread : cpus_.all()) thread->WaitOutside();
}

AllOut::AllOut(CpuSet& cpus, std::chrono::nanoseconds bound) : cpus_(cpus) {
  Hold();
  const auto deadline = steady_clock::now() + bound;
  std::string late;
  for (const auto& thread : cpus_.all())
    if (!thread->WaitOutside(deadline))
      absl::StrAppend(&late, late.empty() ? "" : ", ", Describe(*thread));
  if (!late.empty())
    status_ = absl::DeadlineExceededError(absl::StrCat("the guest cannot be stopped: ", late));
}

AllOut::~AllOut() {
  for (const auto& thread : cpus_.all()) thread->Release();
}

void AllOut::Hold() {
  for (const auto& thread : cpus_.all()) thread->Hold();
}

}  // namespace lethe::vmm
