#include "tests/fault/child_processes.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"

namespace lethe::fault {
namespace {

constexpr std::chrono::seconds kPatience(60);

TaskEnd EndOf(const std::function<std::string()>& task, std::chrono::seconds patience = kPatience) {
  TaskEnd result;
  RunInChildren(
      1, 1, patience, [&](std::size_t) { return task(); },
      [&](std::size_t, const TaskEnd& end) { result = end; });
  return result;
}

TEST(ChildProcesses, HandOverWhatEachTaskReturns) {
  std::map<std::size_t, std::string> texts;
  const std::string padding(100'000, 'x');  // more than a pipe holds
  RunInChildren(
      20, 3, kPatience, [&](std::size_t i) { return absl::StrCat(i, padding); },
      [&](std::size_t i, const TaskEnd& end) {
        EXPECT_EQ(end.kind, TaskEnd::Kind::kReturned);
        texts[i] = end.text;
      });
  ASSERT_EQ(texts.size(), 20u);
  for (const auto& [i, text] : texts) EXPECT_EQ(text, absl::StrCat(i, padding));
}

TEST(ChildProcesses, ACrashIsTold) {
  const TaskEnd end = EndOf([]() -> std::string {
    raise(SIGKILL);
    return "";
  });
  EXPECT_EQ(end.kind, TaskEnd::Kind::kDied);
  EXPECT_EQ(end.text, "killed by signal 9");
  EXPECT_EQ(EndOf([]() -> std::string { _exit(3); }).text, "exit status 3");
}

TEST(ChildProcesses, OneThatHangsIsEnded) {
  const TaskEnd end = EndOf(
      []() -> std::string {
        for (;;) pause();
      },
      std::chrono::seconds(1));
  EXPECT_EQ(end.kind, TaskEnd::Kind::kHung);
}

// A process of another session, as the reaper is.
std::string LeaveBehind(const std::function<void()>& what_it_does) {
  if (fork() == 0) {
    setsid();
    for (int fd = 3; fd < 64; ++fd) close(fd);
    what_it_does();
    _exit(0);
  }
  return "left";
}

TEST(ChildProcesses, WhatATaskLeavesBehindMayEndByItself) {
  const TaskEnd end = EndOf([] { return LeaveBehind([] { usleep(20'000); }); });
  EXPECT_EQ(end.kind, TaskEnd::Kind::kReturned);
}

TEST(ChildProcesses, WhatATaskLeavesBehindMustEndWell) {
  const TaskEnd end = EndOf([] { return LeaveBehind([] { _exit(1); }); });
  EXPECT_EQ(end.kind, TaskEnd::Kind::kRemain);
  EXPECT_EQ(end.text, "exit status 1: left");
}

TEST(ChildProcesses, WhatATaskLeavesBehindMustEnd) {
  const TaskEnd end = EndOf(
      [] {
        return LeaveBehind([] {
          for (;;) pause();
        });
      },
      std::chrono::seconds(1));
  EXPECT_EQ(end.kind, TaskEnd::Kind::kRemain);
  EXPECT_EQ(end.text, "does not end: left");
}

}  // namespace
}  // namespace lethe::fault
