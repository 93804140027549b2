#ifndef LETHE_IMAGE_CRYPTOGRAPHY_H_
#define LETHE_IMAGE_CRYPTOGRAPHY_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "image/header.h"

struct evp_pkey_st;
struct evp_md_ctx_st;
struct evp_cipher_st;

namespace lethe {

using ByteSpan = absl::Span<const std::uint8_t>;

// What Secure Execution images need of cryptography, over OpenSSL 3. Failures of the library itself
// (no memory, no algorithm) end the program: there is nothing to go on with.

void FillRandom(absl::Span<std::uint8_t> target);
Digest256 Sha256(ByteSpan data);
// Overwrites in a way the compiler keeps.
void Cleanse(absl::Span<std::uint8_t> secret);

// SHA-512 over data that comes in pieces. Not safe for concurrent use.
class RunningSha512 {
 public:
  RunningSha512();
  ~RunningSha512();
  RunningSha512(const RunningSha512&) = delete;
  RunningSha512& operator=(const RunningSha512&) = delete;

  void Update(ByteSpan data);
  Digest512 Value() const;  // of what came so far

 private:
  evp_md_ctx_st* context_;
};

// AES-256-GCM. Safe for concurrent use: a call shares nothing with others but the key.
class AesGcm {
 public:
  explicit AesGcm(const AesKey& key);
  ~AesGcm();
  AesGcm(const AesGcm&) = delete;
  AesGcm& operator=(const AesGcm&) = delete;

  // `out` has the size of `in`; they may be the same bytes.
  GcmTag Encrypt(const GcmIv& iv, ByteSpan associated, ByteSpan in,
                 absl::Span<std::uint8_t> out) const;
  // False: the tag does not fit; `out` then holds zeros.
  [[nodiscard]] bool Decrypt(const GcmIv& iv, ByteSpan associated, ByteSpan in, const GcmTag& tag,
                             absl::Span<std::uint8_t> out) const;

 private:
  evp_cipher_st* cipher_;
  AesKey key_;
};

// AES-256-XTS on image pages (4096 bytes are one data unit). Safe for concurrent use.
class AesXts {
 public:
  explicit AesXts(const XtsKey& key);
  ~AesXts();
  AesXts(const AesXts&) = delete;
  AesXts& operator=(const AesXts&) = delete;

  // In place or not; sizes are equal. False: the two halves of the key are the same, which the
  // cipher does not allow.
  [[nodiscard]] bool Encrypt(const PageTweak& tweak, ByteSpan in,
                             absl::Span<std::uint8_t> out) const;
  [[nodiscard]] bool Decrypt(const PageTweak& tweak, ByteSpan in,
                             absl::Span<std::uint8_t> out) const;

 private:
  bool Run(bool encrypt, const PageTweak& tweak, ByteSpan in, absl::Span<std::uint8_t> out) const;
  evp_cipher_st* cipher_;
  XtsKey key_;
};

// A key on secp521r1, public or private. Cheap to copy; safe for concurrent use.
class EllipticKey {
 public:
  static EllipticKey Generate();
  // InvalidArgument: not a point of the curve.
  static absl::StatusOr<EllipticKey> FromPoint(const PublicPoint& point);
  // Takes the key over. InvalidArgument: another kind of key or another curve.
  static absl::StatusOr<EllipticKey> Adopt(evp_pkey_st* key);

  PublicPoint point() const;
  Digest256 Hash() const;  // PHKH: names the key in key slots
  evp_pkey_st* get() const { return key_.get(); }

 private:
  explicit EllipticKey(evp_pkey_st* key);
  std::shared_ptr<evp_pkey_st> key_;
};

// The key that wraps the header key in a key slot: ECDH of one side's private and the other's
// public key, then the ANSI X9.63 key derivation with SHA-256 and no shared info.
// InvalidArgument: `own` has no private part.
absl::StatusOr<AesKey> DeriveWrappingKey(const EllipticKey& own, const EllipticKey& peer);

}  // namespace lethe

#endif  // LETHE_IMAGE_CRYPTOGRAPHY_H_
