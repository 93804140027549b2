#include "vmm/monitor/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "vmm/monitor/fake_machine_control.h"
#include "vmm/monitor/fake_teardown_control.h"

namespace lethe::vmm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MonitorSessionTest : public ::testing::Test {
 protected:
  explicit MonitorSessionTest(bool with_teardown = true)
      : session_({machine, with_teardown ? &teardown : nullptr, "lethe 1.2.3", MonitorCommands()},
                 [this](std::string line) { lines.push_back(std::move(line)); }) {}

  // The one answer to `text`.
  nlohmann::json Say(absl::string_view text) {
    lines.clear();
    session_.Receive(text);
    EXPECT_THAT(lines, SizeIs(1)) << text;
    if (lines.size() != 1) return nullptr;
    EXPECT_TRUE(absl::EndsWith(lines[0], "\r\n"));
    return nlohmann::json::parse(lines[0]);
  }
  nlohmann::json Do(absl::string_view command, absl::string_view arguments = "{}") {
    return Say(absl::StrCat("{\"execute\":\"", command, "\",\"arguments\":", arguments, "}"));
  }
  void Negotiate() { EXPECT_EQ(Do("qmp_capabilities"), nlohmann::json::parse(R"({"return":{}})")); }
  static std::string ErrorOf(const nlohmann::json& answer) {
    if (!answer.contains("error")) return "no error: " + answer.dump();
    return answer["error"]["class"].get<std::string>() + ": " +
           answer["error"]["desc"].get<std::string>();
  }

  MonitorSession& session() { return session_; }

  FakeMachineControl machine;
  FakeTeardownControl teardown;
  std::vector<std::string> lines;

 private:
  MonitorSession session_;
};

TEST_F(MonitorSessionTest, Greets) {
  EXPECT_THAT(lines, ElementsAre("{\"QMP\":{\"version\":{\"qemu\":{\"major\":10,\"minor\":0,"
                                 "\"micro\":0},\"package\":\"lethe 1.2.3\"},\"capabilities\":[]}}"
                                 "\r\n"));
}

TEST_F(MonitorSessionTest, WantsToNegotiateFirstAndOnce) {
  EXPECT_EQ(ErrorOf(Do("query-status")),
            "CommandNotFound: Expecting capabilities negotiation with 'qmp_capabilities'");
  EXPECT_EQ(ErrorOf(Do("qmp_capabilities", R"({"enable":["oob"]})")),
            "GenericError: Capability oob not available");
  EXPECT_EQ(ErrorOf(Do("query-status")).substr(0, 15), "CommandNotFound");
  Negotiate();
  EXPECT_EQ(ErrorOf(Do("qmp_capabilities")).substr(0, 15), "CommandNotFound");
  EXPECT_EQ(Do("query-status")["return"]["status"], "running");
}

TEST_F(MonitorSessionTest, AnswersWithTheIdOfTheRequest) {
  EXPECT_EQ(Say(R"({"execute":"qmp_capabilities","id":"libvirt-1"})"),
            nlohmann::json::parse(R"({"return":{},"id":"libvirt-1"})"));
  EXPECT_EQ(Say(R"({"execute":"nonsense","id":{"a":[1,null]}})")["id"].dump(), R"({"a":[1,null]})");
  EXPECT_EQ(Say(R"({"id":7})")["id"], 7);
}

TEST_F(MonitorSessionTest, TakesSeveralRequestsAtOnceAndOneInPieces) {
  Negotiate();
  lines.clear();
  session().Receive(R"({"execute":"query-name"}{"execute":"stop"}{"exec)");
  EXPECT_THAT(lines, ElementsAre("{\"return\":{\"name\":\"fake\"}}\r\n", "{\"return\":{}}\r\n"));
  EXPECT_EQ(Say(R"(ute":"query-status"})")["return"]["status"], "paused");
}

