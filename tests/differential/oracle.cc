// Executes single instructions on whatever runs this program, and tells what became of the state.
// Built for s390x; see record.h.

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "tests/differential/record.h"

extern "C" {
void RunStub(const void* stub);
void FellThrough();
void Branched();
void Trapped();

// Named in oracle_entry.S.
alignas(16) lethe::differential::State g_in;
alignas(16) lethe::differential::State g_out;
alignas(8) std::uint32_t g_outcome;
}

namespace lethe::differential {
namespace {

// What the signal handler saw.
struct Trap {
  int signal;
  int code;
  std::uint64_t instruction;
  std::uint64_t psw_address;
};
Trap g_trap;

[[noreturn]] void Die(const char* why) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, why, strlen(why));
  _exit(1);
}

// False at the end of the input.
bool ReadAll(void* to, std::size_t size) {
  auto* bytes = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = read(STDIN_FILENO, bytes, size);
    if (got <= 0) return false;
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

void WriteAll(const void* from, std::size_t size) {
  const auto* bytes = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t put = write(STDOUT_FILENO, bytes, size);
    if (put <= 0) Die("oracle: cannot write\n");
    bytes += put;
    size -= static_cast<std::size_t>(put);
  }
}

void OnTrap(int number, siginfo_t* info, void* context) {
  auto* const interrupted = static_cast<ucontext_t*>(context);
  g_trap = {.signal = number,
            .code = info->si_code,
            .instruction = reinterpret_cast<std::uint64_t>(info->si_addr),
            .psw_address = interrupted->uc_mcontext.psw.addr};
  interrupted->uc_mcontext.psw.addr = reinterpret_cast<unsigned long>(&Trapped);
}

void CatchTraps() {
  static char stack[65536];
  const stack_t alternate = {.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof(stack)};
  if (sigaltstack(&alternate, nullptr) != 0) Die("oracle: sigaltstack\n");
  struct sigaction action = {};
  action.sa_sigaction = &OnTrap;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (const int number : {SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP}) {
    if (sigaction(number, &action, nullptr) != 0) Die("oracle: sigaction\n");
  }
}

std::uint8_t* MapAt(std::uint64_t address, std::uint64_t size) {
  void* const wanted = reinterpret_cast<void*>(address);
  void* const mapped = mmap(wanted, size, PROT_READ | PROT_WRITE | PROT_EXEC,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (mapped != wanted) Die("oracle: mmap\n");
  return static_cast<std::uint8_t*>(mapped);
}

// An instruction with a 32-bit distance in halfwords behind its first two bytes.
void PutRelative(std::uint8_t* at, std::uint16_t opcode, const void* target) {
  const auto distance =
      (reinterpret_cast<std::int64_t>(target) - reinterpret_cast<std::int64_t>(at)) / 2;
  StoreBigEndian<std::uint16_t>(at, opcode);
  StoreBigEndian<std::uint32_t>(at + 2, static_cast<std::uint32_t>(distance));
}

std::size_t LengthOf(const std::array<std::uint8_t, 8>& instruction) {
  return instruction[0] < 0x40 ? 2 : instruction[0] < 0xc0 ? 4 : 6;
}

void Write(const Stub& stub, std::uint8_t* at) {
  constexpr std::uint16_t kLarlR14 = 0xc0e0;
  constexpr std::uint16_t kBrcl15 = 0xc0f4;
  constexpr std::uint8_t kLmgR0R15[] = {0xeb, 0x0f, 0xe0, 0x00, 0x00, 0x04};
  PutRelative(at, kLarlR14, &g_in);
  memcpy(at + 6, kLmgR0R15, sizeof(kLmgR0R15));
  std::size_t length = LengthOf(stub.instruction);
  memcpy(at + kInstruction, stub.instruction.data(), length);
  if (stub.repeat != 0) {
    const auto branch = RepeatBranch(length);
    memcpy(at + kInstruction + length, branch.data(), branch.size());
    length += branch.size();
  }
  PutRelative(at + kInstruction + length, kBrcl15, reinterpret_cast<const void*>(&FellThrough));
  PutRelative(at + kTaken, kBrcl15, reinterpret_cast<const void*>(&Branched));
  memcpy(at + kTarget, stub.target.data(), stub.target.size());
}

void Execute(const Case& request, Result& result) {
  constexpr std::size_t kRegisters = offsetof(State, window);
  auto* const window = reinterpret_cast<std::uint8_t*>(kWindowAddress);
  memcpy(&g_in, &request.state, kRegisters);
  memcpy(window, request.state.window.data(), kWindowBytes);
  g_trap = {};
  RunStub(reinterpret_cast<const void*>(kCodeAddress + request.stub * kStubBytes));
  result.outcome = g_outcome;
  result.signal = static_cast<std::uint32_t>(g_trap.signal);
  result.code = static_cast<std::uint32_t>(g_trap.code);
  result.instruction = g_trap.instruction;
  result.psw_address = g_trap.psw_address;
  memcpy(&result.state, &g_out, kRegisters);
  memcpy(result.state.window.data(), window, kWindowBytes);
}

Exchange& MapExchange() {
  void* const mapped =
      mmap(nullptr, sizeof(Exchange), PROT_READ | PROT_WRITE, MAP_SHARED, kExchangeDescriptor, 0);
  if (mapped == MAP_FAILED) Die("oracle: mmap of the exchange\n");
  return *static_cast<Exchange*>(mapped);
}

void Serve() {
  Greeting greeting;
  if (!ReadAll(&greeting, sizeof(greeting))) return;
  if (greeting.stubs > kMaxStubs) Die("oracle: too many stubs\n");
  std::uint8_t* const code = MapAt(kCodeAddress, kMaxStubs * kStubBytes);
  std::uint8_t* const data = MapAt(kDataAddress, kDataBytes);
  for (std::uint64_t i = 0; i < kTableBytes; ++i) {
    data[kTableAddress - kDataAddress + i] = FarTableByte(i);
  }
  if (mprotect(data + (kTableAddress - kDataAddress), kTableBytes, PROT_READ) != 0) {
    Die("oracle: mprotect\n");
  }
  for (std::uint32_t i = 0; i < greeting.stubs; ++i) {
    Stub stub;
    if (!ReadAll(&stub, sizeof(stub))) return;
    Write(stub, code + i * kStubBytes);
  }
  CatchTraps();
  Exchange& exchange = MapExchange();
  Batch batch;
  while (ReadAll(&batch, sizeof(batch))) {
    if (batch.number >= kBatches || batch.count > kMaxBatch) Die("oracle: no such batch\n");
    Exchange::Slot& slot = exchange.slots[batch.number];
    for (std::uint32_t i = 0; i < batch.count; ++i) Execute(slot.cases[i], slot.results[i]);
    WriteAll(&batch, sizeof(batch));
  }
}

}  // namespace
}  // namespace lethe::differential

int main() { lethe::differential::Serve(); }
