#ifndef LETHE_TESTS_FAULT_CHILD_PROCESSES_H_
#define LETHE_TESTS_FAULT_CHILD_PROCESSES_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace lethe::fault {

// How a task in a process of its own ended.
struct TaskEnd {
  enum class Kind {
    kReturned,
    kDied,    // by a signal or an exit of its own; `text` says which
    kHung,    // it was ended after its time
    kRemain,  // it returned, and a process that it had started did not end, or not well
  };
  Kind kind = Kind::kReturned;
  std::string text = {};  // what the task returned
};

// Runs tasks 0 to `count` - 1, each in a child of this process, which must have no other threads
// and no other children; `parallel` at a time. Processes that a task leaves behind have the same
// time to end. `on_end` is called here, in the order of the ends.
void RunInChildren(std::size_t count, unsigned parallel, std::chrono::seconds patience,
                   const std::function<std::string(std::size_t)>& task,
                   const std::function<void(std::size_t, const TaskEnd&)>& on_end);

}  // namespace lethe::fault

#endif  // LETHE_TESTS_FAULT_CHILD_PROCESSES_H_