TEST_F(MonitorSessionTest, RefusesWhatIsNoRequest) {
  Negotiate();
  EXPECT_EQ(ErrorOf(Say("hello\n")), "GenericError: QMP input must be a JSON object");
  EXPECT_EQ(ErrorOf(Say("[]")), "GenericError: QMP input must be a JSON object");
  EXPECT_EQ(ErrorOf(Say("{x}")), "GenericError: Invalid JSON syntax");
  EXPECT_EQ(ErrorOf(Say("{\"a\":1e999}")), "GenericError: Invalid JSON syntax");
  EXPECT_EQ(ErrorOf(Say("{\"execute\":\"\xc3\x28\"}")), "GenericError: Invalid JSON syntax");
  EXPECT_EQ(ErrorOf(Say("{}")), "GenericError: QMP input lacks member 'execute'");
  EXPECT_EQ(ErrorOf(Say(R"({"execute":1})")),
            "GenericError: QMP input member 'execute' must be a string");
  EXPECT_EQ(ErrorOf(Say(R"({"execute":"stop","arguments":[]})")),
            "GenericError: QMP input member 'arguments' must be an object");
  EXPECT_EQ(ErrorOf(Say(R"({"execute":"stop","argument":{}})")),
            "GenericError: QMP input member 'argument' is unexpected");
  EXPECT_EQ(ErrorOf(Do("blockdev-add")),
            "CommandNotFound: The command blockdev-add has not been found");
  EXPECT_THAT(machine.orders(), IsEmpty());
}

TEST_F(MonitorSessionTest, ChecksArguments) {
  Negotiate();
  EXPECT_EQ(ErrorOf(Do("stop", R"({"now":true})")), "GenericError: Parameter 'now' is unexpected");
  EXPECT_EQ(ErrorOf(Do("x-lethe-set-destroy-policy", R"({"reboot":1})")),
            "GenericError: Invalid parameter type for 'reboot', expected: string");
  EXPECT_EQ(ErrorOf(Do("x-lethe-set-destroy-policy", R"({"reboot":"never"})")),
            "GenericError: Parameter 'reboot' does not accept value 'never'");
  EXPECT_THAT(machine.orders(), IsEmpty());
}

TEST(CheckArgumentsTest, KnowsEveryTypeAndWhatIsMissing) {
  constexpr ArgumentRow kRows[] = {
      {"s", ArgumentType::kString, false, ""},
      {"b", ArgumentType::kBoolean, true, ""},
      {"i", ArgumentType::kInteger, true, ""},
      {"l", ArgumentType::kStringList, true, ""},
  };
  const MonitorCommand command{"c", kRows, "", RunStateSet::All(), "", nullptr};
  const auto check = [&](absl::string_view text) {
    return std::string(CheckArguments(command, Json::parse(text.begin(), text.end())).message());
  };
  EXPECT_EQ(check(R"({"s":"x"})"), "");
  EXPECT_EQ(check(R"({"s":"x","b":false,"i":-1,"l":["a"]})"), "");
  EXPECT_EQ(check("{}"), "Parameter 's' is missing");
  EXPECT_EQ(check(R"({"s":null})"), "Invalid parameter type for 's', expected: string");
  EXPECT_EQ(check(R"({"s":"","b":0})"), "Invalid parameter type for 'b', expected: boolean");
  EXPECT_EQ(check(R"({"s":"","i":1.5})"), "Invalid parameter type for 'i', expected: integer");
  EXPECT_EQ(check(R"({"s":"","l":[1]})"),
            "Invalid parameter type for 'l', expected: array of strings");
}

TEST_F(MonitorSessionTest, GivesTheMachineItsOrders) {
  Negotiate();
  for (const char* command : {"stop", "cont", "system_reset", "system_powerdown", "quit"})
    EXPECT_EQ(Do(command).dump(), R"({"return":{}})") << command;
  EXPECT_THAT(machine.orders(), ElementsAre("pause", "continue", "reset host-qmp-system-reset",
                                            "power-down", "end host-qmp-quit"));
}

TEST_F(MonitorSessionTest, TellsWhatTheMachineCannotDo) {
  Negotiate();
  machine.set_answer(absl::DeadlineExceededError("too slow"));
  EXPECT_EQ(ErrorOf(Do("stop")), "GenericError: too slow");
}

TEST_F(MonitorSessionTest, RefusesCommandsThatTheStateDoesNotAllow) {
  Negotiate();
  machine.set_state(RunState::kGuestPanicked);
  EXPECT_EQ(ErrorOf(Do("cont")),
            "GenericError: The command cont is not possible in state 'guest-panicked'");
  EXPECT_EQ(Do("query-status")["return"].dump(), R"({"running":false,"status":"guest-panicked"})");
  EXPECT_EQ(Do("quit").dump(), R"({"return":{}})");
  EXPECT_THAT(machine.orders(), ElementsAre("end host-qmp-quit"));
}

