#ifndef LETHE_EMULATED_HOST_CPU_LINKAGE_STACK_H_
#define LETHE_EMULATED_HOST_CPU_LINKAGE_STACK_H_

#include <cstdint>

#include "emulated-host/cpu/cpu.h"
#include "emulated-host/cpu/registers.h"

namespace lethe::emulated {

// The linkage stack of a program, in its home address space (Principles of Operation,
// "Linkage-Stack Operations"). All functions throw stack, translation and protection exceptions,
// and have changed nothing then.
class LinkageStack {
 public:
  // Entry types, as in an entry descriptor of z/Architecture.
  enum class Type : std::uint8_t { kHeader = 9, kTrailer = 10, kBranch = 12, kProgramCall = 13 };

  explicit LinkageStack(Cpu& cpu) : cpu_(cpu) {}

  // The state entry on top.
  struct StateEntry {
    std::uint64_t address = 0;  // of its first byte, in the home space
    Type type = Type::kBranch;
  };
  // `to_return`: for PROGRAM RETURN, which unstack suppression stops.
  StateEntry Top(bool to_return) const;

  // Forms a state entry: registers, `psw` to return to, and 8 bytes that say what was called.
  void Push(Type type, const Psw& psw, std::uint64_t called) const;

  // Removes the state entry `top`, whose values the caller has taken.
  void Pop(const StateEntry& top) const;

  // Parts of a state entry.
  std::uint64_t General(const StateEntry& entry, int number) const;
  std::uint32_t Access(const StateEntry& entry, int number) const;
  std::uint64_t Authority(const StateEntry& entry) const;  // PKM, SASN, EAX, PASN
  Psw ReturnPsw(const StateEntry& entry) const;
  std::uint64_t Called(const StateEntry& entry) const;
  std::uint64_t Modifiable(const StateEntry& entry) const;
  void SetModifiable(const StateEntry& entry, std::uint64_t value) const;

 private:
  struct Descriptor;
  struct Slot;

  template <typename T>
  T Load(std::uint64_t address) const;
  template <typename T>
  void Store(std::uint64_t address, T value) const;
  Descriptor LoadDescriptor(std::uint64_t address) const;
  void StoreDescriptor(std::uint64_t address, const Descriptor& descriptor) const;
  Slot FindSlot() const;
  void CheckStore(std::uint64_t address, std::uint64_t length) const;

  Cpu& cpu_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_LINKAGE_STACK_H_
