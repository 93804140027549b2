#include "image/cryptography.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace lethe {
namespace {

constexpr std::size_t kFieldSize = 66;  // bytes of a coordinate on secp521r1
constexpr char kCurve[] = "secp521r1";

template <std::size_t kSize>
std::array<std::uint8_t, kSize> Digest(const EVP_MD* kind, ByteSpan data) {
  std::array<std::uint8_t, kSize> result;
  unsigned size = 0;
  LETHE_CHECK(EVP_Digest(data.data(), data.size(), result.data(), &size, kind, nullptr) == 1);
  LETHE_CHECK(size == kSize);
  return result;
}

struct FreeCipherContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipherContext>;

CipherContext NewCipherContext() {
  CipherContext context(EVP_CIPHER_CTX_new());
  LETHE_CHECK(context != nullptr);
  return context;
}

EVP_CIPHER* FetchCipher(const char* name) {
  EVP_CIPHER* cipher = EVP_CIPHER_fetch(nullptr, name, nullptr);
  LETHE_CHECK(cipher != nullptr);
  return cipher;
}

bool Update(EVP_CIPHER_CTX* context, std::uint8_t* out, ByteSpan in) {
  int written = 0;
  return in.empty() ||
         EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(in.size())) == 1;
}

// Sets up key, IV and associated data.
CipherContext BeginGcm(const EVP_CIPHER* cipher, const AesKey& key, const GcmIv& iv,
                       ByteSpan associated, bool encrypt) {
  CipherContext context = NewCipherContext();
  LETHE_CHECK(EVP_CipherInit_ex2(context.get(), cipher, key.data(), iv.data(), encrypt ? 1 : 0,
                                 nullptr) == 1);
  LETHE_CHECK(Update(context.get(), nullptr, associated));
  return context;
}

Coordinate ReadCoordinate(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  LETHE_CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  Coordinate coordinate{};
  LETHE_CHECK(BN_bn2binpad(number, coordinate.data(), coordinate.size()) == coordinate.size());
  BN_free(number);
  return coordinate;
}

bool IsOnOurCurve(const EVP_PKEY* key) {
  std::array<char, 32> group{};
  return EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
         std::strcmp(group.data(), kCurve) == 0;
}

}  // namespace

void FillRandom(absl::Span<std::uint8_t> target) {
  LETHE_CHECK(RAND_bytes(target.data(), static_cast<int>(target.size())) == 1);
}

Digest256 Sha256(ByteSpan data) { return Digest<32>(EVP_sha256(), data); }

void Cleanse(absl::Span<std::uint8_t> secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

RunningSha512::RunningSha512() : context_(EVP_MD_CTX_new()) {
  LETHE_CHECK(context_ != nullptr && EVP_DigestInit_ex2(context_, EVP_sha512(), nullptr) == 1);
}

RunningSha512::~RunningSha512() { EVP_MD_CTX_free(context_); }

void RunningSha512::Update(ByteSpan data) {
  LETHE_CHECK(EVP_DigestUpdate(context_, data.data(), data.size()) == 1);
}

Digest512 RunningSha512::Value() const {
  EVP_MD_CTX* copy = EVP_MD_CTX_new();
  LETHE_CHECK(copy != nullptr && EVP_MD_CTX_copy_ex(copy, context_) == 1);
  Digest512 value;
  unsigned size = 0;
  LETHE_CHECK(EVP_DigestFinal_ex(copy, value.data(), &size) == 1 && size == value.size());
  EVP_MD_CTX_free(copy);
  return value;
}

AesGcm::AesGcm(const AesKey& key) : cipher_(FetchCipher("AES-256-GCM")), key_(key) {}

AesGcm::~AesGcm() {
  Cleanse(absl::MakeSpan(key_));
  EVP_CIPHER_free(cipher_);
}

GcmTag AesGcm::Encrypt(const GcmIv& iv, ByteSpan associated, ByteSpan in,
                       absl::Span<std::uint8_t> out) const {
  LETHE_CHECK(in.size() == out.size());
  CipherContext context = BeginGcm(cipher_, key_, iv, associated, true);
  LETHE_CHECK(Update(context.get(), out.data(), in));
  GcmTag tag;
  int written = 0;
  LETHE_CHECK(EVP_CipherFinal_ex(context.get(), tag.data(), &written) == 1);
  LETHE_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag.size(), tag.data()) ==
              1);
  return tag;
}

bool AesGcm::Decrypt(const GcmIv& iv, ByteSpan associated, ByteSpan in, const GcmTag& tag,
                     absl::Span<std::uint8_t> out) const {
  LETHE_CHECK(in.size() == out.size());
  CipherContext context = BeginGcm(cipher_, key_, iv, associated, false);
  LETHE_CHECK(Update(context.get(), out.data(), in));
  GcmTag expected = tag;  // the call below takes a pointer to non-const
  LETHE_CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, expected.size(),
                                  expected.data()) == 1);
  std::uint8_t rest[16];
  int written = 0;
  if (EVP_CipherFinal_ex(context.get(), rest, &written) == 1) return true;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  return false;
}

