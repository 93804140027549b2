#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_CIPHER_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_CIPHER_H_

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "image/cryptography.h"

namespace lethe::emulated {

// A cipher for pages, with a new key that nobody else has.
inline std::unique_ptr<AesGcm> RandomCipher() {
  AesKey key;
  FillRandom(absl::MakeSpan(key));
  auto cipher = std::make_unique<AesGcm>(key);
  Cleanse(absl::MakeSpan(key));
  return cipher;
}

// A plain object as it lies in memory.
template <typename T>
ByteSpan AsBytes(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)};
}

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_CIPHER_H_
