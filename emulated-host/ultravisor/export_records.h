#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_EXPORT_RECORDS_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_EXPORT_RECORDS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "emulated-host/ultravisor/page_marks.h"
#include "image/header.h"

namespace lethe::emulated {

// What the Ultravisor must know about a page that the host holds in encrypted form.
struct ExportRecord {
  std::uint64_t number = 0;  // of the export, unique in a configuration: the initialisation vector
  GcmTag tag{};
  bool exported = false;
};

// What one configuration knows of the pages of one region beyond their states. Records are made
// when the first page of a chunk is exported; each is guarded by its page's lock, and so are the
// marks.
class ExportRecords {
 public:
  explicit ExportRecords(std::size_t pages)
      : owned(pages),
        shared_outside(pages),
        count_((pages + kChunk - 1) / kChunk),
        chunks_(new std::atomic<Chunk*>[count_]()) {}
  ~ExportRecords() {
    for (std::size_t i = 0; i < count_; ++i) delete chunks_[i].load();
  }
  ExportRecords(const ExportRecords&) = delete;
  ExportRecords& operator=(const ExportRecords&) = delete;

  // Null: no page of this chunk was ever exported.
  ExportRecord* Find(std::size_t page) const {
    Chunk* const chunk = chunks_[page / kChunk].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &chunk->records[page % kChunk];
  }

  ExportRecord& FindOrMake(std::size_t page) {
    std::atomic<Chunk*>& place = chunks_[page / kChunk];
    Chunk* chunk = place.load(std::memory_order_acquire);
    if (chunk == nullptr) {
      auto made = std::make_unique<Chunk>();
      if (place.compare_exchange_strong(chunk, made.get(), std::memory_order_acq_rel)) {
        chunk = made.release();
      }
    }
    return chunk->records[page % kChunk];
  }

  // Pages that the configuration has had: one that is neither its own nor exported was destroyed or
  // taken from it, and must not pass for a fresh one.
  PageMarks owned;
  // Pages that were exported while they were shared: plain, and shared again when they come back.
  PageMarks shared_outside;

 private:
  static constexpr std::size_t kChunk = 256;
  struct Chunk {
    ExportRecord records[kChunk];
  };

  const std::size_t count_;
  const std::unique_ptr<std::atomic<Chunk*>[]> chunks_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_EXPORT_RECORDS_H_