TEST_F(MonitorSessionTest, Queries) {
  Negotiate();
  EXPECT_EQ(Do("query-uuid")["return"]["UUID"], machine.uuid());
  EXPECT_EQ(Do("query-version")["return"]["package"], "lethe 1.2.3");
  EXPECT_EQ(Do("query-commands")["return"].size(), MonitorCommands().size());
  machine.set_state(RunState::kPaused);
  EXPECT_EQ(Do("query-status")["return"].dump(), R"({"running":false,"status":"paused"})");
}

TEST_F(MonitorSessionTest, ChangesThePolicyInPart) {
  Negotiate();
  for (const char* mode : {"auto", "lazy", "sync"}) {
    Do("x-lethe-set-destroy-policy", absl::StrCat("{\"reboot\":\"", mode, "\"}"));
    EXPECT_EQ(teardown.current_policy.reboot, ParseDestroyMode(mode));
  }
  Do("x-lethe-set-destroy-policy", R"({"shutdown":"lazy"})");
  EXPECT_EQ(Do("x-lethe-query-destroy-policy")["return"].dump(),
            R"({"reboot":"sync","shutdown":"lazy"})");
}

TEST_F(MonitorSessionTest, TellsAboutTheTeardown) {
  Negotiate();
  EXPECT_EQ(Do("x-lethe-query-teardown")["return"],
            nlohmann::json::parse(R"({"protected":false,"waiting":0,"cleaning":0,
                "pressure":"none","reaper-alive":false,"decisions":[]})"));
  TeardownStatus& status = teardown.current_status;
  status.is_protected = true;
  status.waiting = 1;
  status.cleaning = 2;
  status.pressure = PressureLevel::kHigh;
  status.reaper = 4711;
  status.pages_owed = 512;
  DestroyDecision bulk;
  bulk.strategy = ShutdownStrategy::kBulk;
  bulk.lazy = true;
  bulk.reasons = {"a", "b"};
  status.decisions.push_back(bulk);
  EXPECT_EQ(Do("x-lethe-query-teardown")["return"],
            nlohmann::json::parse(R"({"protected":true,"waiting":1,"cleaning":2,"pressure":"high",
                "reaper-alive":true,"reaper-pid":4711,"pages-owed":512,"decisions":[
                {"kind":"shutdown","strategy":"bulk","lazy":true,"reasons":["a","b"]}]})"));
}

class SessionWithoutTeardownTest : public MonitorSessionTest {
 protected:
  SessionWithoutTeardownTest() : MonitorSessionTest(false) {}
};

TEST_F(SessionWithoutTeardownTest, SaysSo) {
  Negotiate();
  for (const char* command :
       {"x-lethe-query-destroy-policy", "x-lethe-set-destroy-policy", "x-lethe-query-teardown"})
    EXPECT_THAT(ErrorOf(Do(command)), HasSubstr("no protected guest")) << command;
}

// Whatever comes, each line of ours is one JSON object, and the session lives on.
TEST_F(MonitorSessionTest, SurvivesNoise) {
  Negotiate();
  const std::vector<std::string> parts = {"{",  "}",    "[",    "]",        "\"",      ":",
                                          ",",  "\\",   "\n",   "\xff",     "\xc3",    "execute",
                                          "id", "null", "1e99", "\"stop\"", "\\u0000", "-"};
  std::mt19937 random(2);
  for (int round = 0; round < 20000; ++round) {
    std::string noise;
    for (unsigned n = random() % 12; n > 0; --n) noise += parts[random() % parts.size()];
    lines.clear();
    session().Receive(noise);
    for (const std::string& line : lines)
      ASSERT_TRUE(nlohmann::json::parse(line, nullptr, false).is_object()) << noise;
  }
  // An open string or bracket may be left.
  session().Receive("\"\n" + std::string(64 * 1024, '[') + "\n");
  EXPECT_EQ(Do("query-status")["return"]["status"], "running");
}

}  // namespace
}  // namespace lethe::vmm
