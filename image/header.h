#ifndef LETHE_IMAGE_HEADER_H_
#define LETHE_IMAGE_HEADER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/big_endian.h"

namespace lethe {

// Layout of IBM Secure Execution images (s390-tools, genprotimg and pvimg; header version 1). All
// multi-byte fields are big endian. A file is a memory image: file offset = guest absolute address.

inline constexpr std::uint64_t kImagePageSize = 4096;
inline constexpr std::uint64_t kSecureHeaderMagic = 0x49424d5365634578;  // "IBMSecEx" in ASCII
inline constexpr std::uint32_t kSecureHeaderVersion = 0x100;
inline constexpr std::size_t kSecureHeaderLimit = 2 * kImagePageSize;

using Digest512 = std::array<std::uint8_t, 64>;
using Digest256 = std::array<std::uint8_t, 32>;
using AesKey = std::array<std::uint8_t, 32>;
using XtsKey = std::array<std::uint8_t, 64>;  // key 1 (data), key 2 (tweak)
using GcmTag = std::array<std::uint8_t, 16>;
using GcmIv = std::array<std::uint8_t, 12>;

// One coordinate of a point on secp521r1: right aligned, 14 zero bytes, then 66.
using Coordinate = std::array<std::uint8_t, 80>;
struct PublicPoint {
  Coordinate x;
  Coordinate y;
};
static_assert(sizeof(PublicPoint) == 160);

// Plaintext control flags.
inline constexpr std::uint64_t kDumpAllowed = 0x20000000;
inline constexpr std::uint64_t kComponentsNotEncrypted = 0x10000000;
inline constexpr std::uint64_t kPckmoFlags = 0xf0;             // DEA, AES, ECC, HMAC
inline constexpr std::uint64_t kDefaultPlaintextFlags = 0xe0;  // without HMAC
inline constexpr std::uint64_t kSupportedPlaintextFlags =
    kDumpAllowed | kComponentsNotEncrypted | kPckmoFlags;
// Secret control flags.
inline constexpr std::uint64_t kExtensionSecretRequired = 0x4000000000000000;
inline constexpr std::uint64_t kSupportedSecretFlags = kExtensionSecretRequired;

// The header up to its key slots. Behind it: key slots, encrypted area, tag. The header's tag
// covers everything before the encrypted area and the encrypted area.
struct SecureHeader {
  Be64 magic;
  Be32 version;
  Be32 size;  // of everything, tag included
  GcmIv iv;
  Be32 reserved;
  Be64 key_slots;
  Be64 encrypted_size;
  Be64 pages;  // of all components
  Be64 plaintext_flags;
  PublicPoint customer_key;
  Digest512 page_digest;     // PLD: the pages as stored
  Digest512 address_digest;  // ALD
  Digest512 tweak_digest;    // TLD
};
static_assert(sizeof(SecureHeader) == 416);
static_assert(offsetof(SecureHeader, plaintext_flags) == 56);
static_assert(offsetof(SecureHeader, page_digest) == 224);
static_assert(offsetof(SecureHeader, tweak_digest) == 352);

struct KeySlot {
  Digest256 host_key;  // names the host key
  AesKey wrapped_key;
  GcmTag tag;
};
static_assert(sizeof(KeySlot) == 80);

struct EncryptedArea {
  AesKey customer_communication_key;
  XtsKey component_key;
  Be64 psw_mask;
  Be64 psw_address;
  Be64 secret_flags;
  Be32 optional_items;
  Be32 reserved;
};
static_assert(sizeof(EncryptedArea) == 128);
static_assert(offsetof(EncryptedArea, secret_flags) == 112);

inline constexpr std::size_t kKeySlotLimit =
    (kSecureHeaderLimit - sizeof(SecureHeader) - sizeof(EncryptedArea) - sizeof(GcmTag)) /
    sizeof(KeySlot);
static_assert(kKeySlotLimit == 95);

// IPL parameter block for a protected guest (block type 5), at most one page; behind it come the
// components.
inline constexpr std::uint8_t kProtectedIplBlock = 5;
struct ProtectedIplHeader {
  Be32 length;
  std::uint8_t flags;
  std::array<std::uint8_t, 2> reserved0;
  std::uint8_t version;
  Be32 block_length;
  std::uint8_t block_type;
  std::uint8_t block_flags;  // 0x80: load parameter valid
  std::array<std::uint8_t, 2> reserved1;
  std::array<std::uint8_t, 8> load_parameter;
  std::array<std::uint8_t, 87> reserved2;
  std::uint8_t block_version;
  Be32 reserved3;
  Be32 components;
  Be64 header_address;
  Be64 header_size;
};
static_assert(sizeof(ProtectedIplHeader) == 0x88);
static_assert(offsetof(ProtectedIplHeader, block_version) == 0x6f);
static_assert(offsetof(ProtectedIplHeader, header_address) == 0x78);

struct ProtectedIplComponent {
  Be64 tweak_prefix;
  Be64 address;
  Be64 size;  // a multiple of pages
};
static_assert(sizeof(ProtectedIplComponent) == 24);
inline constexpr std::size_t kIplComponentLimit =
    (kImagePageSize - sizeof(ProtectedIplHeader)) / sizeof(ProtectedIplComponent);

// The last bytes of stage 3a; offsets are relative to the address of this structure.
struct Stage3aArguments {
  Be64 header_offset;
  Be64 header_size;
  Be64 ipl_offset;
};
static_assert(sizeof(Stage3aArguments) == 24);

// The last bytes of stage 3b. Sizes are not padded; address and size 0 for what is missing.
struct Extent {
  Be64 address;
  Be64 size;
};
struct Stage3bArguments {
  Extent kernel;
  Extent command_line;  // with its terminating zero
  Extent initrd;
  Be64 psw_mask;
  Be64 psw_address;
};
static_assert(sizeof(Stage3bArguments) == 64);

// Tells of pvimg-made files where things are; unaligned, at a fixed place.
struct ImageMetadata {
  static constexpr std::uint64_t kAddress = 0xc000;
  static constexpr std::array<std::uint8_t, 8> kMagic = {'S', 'e', 'I', 'm', 'g', 'L', 'n', 'x'};
  std::array<std::uint8_t, 8> magic;
  Be64 header_offset;
  Be32 version;
  Be64 ipl_offset;
};
static_assert(sizeof(ImageMetadata) == 28);

inline constexpr std::uint64_t kStage3aAddress = 0x10000;
inline constexpr std::uint64_t kStage3aEntry = 0x11000;

// Tweak of one page of a component, as hashed and as used for AES-XTS.
struct PageTweak {
  Be64 prefix;
  Be64 offset;  // of the page in the component, in bytes
};
static_assert(sizeof(PageTweak) == 16);

}  // namespace lethe

#endif  // LETHE_IMAGE_HEADER_H_
