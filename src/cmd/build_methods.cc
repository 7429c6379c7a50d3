// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/build_methods.h"

#include <algorithm>

#include "base/text.h"
#include "cmd/commands.h"

namespace vs {

namespace {

constexpr std::array kCloneOptions{
    Option{'s', "source", "GUEST|DIRECTORY", "What is copied; it stays as it is"},
};
static_assert(is_option_table(kCloneOptions));

constexpr std::array kDebootstrapOptions{
    Option{'d', "distribution", "NAME", "Debian's release, for example bookworm"},
    Option{'m', "mirror", "URL", "Where its packages come from"},
    Option{'s', "script", "FILE", "debootstrap's script for the release"},
    Option{0, "tool", "NAME", "debootstrap or mmdebstrap; without it mmdebstrap if installed"},
};
static_assert(is_option_table(kDebootstrapOptions));

constexpr std::array kRsyncOptions{
    Option{'s', "source", "[[USER@]HOST:]PATH",
           "What is copied: a directory here, or over ssh of another machine"},
};
static_assert(is_option_table(kRsyncOptions));

constexpr std::array kTemplateOptions{
    Option{'t', "template", "FILE|DIRECTORY",
           "tar archive, plain or gz, xz, zst, bz2; or a directory; repeatable"},
    Option{'d', "distribution", "NAME", "Accepted: the archive says what it is"},
    Option{0, "nodevsanity", "", "Accepted: a guest's /dev is never taken from the archive"},
    Option{0, "no-space-check", "", "Unpack though it may not fit: for archives of sparse files"},
};
static_assert(is_option_table(kTemplateOptions));

constexpr std::string_view kProgram = "vserver build --method";

std::string text_of(const Parsed& args, std::string_view option) {
  return std::string{args.get(option).value_or("")};
}

void take_source(BuildRequest& request, const Parsed& args) {
  request.source = text_of(args, "source");
}

void take_debootstrap(BuildRequest& request, const Parsed& args) {
  request.distribution = text_of(args, "distribution");
  request.mirror = text_of(args, "mirror");
  request.script = text_of(args, "script");
  request.tool = text_of(args, "tool");
  request.extra = args.operands;
}

void take_template(BuildRequest& request, const Parsed& args) {
  for (auto const path : args.all("template"))
    request.templates.emplace_back(path);
  request.no_space_check = args.has("no-space-check");
}

constexpr std::array kMethods{
    MethodTable{{.name = "clone",
                 .operands = "",
                 .summary = "A copy of a guest or of a directory",
                 .options = kCloneOptions,
                 .program = kProgram},
                take_source},
    MethodTable{{.name = "debootstrap",
                 .operands = "[-- OPTION...]",
                 .summary = "A Debian system, from a mirror",
                 .options = kDebootstrapOptions,
                 .max_operands = kAnyNumber,
                 .stop_at_operand = true,
                 .program = kProgram},
                take_debootstrap},
    MethodTable{{.name = "rsync",
                 .operands = "",
                 .summary = "A copy of a directory, also of another machine's",
                 .options = kRsyncOptions,
                 .program = kProgram},
                take_source},
    MethodTable{{.name = "skeleton",
                 .operands = "",
                 .summary = "Empty directories to be filled by hand",
                 .program = kProgram},
                [](BuildRequest&, const Parsed&) {}},
    MethodTable{{.name = "template",
                 .operands = "",
                 .summary = "What an archive or a directory holds",
                 .options = kTemplateOptions,
                 .program = kProgram},
                take_template},
};

constexpr auto kTables = [] {
  std::array<const Command*, kMethods.size()> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = &kMethods[i].table;
  return out;
}();

}  // namespace

std::span<const Command* const> build_methods() {
  return kTables;
}

Result<const MethodTable*> find_method_table(const Parsed& args) {
  std::vector<std::string> names;
  names.reserve(std::size(kMethods));
  for (auto const& method : kMethods)
    names.emplace_back(method.table.name);
  auto const hint = "methods: " + join(names, ", ");
  auto const wanted = args.get("method");
  if (!wanted) return Error::make(Errc::Usage, "no build method given").hint(hint);
  auto const* found = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const MethodTable& m) { return m.table.name == *wanted; });
  if (found == kMethods.end())
    return Error::make(Errc::Usage, "there is no build method '{}'", *wanted).hint(hint);
  return found;
}

}  // namespace vs
