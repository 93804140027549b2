#ifndef LETHE_PV_LEDGER_LEDGER_FIXTURE_H_
#define LETHE_PV_LEDGER_LEDGER_FIXTURE_H_

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "pv/ledger/ledger.h"

namespace lethe {

// For tests: a private directory that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(std::filesystem::temp_directory_path() / "lethe-test-XXXXXX") {
    LETHE_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// For tests: another process, ended with the object at the latest.
class Child {
 public:
  // `body`'s result is the exit status. No destructors of the parent's objects run in it.
  explicit Child(const std::function<int()>& body) : pid_(::fork()) {
    LETHE_CHECK(pid_ >= 0);
    if (pid_ == 0) ::_exit(body());
  }
  ~Child() {
    if (pid_ > 0) Kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void Kill() {
    ::kill(pid_, SIGKILL);
    Join();
  }
  // The exit status, or minus the signal.
  int Join() {
    int status = 0;
    LETHE_CHECK(::waitpid(std::exchange(pid_, -1), &status, 0) > 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

// For tests: one event that one process waits for and another one brings about.
class Signpost {
 public:
  Signpost() { LETHE_CHECK(::pipe(ends_.data()) == 0); }
  ~Signpost() {
    for (const int end : ends_) ::close(end);
  }
  void Set() { LETHE_CHECK(::write(ends_[1], "x", 1) == 1); }
  void Await() {
    char byte;
    LETHE_CHECK(::read(ends_[0], &byte, 1) == 1);
  }

 private:
  std::array<int, 2> ends_;
};

inline LedgerGuest GuestNamed(const std::string& name, std::uint64_t memory_bytes = 1 << 20) {
  LedgerGuest guest;
  guest.name = name;
  guest.uuid.fill(0xab);
  guest.memory_bytes = memory_bytes;
  return guest;
}

class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() : ledger_(*Ledger::Open(path())) {}

  std::string path() const { return temporary_.path() + "/ledger"; }
  std::vector<LedgerSnapshot> Entries() { return *ledger_->Read(); }

  TemporaryDirectory temporary_;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace lethe

#endif  // LETHE_PV_LEDGER_LEDGER_FIXTURE_H_
