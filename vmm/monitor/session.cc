#include "vmm/monitor/session.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lethe::vmm {
namespace {

constexpr absl::string_view kNegotiation = "qmp_capabilities";

Json ErrorOf(absl::string_view error_class, absl::string_view description) {
  return {{"error", {{"class", std::string(error_class)}, {"desc", std::string(description)}}}};
}

Json ErrorOf(const absl::Status& status) {
  return ErrorOf(absl::IsNotFound(status) ? "DeviceNotFound" : "GenericError", status.message());
}

// What is wrong with the form of a request; empty: nothing.
std::string WhatIsWrong(const Json& request) {
  const auto execute = request.find("execute");
  if (execute == request.end()) return "QMP input lacks member 'execute'";
  if (!execute->is_string()) return "QMP input member 'execute' must be a string";
  const auto arguments = request.find("arguments");
  if (arguments != request.end() && !arguments->is_object())
    return "QMP input member 'arguments' must be an object";
  for (const auto& member : request.items())
    if (member.key() != "execute" && member.key() != "arguments" && member.key() != "id")
      return absl::StrCat("QMP input member '", member.key(), "' is unexpected");
  return "";
}

}  // namespace

MonitorSession::MonitorSession(CommandContext context, Send send)
    : context_(std::move(context)), send_(std::move(send)) {
  SendLine({{"QMP", {{"version", VersionOf(context_.package)}, {"capabilities", Json::array()}}}});
}

void MonitorSession::Receive(absl::string_view bytes) {
  splitter_.Add(bytes);
  while (const std::optional<JsonSplitter::Item> item = splitter_.Take()) Carry(*item);
}

void MonitorSession::Carry(const JsonSplitter::Item& item) {
  if (item.text.empty()) return SendLine(ErrorOf("GenericError", item.error));
  const Json request = Json::parse(item.text, nullptr, /*allow_exceptions=*/false);
  if (request.is_discarded()) return SendLine(ErrorOf("GenericError", "Invalid JSON syntax"));
  if (!request.is_object())
    return SendLine(ErrorOf("GenericError", "QMP input must be a JSON object"));
  Json answer = Answer(request);
  if (const auto id = request.find("id"); id != request.end()) answer["id"] = *id;
  SendLine(answer);
}

Json MonitorSession::Answer(const Json& request) {
  if (const std::string wrong = WhatIsWrong(request); !wrong.empty())
    return ErrorOf("GenericError", wrong);
  const auto arguments = request.find("arguments");
  return Execute(request.at("execute").get<std::string>(),
                 arguments == request.end() ? Json::object() : *arguments);
}

Json MonitorSession::Execute(const std::string& name, const Json& arguments) {
  if (!negotiated_ && name != kNegotiation)
    return ErrorOf("CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'");
  if (negotiated_ && name == kNegotiation)
    return ErrorOf("CommandNotFound",
                   "Capabilities negotiation is already complete, command ignored");
  const MonitorCommand* const command = FindCommand(context_.commands, name);
  if (command == nullptr)
    return ErrorOf("CommandNotFound", absl::StrCat("The command ", name, " has not been found"));
  if (absl::Status status = CheckArguments(*command, arguments); !status.ok())
    return ErrorOf(status);
  if (absl::Status status = CheckState(*command, context_.machine.run_state()); !status.ok())
    return ErrorOf(status);
  absl::StatusOr<Json> result = command->handler(context_, arguments);
  if (!result.ok()) return ErrorOf(result.status());
  if (name == kNegotiation) negotiated_ = true;
  return {{"return", *std::move(result)}};
}

void MonitorSession::SendLine(const Json& line) {
  send_(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\r\n");
}

}  // namespace lethe::vmm
