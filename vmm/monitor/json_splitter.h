#ifndef LETHE_VMM_MONITOR_JSON_SPLITTER_H_
#define LETHE_VMM_MONITOR_JSON_SPLITTER_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace lethe::vmm {

// Finds where one JSON value ends and the next begins in a stream of bytes that comes in pieces.
// Only brackets and strings are looked at: whether a value is right is for a parser to say. What
// cannot be a value (a bracket that closes nothing, a control character in a string, more than the
// limits) is given out as one error, and the search goes on at the next line.
class JsonSplitter {
 public:
  struct Limits {
    std::size_t bytes = 64 * 1024;  // of one value
    std::size_t depth = 64;         // of brackets in it
  };
  struct Item {
    std::string text;   // of an object or array; empty: an error
    std::string error;  // one line for the client
    bool operator==(const Item&) const = default;
  };

  JsonSplitter() = default;
  explicit JsonSplitter(Limits limits) : limits_(limits) {}

  // Keeps at most one unfinished value, and of finished ones no more than `bytes` brought.
  void Add(absl::string_view bytes);
  // The next value or error; nothing until more bytes come.
  std::optional<Item> Take();

 private:
  enum class State { kBetween, kInside, kString, kEscape, kSkipping };

  void AddByte(char byte);
  void Inside(char byte);
  void Open(char byte);
  void Close(char byte);
  // Gives up the value at `byte`.
  void Fail(char byte, std::string error);

  Limits limits_;
  State state_ = State::kBetween;
  std::string value_;
  std::string brackets_;  // still open
  std::deque<Item> items_;
};

}  // namespace lethe::vmm

#endif  // LETHE_VMM_MONITOR_JSON_SPLITTER_H_
