#include "bench/teardown/results_json.h"

#include <cstddef>
#include <nlohmann/json.hpp>

namespace lethe::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPoints = 400;

Json ToJson(const Series& series) {
  Json points = Json::array();
  for (const Point& point : Thinned(series, kPoints))
    points.push_back(Json::array({point.seconds, point.value}));
  return points;
}

Json ToJson(const RebootTimes& times) {
  Json json = {{"command", times.command},
               {"pause_s", times.pause},
               {"destroy_s", times.destroy},
               {"own_s", times.own},
               {"protected_s", times.is_protected},
               {"first_output_s", times.first_output},
               {"uvcs", times.uvcs}};
  if (times.clean_begin) json["clean_begin_s"] = *times.clean_begin;
  if (times.clean_end) json["clean_end_s"] = *times.clean_end;
  json["progress_bytes"] = ToJson(times.progress);
  return json;
}

Json ToJson(const EndTimes& times) {
  Json json = {{"exit_s", times.exit}};
  if (times.after_stop) json["exit_after_stop_s"] = *times.after_stop;
  json["released_s"] = times.released;
  json["release_bytes_per_s"] = times.release_rate;
  json["owed_bytes"] = ToJson(times.owed);
  return json;
}

Json ToJson(const Row& row) {
  Json json = {
      {"vmm", row.subject.vmm}, {"mode", row.subject.mode}, {"memory_bytes", row.subject.size}};
  if (row.subject.vmm == "lethe") json["uvc_cost_ns"] = row.subject.uvc_cost.count();
  json["rounds"] = Json::array();
  for (const Round& round : row.rounds) {
    Json each = {{"touch_s", round.touch}};
    if (round.reboot) each["reboot"] = ToJson(*round.reboot);
    each["shutdown"] = ToJson(round.end);
    json["rounds"].push_back(std::move(each));
  }
  return json;
}

}  // namespace

Series Thinned(const Series& series, std::size_t limit) {
  if (series.size() <= limit || limit < 2) return series;
  Series thin;
  for (std::size_t i = 0; i < limit; ++i)
    thin.push_back(series[i * (series.size() - 1) / (limit - 1)]);
  return thin;
}

std::string ToJson(const Results& results, absl::string_view version) {
  Json json = {{"lethe", std::string(version)}, {"rows", Json::array()}};
  for (const Row& row : results.rows)
    if (!row.rounds.empty()) json["rows"].push_back(ToJson(row));
  json["plain_release"] = Json::array();
  for (const PlainRelease& plain : results.plain)
    if (!plain.seconds.empty())
      json["plain_release"].push_back({{"memory_bytes", plain.size}, {"seconds", plain.seconds}});
  json["notes"] = results.notes;
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lethe::bench