AesXts::AesXts(const XtsKey& key) : cipher_(FetchCipher("AES-256-XTS")), key_(key) {}

AesXts::~AesXts() {
  Cleanse(absl::MakeSpan(key_));
  EVP_CIPHER_free(cipher_);
}

bool AesXts::Run(bool encrypt, const PageTweak& tweak, ByteSpan in,
                 absl::Span<std::uint8_t> out) const {
  LETHE_CHECK(in.size() == out.size());
  if (std::equal(key_.begin(), key_.begin() + 32, key_.begin() + 32)) return false;
  std::array<std::uint8_t, sizeof(PageTweak)> iv;
  std::memcpy(iv.data(), &tweak, sizeof(tweak));
  CipherContext context = NewCipherContext();
  LETHE_CHECK(EVP_CipherInit_ex2(context.get(), cipher_, key_.data(), iv.data(), encrypt ? 1 : 0,
                                 nullptr) == 1);
  LETHE_CHECK(Update(context.get(), out.data(), in));
  return true;
}

bool AesXts::Encrypt(const PageTweak& tweak, ByteSpan in, absl::Span<std::uint8_t> out) const {
  return Run(true, tweak, in, out);
}

bool AesXts::Decrypt(const PageTweak& tweak, ByteSpan in, absl::Span<std::uint8_t> out) const {
  return Run(false, tweak, in, out);
}

EllipticKey::EllipticKey(evp_pkey_st* key) : key_(key, EVP_PKEY_free) {}

EllipticKey EllipticKey::Generate() {
  EVP_PKEY* key = EVP_EC_gen(kCurve);
  LETHE_CHECK(key != nullptr);
  return EllipticKey(key);
}

absl::StatusOr<EllipticKey> EllipticKey::FromPoint(const PublicPoint& point) {
  std::array<std::uint8_t, 1 + 2 * kFieldSize> encoded{0x04};  // uncompressed
  constexpr std::size_t kPadding = sizeof(Coordinate) - kFieldSize;
  const auto zeros = [](const Coordinate& coordinate) {
    return std::all_of(coordinate.begin(), coordinate.begin() + kPadding,
                       [](std::uint8_t byte) { return byte == 0; });
  };
  const absl::Status refusal = absl::InvalidArgumentError("not a point of curve secp521r1");
  if (!zeros(point.x) || !zeros(point.y)) return refusal;
  std::copy(point.x.begin() + kPadding, point.x.end(), encoded.begin() + 1);
  std::copy(point.y.begin() + kPadding, point.y.end(), encoded.begin() + 1 + kFieldSize);

  std::array<char, sizeof(kCurve)> curve;
  std::copy(std::begin(kCurve), std::end(kCurve), curve.begin());
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size()),
      OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), EVP_PKEY_CTX_free);
  LETHE_CHECK(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) return refusal;
  EllipticKey result(key);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> check(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr), EVP_PKEY_CTX_free);
  if (check == nullptr || EVP_PKEY_public_check(check.get()) != 1) return refusal;
  return result;
}

absl::StatusOr<EllipticKey> EllipticKey::Adopt(evp_pkey_st* key) {
  EllipticKey result(key);
  if (!IsOnOurCurve(key)) {
    return absl::InvalidArgumentError("not an elliptic-curve key on secp521r1");
  }
  return result;
}

PublicPoint EllipticKey::point() const {
  return {ReadCoordinate(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X),
          ReadCoordinate(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y)};
}

Digest256 EllipticKey::Hash() const {
  const PublicPoint own = point();
  return Sha256(ByteSpan(reinterpret_cast<const std::uint8_t*>(&own), sizeof(own)));
}

absl::StatusOr<AesKey> DeriveWrappingKey(const EllipticKey& own, const EllipticKey& peer) {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr), EVP_PKEY_CTX_free);
  LETHE_CHECK(context != nullptr);
  // Shared secret (the x coordinate, leading zeros kept), then the counter of the derivation's only
  // round.
  std::array<std::uint8_t, kFieldSize + 4> input{};
  std::size_t size = kFieldSize;
  if (EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(context.get(), input.data(), &size) != 1 || size != kFieldSize) {
    return absl::InvalidArgumentError("cannot derive a shared secret from these two keys");
  }
  StoreBigEndian<std::uint32_t>(input.data() + kFieldSize, 1);
  const AesKey key = Sha256(input);
  Cleanse(absl::MakeSpan(input));
  return key;
}

}  // namespace lethe
