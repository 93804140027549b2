#include "vmm/monitor/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/status_matchers.h"
#include "vmm/monitor/fake_machine_control.h"
#include "vmm/monitor/monitor_client.h"
#include "vmm/monitor/socket_fixture.h"

namespace lethe::vmm {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

class MonitorTest : public SocketTest {
 protected:
  MonitorTest() {
    auto opened = Monitor::Listen(path(), "lethe 0", Log::Silent());
    LETHE_CHECK(opened.ok());
    monitor = *std::move(opened);
  }
  // A client past its negotiation.
  MonitorClient Connect() {
    MonitorClient client(path());
    EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("QMP")));
    EXPECT_EQ(client.Do("qmp_capabilities"), kDone);
    return client;
  }

  static constexpr absl::string_view kDone = R"({"return":{}})";
  FakeMachineControl machine;
  std::unique_ptr<Monitor> monitor;
};

TEST_F(MonitorTest, LetsAClientThatComesEarlyWait) {
  MonitorClient client(path());
  ASSERT_TRUE(client.connected());
  monitor->Serve(machine, nullptr);
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("lethe 0")));
}

TEST_F(MonitorTest, ServesOneClientAfterTheOther) {
  monitor->Serve(machine, nullptr);
  for (int i = 0; i < 3; ++i) {
    MonitorClient client = Connect();
    EXPECT_THAT(client.Do("query-status"), Optional(HasSubstr("running")));
  }
}

TEST_F(MonitorTest, LetsTheNextClientWaitForTheEndOfTheFirst) {
  monitor->Serve(machine, nullptr);
  std::optional<MonitorClient> first = Connect();
  MonitorClient second(path());
  ASSERT_TRUE(second.connected());
  EXPECT_TRUE(second.Quiet(50));
  EXPECT_THAT(first->Do("query-name"), Optional(HasSubstr("fake")));
  first.reset();
  EXPECT_THAT(second.ReadLine(), Optional(HasSubstr("QMP")));
}

TEST_F(MonitorTest, SendsEventsOnlyAfterTheNegotiation) {
  monitor->Serve(machine, nullptr);
  MonitorClient client(path());
  ASSERT_THAT(client.ReadLine(), Optional(HasSubstr("QMP")));
  monitor->Report({.name = "pause"});
  EXPECT_EQ(client.Do("qmp_capabilities"), kDone);
  monitor->Report({.name = "resume"});
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("RESUME")));
}

TEST_F(MonitorTest, TellsWhatACommandDidBeforeItAnswers) {
  machine.on_order = [&](const std::string&) { monitor->Report({.name = "pause"}); };
  monitor->Serve(machine, nullptr);
  MonitorClient client(path());
  client.Send(R"({"execute":"qmp_capabilities"}{"execute":"stop"})");
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("QMP")));
  EXPECT_EQ(client.ReadLine(), kDone);
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("STOP")));
  EXPECT_EQ(client.ReadLine(), kDone);
}

TEST_F(MonitorTest, AnswersAClientThatSendsAllAndThenNoMore) {
  monitor->Serve(machine, nullptr);
  MonitorClient client(path());
  client.Send(R"({"execute":"qmp_capabilities"}{"execute":"query-name"}{"execute")");
  client.EndSending();
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("QMP")));
  EXPECT_EQ(client.ReadLine(), kDone);
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("fake")));
  EXPECT_EQ(client.ReadLine(), std::nullopt);
  Connect();
}

TEST_F(MonitorTest, DropsAClientThatDoesNotReadItsEvents) {
  monitor->Serve(machine, nullptr);
  MonitorClient client = Connect();
  // More than sockets take, by far; this thread is never kept waiting.
  const std::string reason(1024, 'x');
  for (int i = 0; i < 8 * 1024; ++i) monitor->Report({.name = "released", .reason = reason});
  Connect();
}

TEST_F(MonitorTest, DoesNotReadOnFromAClientThatDoesNotReadAnswers) {
  monitor->Serve(machine, nullptr);
  MonitorClient client = Connect();
  std::thread sender([&] {
    std::string commands;
    for (int i = 0; i < 100; ++i) commands += R"({"execute":"query-commands"})";
    for (int i = 0; i < 200; ++i) client.Send(commands);
  });
  for (int i = 0; i < 100 * 200; ++i)
    ASSERT_THAT(client.ReadLine(), Optional(HasSubstr("query-commands")));
  sender.join();
}

TEST_F(MonitorTest, OutlivesClientsThatLeaveInTheMiddle) {
  monitor->Serve(machine, nullptr);
  for (int i = 0; i < 50; ++i) {
    MonitorClient client(path());
    client.Send(std::string(static_cast<std::size_t>(i) * 100, '{'));
  }
  Connect();
}

TEST_F(MonitorTest, KnowsTheLastStateWhenTheMachineIsGone) {
  std::optional<FakeMachineControl> mortal;
  mortal.emplace();
  monitor->Serve(*mortal, nullptr);
  MonitorClient client = Connect();
  EXPECT_EQ(client.Do("quit"), kDone);
  monitor->Report({.name = "end", .cause = "host-qmp-quit"});
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("SHUTDOWN")));
  monitor->Detach();
  mortal.reset();
  EXPECT_THAT(client.Do("query-status"), Optional(HasSubstr("shutdown")));
  EXPECT_THAT(client.Do("stop"), Optional(HasSubstr("not possible in state")));
  EXPECT_EQ(client.Do("quit"), kDone);
  monitor->Report({.name = "stopped", .kind = "shutdown", .strategy = "bulk"});
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("X_LETHE_STOPPED")));
}

TEST_F(MonitorTest, SendsTheLastEventsAndRemovesThePathAtItsEnd) {
  monitor->Serve(machine, nullptr);
  MonitorClient client = Connect();
  monitor->Report({.name = "stopped", .kind = "shutdown", .strategy = "bulk"});
  monitor.reset();
  EXPECT_THAT(client.ReadLine(), Optional(HasSubstr("X_LETHE_STOPPED")));
  EXPECT_EQ(client.ReadLine(), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(MonitorTest, TakesEventsAfterItsEnd) {
  monitor->Serve(machine, nullptr);
  MonitorClient client = Connect();
  monitor->End();
  monitor->Report({.name = "pause"});
  EXPECT_EQ(client.ReadLine(), std::nullopt);
  EXPECT_FALSE(std::filesystem::exists(path()));
  monitor->End();
}

TEST_F(MonitorTest, EndsWithoutHavingServed) {
  monitor.reset();
  EXPECT_FALSE(std::filesystem::exists(path()));
}

}  // namespace
}  // namespace lethe::vmm
