#ifndef LETHE_EMULATED_HOST_KVM_USER_MEMORY_H_
#define LETHE_EMULATED_HOST_KVM_USER_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace lethe::emulated {

// Memory of the program above the seam, named by the addresses it passed to an ioctl. It is the
// same process, yet a bad address must answer -EFAULT and not end it: the host kernel copies and
// checks. 0 or -EFAULT. A failed copy may have moved a part.
int CopyFromUser(void* to, std::uintptr_t from, std::size_t size);
int CopyToUser(std::uintptr_t to, const void* from, std::size_t size);

template <typename T>
int Fetch(std::uintptr_t from, T& value) {
  return CopyFromUser(&value, from, sizeof(value));
}

template <typename T>
int Put(std::uintptr_t to, const T& value) {
  return CopyToUser(to, &value, sizeof(value));
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_KVM_USER_MEMORY_H_
