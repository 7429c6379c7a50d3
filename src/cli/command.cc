// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/command.h"

#include <getopt.h>

#include <utility>

#include <fmt/core.h>

#include "base/text.h"

namespace vs {
namespace {

// getopt's value for option i is kFirst + i: above every character.
constexpr int kFirst = 256;

// What getopt_long gives for the options that every command has.
enum : int { kHelp = 1, kVersion = 2 };

struct Grammar {
  std::string shorts;
  std::vector<std::string> names;  // what `longs` points into
  std::vector<option> longs;
};

std::vector<Option> all_options(const Command& command) {
  std::vector<Option> out{command.options.begin(), command.options.end()};
  out.insert(out.end(), command.common.begin(), command.common.end());
  return out;
}

Grammar make_grammar(const Command& command, const std::vector<Option>& options) {
  Grammar g;
  g.shorts = command.stop_at_operand ? "+:" : ":";
  g.names.reserve(options.size());
  int value = kFirst;
  for (const Option& o : options) {
    const bool takes = !o.argument.empty();
    g.names.emplace_back(o.long_name);
    g.longs.push_back(
        {g.names.back().c_str(), takes ? required_argument : no_argument, nullptr, value++});
    if (o.short_name == 0) continue;
    g.shorts += o.short_name;
    if (takes) g.shorts += ':';
  }
  g.longs.push_back({"help", no_argument, nullptr, kHelp});
  g.longs.push_back({"version", no_argument, nullptr, kVersion});
  g.longs.push_back({nullptr, 0, nullptr, 0});
  g.shorts += 'h';  // behind the command's own: getopt takes the first
  return g;
}

Error usage(const Command& command, std::string_view text) {
  return Error::make(Errc::Usage, "{}", text)
      .hint(fmt::format("see '{} --help'", full_name(command)));
}

// The option for getopt's value; null: help or version.
const Option* find_option(const std::vector<Option>& options, int value) {
  if (value >= kFirst) return &options[static_cast<std::size_t>(value - kFirst)];
  for (const Option& o : options) {
    if (o.short_name != 0 && o.short_name == value) return &o;
  }
  return nullptr;
}

Error unknown_long(const Command& command, const std::vector<Option>& options,
                   std::string_view word) {
  const std::string_view name = word.substr(2, word.substr(2).find('='));
  std::vector<std::string_view> names{"help", "version"};
  for (const Option& o : options)
    names.push_back(o.long_name);
  std::vector<std::string> matches;
  for (const std::string_view n : names) {
    if (n.substr(0, name.size()) == name) matches.push_back(fmt::format("--{}", n));
  }
  if (matches.size() > 1) {
    return usage(command, fmt::format("option '--{}' is ambiguous: {}", name, join(matches, ", ")));
  }
  const auto near = nearest(name, names);
  if (near) {
    return usage(command, fmt::format("unknown option '--{}', did you mean '--{}'?", name, *near));
  }
  return usage(command, fmt::format("unknown option '--{}'", name));
}

// What getopt refused: `code` is its result, `word` the word it stopped at.
Error refused(const Command& command, const std::vector<Option>& options, int code, int value,
              std::string_view word) {
  if (value == 0) return unknown_long(command, options, word);
  const Option* const found = find_option(options, value);
  if (code == ':' && found != nullptr) {
    const std::string shown = value < kFirst ? fmt::format("-{}", found->short_name)
                                             : fmt::format("--{}", found->long_name);
    return usage(command, fmt::format("option '{}' needs its {}", shown, found->argument));
  }
  if (value >= kFirst || value == kHelp || value == kVersion) {
    return usage(command,
                 fmt::format("option '{}' takes no argument", word.substr(0, word.find('='))));
  }
  return usage(command, fmt::format("unknown option '-{}'", static_cast<char>(value)));
}

Status check_operands(const Command& command, const std::vector<std::string>& operands,
                      std::size_t max) {
  if (operands.size() < command.min_operands) {
    return usage(command, fmt::format("{} needs {}", command.name, command.operands));
  }
  if (operands.size() > max) {
    return usage(command, fmt::format("{} does not take '{}'", command.name, operands[max]));
  }
  return {};
}

Result<Parsed> take_verbatim(const Command& command, std::vector<std::string> args,
                             std::vector<std::string> leading) {
  Parsed parsed;
  parsed.operands = std::move(leading);
  const std::string_view first = args.empty() ? "" : std::string_view{args[0]};
  // Behind a guest the words are the program's alone, and so is its help.
  parsed.help_wanted = parsed.operands.empty() && first == "--help";
  parsed.version_wanted = parsed.operands.empty() && first == "--version";
  if (parsed.help_wanted || parsed.version_wanted) return parsed;
  parsed.operands.insert(parsed.operands.end(), args.begin(), args.end());
  VS_TRY(check_operands(command, parsed.operands, command.max_operands));
  return parsed;
}

}  // namespace

std::string full_name(const Command& command) {
  return command.program.empty() ? std::string{command.name}
                                 : fmt::format("{} {}", command.program, command.name);
}

bool Parsed::has(std::string_view long_name) const {
  return get(long_name).has_value();
}

std::optional<std::string_view> Parsed::get(std::string_view long_name) const {
  for (std::size_t i = occurrences_.size(); i-- > 0;) {
    if (occurrences_[i].name == long_name) return occurrences_[i].value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Parsed::all(std::string_view long_name) const {
  std::vector<std::string_view> values;
  for (const Occurrence& o : occurrences_) {
    if (o.name == long_name) values.emplace_back(o.value);
  }
  return values;
}

void Parsed::add(std::string_view long_name, std::string_view value) {
  occurrences_.push_back({std::string{long_name}, std::string{value}});
}

Result<Parsed> parse_command(const Command& command, std::vector<std::string> args,
                             std::vector<std::string> leading) {
  if (command.verbatim) return take_verbatim(command, std::move(args), std::move(leading));
  const std::vector<Option> options = all_options(command);
  const Grammar grammar = make_grammar(command, options);
  args.insert(args.begin(), std::string{command.name});
  std::vector<char*> argv;
  argv.reserve(args.size() + 1);
  for (std::string& a : args)
    argv.push_back(a.data());
  const int argc = static_cast<int>(argv.size());
  argv.push_back(nullptr);

  Parsed parsed;
  opterr = 0;  // it prints nothing
  optind = 0;  // and starts anew
  for (;;) {
    optopt = 0;
    const int code =
        getopt_long(argc, argv.data(), grammar.shorts.c_str(), grammar.longs.data(), nullptr);
    if (code == -1) break;
    if (code == '?' || code == ':') {
      return refused(command, options, code, optopt, argv[static_cast<std::size_t>(optind - 1)]);
    }
    const Option* const found = find_option(options, code);
    if (found == nullptr) {
      (code == kVersion ? parsed.version_wanted : parsed.help_wanted) = true;
      return parsed;
    }
    parsed.add(found->long_name, optarg != nullptr ? optarg : "");
  }
  parsed.operands = std::move(leading);
  // A verb that takes several guests takes the one in front of it alone.
  const bool alone = takes_many(command) && !parsed.operands.empty();
  for (int i = optind; i < argc; ++i) {
    parsed.operands.emplace_back(argv[static_cast<std::size_t>(i)]);
  }
  VS_TRY(check_operands(command, parsed.operands, alone ? 1 : command.max_operands));
  return parsed;
}

}  // namespace vs
