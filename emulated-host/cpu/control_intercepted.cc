// Control and I/O instructions that the host around the CPU completes: the CPU checks for the
// problem state and leaves.

#include "emulated-host/cpu/control_tables.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {
namespace {

// STORE HYPERVISOR INFORMATION: whether the facility is there, and the problem state, are for the
// host to judge, in that order.
const Op* StoreHypervisorInformation(Cpu& cpu, const Op& op) { return cpu.Intercept(op); }

// ULTRAVISOR CALL exists for protected guests only; the Ultravisor around the CPU answers it.
const Op* UltravisorCall(Cpu& cpu, const Op& op) {
  if (cpu.configuration() == kNoConfiguration) cpu.Interrupt(ProgramCode::kOperation);
  cpu.PrivilegedOperationIfProblemState();
  return cpu.Intercept(op);
}

constexpr Instruction kInstructions[] = {
    {0x83, "DIAG", Format::kRS_a, kBase, Intercepted},
    {0xae, "SIGP", Format::kRS_a, kBase, Intercepted},
    {0xb220, "SERVC", Format::kRRE, kBase, Intercepted},
    {0xb230, "CSCH", Format::kS, kBase, Intercepted},
    {0xb231, "HSCH", Format::kS, kBase, Intercepted},
    {0xb232, "MSCH", Format::kS, kBase, Intercepted},
    {0xb233, "SSCH", Format::kS, kBase, Intercepted},
    {0xb234, "STSCH", Format::kS, kBase, Intercepted},
    {0xb235, "TSCH", Format::kS, kBase, Intercepted},
    {0xb236, "TPI", Format::kS, kBase, Intercepted},
    {0xb237, "SAL", Format::kS, kBase, Intercepted},
    {0xb238, "RSCH", Format::kS, kBase, Intercepted},
    {0xb239, "STCRW", Format::kS, kBase, Intercepted},
    {0xb23a, "STCPS", Format::kS, kBase, Intercepted},
    {0xb23b, "RCHP", Format::kS, kBase, Intercepted},
    {0xb23c, "SCHM", Format::kS, kBase, Intercepted},
    {0xb256, "STHYI", Format::kRRE, kBase, Branching<&StoreHypervisorInformation>},
    {0xb25f, "CHSC", Format::kRRE, kBase, Intercepted},
    {0xb274, "SIGA", Format::kS, kBase, Intercepted},
    {0xb276, "XSCH", Format::kS, kBase, Intercepted},
    {0xb27d, "STSI", Format::kS, kBase, Intercepted},
    {0xb9a2, "PTF", Format::kRRE, 11, Intercepted},
    {0xb9a4, "UVC", Format::kRRE, kBase, Branching<&UltravisorCall>},
};

}  // namespace

absl::Span<const Instruction> InterceptedInstructions() { return kInstructions; }

}  // namespace lethe::emulated
