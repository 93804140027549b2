#ifndef LETHE_TESTS_CONFORMANCE_SHARED_MEMORY_H_
#define LETHE_TESTS_CONFORMANCE_SHARED_MEMORY_H_

#include <cstddef>
#include <cstdint>

namespace lethe::conformance {

// Memory for guests: shared, on a segment boundary, zero, and every page of it touched.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t size);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  std::uint8_t* bytes() const { return bytes_; }
  std::size_t size() const { return size_; }
  std::uint64_t address() const { return reinterpret_cast<std::uintptr_t>(bytes_); }

 private:
  const std::size_t size_;
  std::size_t reserved_;
  void* reservation_;
  std::uint8_t* bytes_;
};

}  // namespace lethe::conformance

#endif  // LETHE_TESTS_CONFORMANCE_SHARED_MEMORY_H_
