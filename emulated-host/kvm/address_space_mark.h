#ifndef LETHE_EMULATED_HOST_KVM_ADDRESS_SPACE_MARK_H_
#define LETHE_EMULATED_HOST_KVM_ADDRESS_SPACE_MARK_H_

#include <atomic>

namespace lethe::emulated {

// Tells whether the caller lives in the memory in which this object was made. The kernel compares
// address spaces: a forked process has another one, a thread and a process made with CLONE_VM have
// the same. From any thread.
class AddressSpaceMark {
 public:
  AddressSpaceMark();
  ~AddressSpaceMark();
  AddressSpaceMark(const AddressSpaceMark&) = delete;
  AddressSpaceMark& operator=(const AddressSpaceMark&) = delete;

  // On a host that cannot wipe memory on fork: always true.
  bool IsHere() const;

 private:
  std::atomic<bool>* mark_ = nullptr;  // alone on a page that a forked process finds empty
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_ADDRESS_SPACE_MARK_H_
