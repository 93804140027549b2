#ifndef LETHE_EMULATED_HOST_ULTRAVISOR_PAGE_MARKS_H_
#define LETHE_EMULATED_HOST_ULTRAVISOR_PAGE_MARKS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace lethe::emulated {

// One bit per page of a region, all clear at first; costs memory only where bits were set. Safe for
// concurrent use, in no order with anything else.
class PageMarks {
 public:
  explicit PageMarks(std::size_t pages)
      : words_(static_cast<Word*>(std::calloc(pages / kBits + 1, sizeof(Word)))) {
    if (words_ == nullptr) throw std::bad_alloc();
  }

  bool Has(std::size_t page) const {
    return (words_.get()[page / kBits].load(std::memory_order_relaxed) & Bit(page)) != 0;
  }
  void Set(std::size_t page) {
    if (!Has(page)) words_.get()[page / kBits].fetch_or(Bit(page), std::memory_order_relaxed);
  }
  void Clear(std::size_t page) {
    if (Has(page)) words_.get()[page / kBits].fetch_and(~Bit(page), std::memory_order_relaxed);
  }

 private:
  using Word = std::atomic<std::uint64_t>;
  static constexpr std::size_t kBits = 64;
  struct Free {
    void operator()(Word* words) const { std::free(words); }
  };

  static std::uint64_t Bit(std::size_t page) { return std::uint64_t{1} << page % kBits; }

  std::unique_ptr<Word, Free> words_;
};

}  // namespace lethe::emulated

#endif  // LETHE_EMULATED_HOST_ULTRAVISOR_PAGE_MARKS_H_
