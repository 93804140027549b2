#include "emulated-host/kvm/storage_keys.h"

#include <cerrno>
#include <mutex>
#include <vector>

#include "emulated-host/kvm/user_memory.h"
#include "emulated-host/kvm/virtual_machine.h"

namespace lethe::emulated {
namespace {

bool CountIsValid(std::uint64_t count) { return count >= 1 && count <= abi::KVM_S390_SKEYS_MAX; }

// The lock keeps the slots as they are.
std::atomic<std::uint8_t>* KeyOf(VirtualMachine& machine, std::uint64_t frame_number) {
  if (frame_number > ~std::uint64_t{0} / kPageSize) return nullptr;
  return machine.storage().Find(frame_number * kPageSize).key;
}

}  // namespace

int GetStorageKeys(VirtualMachine& machine, const abi::kvm_s390_skeys& request) {
  if (request.flags != 0) return -EINVAL;
  // Guests have keys from their first CPU on.
  if (!machine.settings().storage_keys && machine.cpu_count() == 0) {
    return abi::KVM_S390_GET_SKEYS_NONE;
  }
  if (!CountIsValid(request.count)) return -EINVAL;
  const std::lock_guard lock(machine.lock());
  std::vector<std::uint8_t> keys(request.count);
  for (std::uint64_t i = 0; i < request.count; ++i) {
    const std::atomic<std::uint8_t>* key = KeyOf(machine, request.start_gfn + i);
    if (key == nullptr) return -EFAULT;
    keys[i] = static_cast<std::uint8_t>(*key & ~kLoggedStore);
  }
  return CopyToUser(request.skeydata_addr, keys.data(), keys.size());
}

int SetStorageKeys(VirtualMachine& machine, const abi::kvm_s390_skeys& request) {
  if (request.flags != 0 || !CountIsValid(request.count)) return -EINVAL;
  std::vector<std::uint8_t> keys(request.count);
  if (const int error = CopyFromUser(keys.data(), request.skeydata_addr, keys.size()); error != 0) {
    return error;
  }
  machine.settings().storage_keys = true;
  const std::lock_guard lock(machine.lock());
  for (std::uint64_t i = 0; i < request.count; ++i) {
    std::atomic<std::uint8_t>* key = KeyOf(machine, request.start_gfn + i);
    if (key == nullptr) return -EFAULT;
    if (keys[i] & 1) return -EINVAL;
    std::uint8_t before = *key;
    while (!key->compare_exchange_weak(before, (before & kLoggedStore) | keys[i])) {
    }
  }
  machine.group().PurgeAll();
  return 0;
}

}  // namespace lethe::emulated
