#include "emulated-host/cpu/code_cache.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "base/check.h"
#include "emulated-host/cpu/cpu.h"

namespace lethe::emulated {
namespace {

// The bits of Op::link that say why there is no link.
constexpr std::int32_t kNoLink = 1;
constexpr std::int32_t kUnresolvedLink = 3;

// Handlers of ops that are no instructions, or not the ones that stand there.
const Op* RunLead(Cpu& cpu, const Op* op) {
  const Op* const next = reinterpret_cast<const Op*>(reinterpret_cast<const char*>(op) + op->link);
  return next->handler(cpu, next);
}
const Op* RunRedecode(Cpu& cpu, const Op* op) { return cpu.Redecode(*op); }
const Op* RunPageEnd(Cpu& cpu, const Op*) { return cpu.ContinueAt(cpu.code_base() + kPageSize); }
const Op* RunCrossPage(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  return cpu.CrossPage(*op);
}
const Op* RunUnknown(Cpu& cpu, const Op* op) {
  cpu.SetCurrent(op);
  return cpu.UnknownOperation(*op);
}

// Branches that are always taken: what stands behind them is often not code.
bool EndsBlock(InstructionText text) {
  const std::uint64_t top = text >> 48;
  return (top & 0xfff0) == 0x07f0 || (top & 0xfff0) == 0x47f0 || (top & 0xffff) == 0xa7f4 ||
         (top & 0xffff) == 0xc0f4 || top == 0xb2b2 || (top & 0xff00) == 0x8200;
}

// Brings an image of a page up to date, which other CPUs may store into meanwhile: each doubleword
// is what it was at some time. True: it was up to date.
__attribute__((no_sanitize("thread"))) bool Update(const std::uint8_t* bytes,
                                                   std::array<std::uint8_t, kPageSize>& image) {
  std::uint64_t changes = 0;
  for (std::size_t i = 0; i < kPageSize; i += 8) {
    std::uint64_t known;
    std::memcpy(&known, &image[i], 8);
    const std::uint64_t now =
        __atomic_load_n(reinterpret_cast<const std::uint64_t*>(bytes + i), __ATOMIC_RELAXED);
    changes |= known ^ now;
    std::memcpy(&image[i], &now, 8);
  }
  return changes == 0;
}

void* MapLazily(std::size_t size) {
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return memory;
}

}  // namespace

CodeCache::CodeCache(const InstructionSet& instructions, std::size_t chunks)
    : instructions_(instructions),
      capacity_(chunks),
      ops_(static_cast<Op*>(MapLazily(chunks * kChunk * sizeof(Op)))),
      texts_(static_cast<InstructionText*>(MapLazily(chunks * kChunk * sizeof(InstructionText)))) {}

CodeCache::~CodeCache() {
  ::munmap(ops_, capacity_ * kChunk * sizeof(Op));
  ::munmap(texts_, capacity_ * kChunk * sizeof(InstructionText));
}

InstructionText CodeCache::TextAt(const std::uint8_t* page, std::uint32_t offset) {
  const std::uint64_t first = ReadAligned<std::uint16_t>(page + offset);
  InstructionText text = first << 48;
  const std::uint8_t length = LengthOfText(text);
  if (length >= 4 && offset + 2 < kPageSize) {
    text |= std::uint64_t{ReadAligned<std::uint16_t>(page + offset + 2)} << 32;
  }
  if (length == 6 && offset + 4 < kPageSize) {
    text |= std::uint64_t{ReadAligned<std::uint16_t>(page + offset + 4)} << 16;
  }
  return text;
}

CodeCache::Page& CodeCache::Verified(std::uint64_t absolute_page, const std::uint8_t* bytes,
                                     std::uint64_t time) {
  std::unique_ptr<Page>& page = pages_[absolute_page];
  if (page == nullptr) {
    page = std::make_unique<Page>();
    page->absolute = absolute_page;
    page->bytes = bytes;
    page->verified = time;
    return *page;
  }
  if (page->verified == time && page->bytes == bytes) return *page;
  page->verified = time;
  page->bytes = bytes;
  const bool is_known = Update(bytes, page->image) && page->is_image_whole;
  page->is_image_whole = true;
  if (is_known) return *page;
  for (std::uint32_t offset = 0; offset < kPageSize; offset += 2) {
    const std::uint16_t local = page->ops[offset / 2];
    if (local == 0) continue;
    if (texts_[Number(At(*page, local - 1u))] != TextAt(page->image.data(), offset)) {
      Kill(*page, offset);
    }
  }
  return *page;
}

bool CodeCache::Reserve(Page& page, std::uint32_t count) {
  if (!page.chunks.empty() && page.used + count <= kChunk) return true;
  if (page_of_chunk_.size() == capacity_ || page.chunks.size() >= 0xffff / kChunk) return false;
  page.chunks.push_back(static_cast<std::uint32_t>(page_of_chunk_.size()));
  page.used = 0;
  page_of_chunk_.push_back(&page);
  return true;
}

Op* CodeCache::Append(Page& page) {
  Op* const op = new (&At(page, LocalNumber(page))) Op;
  texts_[Number(*op)] = 0;
  op->link = kNoLink;
  ++page.used;
  return op;
}

void CodeCache::DecodeOne(Page& page, std::uint32_t offset, InstructionText text) {
  const std::uint32_t local = LocalNumber(page);
  Op* const op = Append(page);
  texts_[Number(*op)] = text;
  page.ops[offset / 2] = static_cast<std::uint16_t>(local + 1);
  op->offset = static_cast<std::uint16_t>(offset);
  op->length = LengthOfText(text);
  if (offset + op->length > kPageSize) {
    op->handler = &RunCrossPage;
    return;
  }
  const Instruction* const row = instructions_.Find(text);
  if (row == nullptr) {
    op->opcode = OpcodeOf(text);
    op->handler = &RunUnknown;
    return;
  }
  DecodeOperands(text, *row, *op);
  op->handler = row->handler;
  if (IsRelative(row->format)) {
    const std::int64_t target = static_cast<std::int64_t>(offset) + op->i2;
    if (target >= 0 && target < static_cast<std::int64_t>(kPageSize)) op->link = kUnresolvedLink;
  }
}

// Ends a block at `offset`, where nothing more is to be decoded now.
void CodeCache::End(Page& page, std::uint32_t offset) {
  Op* const op = Append(page);
  op->offset = static_cast<std::uint16_t>(offset);
  if (offset >= kPageSize) {
    op->handler = &RunPageEnd;
  } else if (const std::uint16_t local = page.ops[offset / 2]; local != 0) {
    Lead(*op, At(page, local - 1u));
  } else {
    op->handler = &RunRedecode;
  }
}

const Op* CodeCache::Find(Page& page, std::uint32_t offset) {
  if (const std::uint16_t local = page.ops[offset / 2]; local != 0) return &At(page, local - 1u);
  if (!Reserve(page, 2)) return nullptr;
  page.is_image_whole = false;
  const std::uint32_t first = LocalNumber(page);
  for (std::uint32_t count = 0; count < kLongestBlock; ++count) {
    const InstructionText text = TextAt(page.bytes, offset);
    DecodeOne(page, offset, text);
    offset += LengthOfText(text);
    if (EndsBlock(text) || offset >= kPageSize || page.ops[offset / 2] != 0) break;
    if (page.used + 2 > kChunk) break;
  }
  End(page, offset);
  return &At(page, first);
}

void CodeCache::Lead(const Op& op, const Op& to) const {
  op.link = static_cast<std::int32_t>(reinterpret_cast<const char*>(&to) -
                                      reinterpret_cast<const char*>(&op));
  op.handler = &RunLead;
}

void CodeCache::Kill(Page& page, std::uint32_t offset) {
  std::uint16_t& local = page.ops[offset / 2];
  const Op& op = At(page, local - 1u);
  op.handler = &RunRedecode;
  op.link = kNoLink;
  local = 0;
}

void CodeCache::KillAll(Page& page) {
  for (std::uint32_t offset = 0; offset < kPageSize; offset += 2) {
    if (page.ops[offset / 2] != 0) Kill(page, offset);
  }
}

bool CodeCache::Stored(std::uint64_t absolute, std::size_t length) {
  const auto found = pages_.find(absolute & kPageMask);
  if (found == pages_.end()) return false;
  Page& page = *found->second;
  const auto begin = static_cast<std::uint32_t>(absolute % kPageSize);
  const auto end = static_cast<std::uint32_t>(begin + length);
  bool met = false;
  // An instruction that begins up to four bytes earlier may reach into the stored bytes.
  for (std::uint32_t offset = begin < 4 ? 0 : (begin - 4) & ~1u; offset < end; offset += 2) {
    const std::uint16_t local = page.ops[offset / 2];
    if (local == 0 || offset + At(page, local - 1u).length <= begin) continue;
    Kill(page, offset);
    met = true;
  }
  if (met) ++page.stores;
  return page.stores >= kStoresBeforeDrop;
}

void CodeCache::Drop(std::uint64_t absolute_page) {
  const auto found = pages_.find(absolute_page);
  if (found == pages_.end()) return;
  KillAll(*found->second);
  dropped_.push_back(std::move(found->second));
  pages_.erase(found);
}

void CodeCache::Reset() {
  pages_.clear();
  dropped_.clear();
  page_of_chunk_.clear();
}

}  // namespace lethe::emulated
