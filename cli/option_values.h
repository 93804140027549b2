#ifndef LETHE_CLI_OPTION_VALUES_H_
#define LETHE_CLI_OPTION_VALUES_H_

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"

namespace lethe {

// Turns a parse function of ours (text to StatusOr<T>) into an option's conversion, with its
// message as the error.
template <typename T, typename Parse>
CLI::Option* AddParsed(CLI::App& app, const std::string& name, T& target, Parse parse,
                       const std::string& help) {
  return app.add_option_function<std::string>(
      name,
      [&target, parse, name](const std::string& text) {
        auto value = parse(text);
        if (!value.ok()) throw CLI::ValidationError(name, std::string(value.status().message()));
        target = *value;
      },
      help);
}

// One of a few words.
template <typename T>
CLI::Option* AddChoice(CLI::App& app, const std::string& name, T& target,
                       const std::map<std::string, T>& choices, const std::string& help) {
  std::string accepted;
  for (const auto& [word, value] : choices)
    absl::StrAppend(&accepted, accepted.empty() ? "" : "|", word);
  return app
      .add_option_function<std::string>(
          name,
          [&target, choices, name, accepted](const std::string& text) {
            const auto found = choices.find(text);
            if (found == choices.end())
              throw CLI::ValidationError(
                  name, absl::StrCat("'", text, "' is not known; write one of ", accepted));
            target = found->second;
          },
          help)
      ->type_name(accepted);
}

}  // namespace lethe

#endif  // LETHE_CLI_OPTION_VALUES_H_
