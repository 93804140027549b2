#ifndef LETHE_EMULATED_HOST_CPU_CODE_CACHE_H_
#define LETHE_EMULATED_HOST_CPU_CODE_CACHE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "emulated-host/cpu/instruction.h"
#include "emulated-host/cpu/instruction_set.h"
#include "emulated-host/storage/guest_storage.h"

namespace lethe::emulated {

// The decoded instructions of one CPU, by absolute page. Used by the CPU's own thread only.
//
// Ops of a page stand in chunks, in the order in which they were decoded; a block of them runs from
// one to the next in memory and ends in an op that is no instruction but leads on (to another
// block, to the next page, back to the decoder). Nothing moves and nothing is freed before Reset(),
// so ops may be reached from anywhere; one that is no longer true gets a handler that decodes anew.
class CodeCache {
 public:
  class Page {
   private:
    friend class CodeCache;
    std::uint64_t absolute = 0;
    const std::uint8_t* bytes = nullptr;
    std::vector<std::uint32_t> chunks;
    std::uint32_t used = 0;      // ops in the last chunk
    std::uint32_t stores = 0;    // that met decoded bytes
    std::uint64_t verified = 0;  // when
    // What the page looked like when all its instructions were last found to agree with it; none
    // was decoded since if `is_image_whole`.
    std::array<std::uint8_t, kPageSize> image;
    bool is_image_whole = false;
    // Per halfword of the page, the number of the op that begins there, in the page's own count
    // (chunks in their order), plus 1.
    std::array<std::uint16_t, kPageSize / 2> ops{};
  };

  // Room for `chunks` chunks of kChunk ops; address space, not memory.
  explicit CodeCache(const InstructionSet& instructions, std::size_t chunks = kDefaultChunks);
  ~CodeCache();
  CodeCache(const CodeCache&) = delete;
  CodeCache& operator=(const CodeCache&) = delete;

  Op* ops() const { return ops_; }

  // The page's instructions, compared with `bytes` unless that was done at the same `time` already
  // (devices write to storage unseen; the caller counts on when they may have done so).
  Page& Verified(std::uint64_t absolute_page, const std::uint8_t* bytes, std::uint64_t time);
  // The op at an even offset of the page; decodes it if need be. nullptr: the cache is full.
  const Op* Find(Page& page, std::uint32_t offset);
  Page& PageOf(const Op& op) { return *page_of_chunk_[Number(op) / kChunk]; }
  std::uint32_t Number(const Op& op) const { return static_cast<std::uint32_t>(&op - ops_); }
  InstructionText TextOf(const Op& op) const { return texts_[Number(op)]; }

  // Bytes in [absolute, absolute + length), inside one page, were stored into. True: so many stores
  // have met instructions of this page that it is better not to watch it any longer (Drop).
  bool Stored(std::uint64_t absolute, std::size_t length);
  void Drop(std::uint64_t absolute_page);
  // Forgets everything. No op may be in use.
  void Reset();

  // Makes `op` lead to `to` without further ado.
  void Lead(const Op& op, const Op& to) const;

  const InstructionSet& instructions() const { return instructions_; }

 private:
  static constexpr std::size_t kChunk = 64;
  static constexpr std::size_t kDefaultChunks = 12'800;  // 819,200 ops in 31 MiB
  static constexpr std::uint32_t kLongestBlock = 32;
  static constexpr std::uint32_t kStoresBeforeDrop = 32;

  static InstructionText TextAt(const std::uint8_t* page, std::uint32_t offset);
  Op* Append(Page& page);
  bool Reserve(Page& page, std::uint32_t count);
  std::uint32_t LocalNumber(const Page& page) const {
    return static_cast<std::uint32_t>((page.chunks.size() - 1) * kChunk + page.used);
  }
  Op& At(const Page& page, std::uint32_t local) const {
    return ops_[page.chunks[local / kChunk] * kChunk + local % kChunk];
  }
  void DecodeOne(Page& page, std::uint32_t offset, InstructionText text);
  void End(Page& page, std::uint32_t offset);
  void Kill(Page& page, std::uint32_t offset);
  void KillAll(Page& page);

  const InstructionSet& instructions_;
  const std::size_t capacity_;
  Op* ops_ = nullptr;
  InstructionText* texts_ = nullptr;
  std::vector<Page*> page_of_chunk_;
  absl::flat_hash_map<std::uint64_t, std::unique_ptr<Page>> pages_;
  std::vector<std::unique_ptr<Page>> dropped_;  // ops still refer to them
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_CPU_CODE_CACHE_H_
