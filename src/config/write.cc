// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/write.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <optional>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/test_seam.h"
#include "base/text.h"
#include "config/keys.h"
#include "config/syntax.h"
#include "config/tree.h"
#include "sys/file.h"

namespace vs {

namespace {

struct Place {
  std::string parent;  // "" is the guest's directory
  std::string name;
};

Place place_of(const std::string& path) {
  auto const slash = path.rfind('/');
  if (slash == std::string::npos) return Place{{}, path};
  return Place{path.substr(0, slash), path.substr(slash + 1)};
}

// A path that cannot leave the tree.
Status check_path(std::string_view path) {
  for (auto const part : split(path, '/')) {
    if (part.empty() || part[0] == '.' || is_ignored_name(part) ||
        part.find_first_of(std::string_view{"\0\n", 2}) != std::string_view::npos) {
      return Error::make(Errc::Usage, "'{}' is not the path of an entry", path)
          .hint("a relative path without '.' and '..', such as interfaces/0/ip");
    }
  }
  return {};
}

Error unknown_entry(std::string_view path) {
  auto const near = guest_keys().nearest(path);
  return Error::make(Errc::Usage, "unknown entry '{}'", path)
      .hint(near ? fmt::format("did you mean '{}'?", *near) : std::string{});
}

Result<const Key*> key_of(std::string_view path) {
  VS_TRY(check_path(path));
  const Key* key = guest_keys().find(path);
  if (key != nullptr) return key;
  return unknown_entry(path);
}

// Makes the missing directories above DIR/PATH and gives the first of them, or nothing.
Result<std::string> make_parents(const std::string& dir, const std::string& path) {
  std::string first;
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    auto const parent = dir + "/" + path.substr(0, slash);
    if (::mkdir(parent.c_str(), 0755) == 0) {
      if (first.empty()) first = path.substr(0, slash);
    } else if (errno != EEXIST) {
      return Error::system(errno, "mkdir {}", parent);
    }
  }
  return first;
}

bool is_one_line(Kind kind) {
  return kind == Kind::Scalar || kind == Kind::Limit || kind == Kind::Integer;
}

Status check_text(const Key& key, std::string_view path, std::string_view text) {
  if (key.kind == Kind::Link || key.kind == Kind::Directory || key.kind == Kind::Executable) {
    return Error::make(Errc::Usage, "'{}' is a {}: it has no text to set", path,
                       kind_name(key.kind));
  }
  if (text.find('\0') != std::string_view::npos)
    return Error::make(Errc::Usage, "'{}': the text contains a NUL byte", path);
  if (text.size() >= kMaxConfigFile) {
    return Error::make(Errc::Usage, "'{}': the text is larger than {}", path,
                       format_bytes(kMaxConfigFile));
  }
  if (key.kind == Kind::Flag && !text.empty()) {
    return Error::make(Errc::Usage, "'{}' is a flag: it takes no text", path)
        .hint("unset it to switch it off");
  }
  if (is_one_line(key.kind) && text.find('\n') != std::string_view::npos)
    return Error::make(Errc::Usage, "'{}' takes one line", path);
  Status checked;
  if (key.kind == Kind::Limit) {
    if (auto value = limit_of(text); !value) checked = std::move(value).error();
  }
  if (key.kind == Kind::Integer) {
    if (auto value = integer_of(text); !value) checked = std::move(value).error();
  }
  if (!checked) return std::move(checked).error().context(path).with_code(Errc::Usage);
  return {};
}

}  // namespace

Result<std::string> entry_content(std::string_view path, std::string_view text) {
  const Key* key = VS_TRY(key_of(path));
  // A newline at the end is the file's, not the value's.
  if (is_one_line(key->kind) && text.ends_with('\n')) text.remove_suffix(1);
  VS_TRY(check_text(*key, path, text));
  if (is_one_line(key->kind)) return scalar_line(trim(text));
  std::string out{text};
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out;
}

Status set_entry(const std::string& dir, const std::string& path, std::string_view text) {
  auto const content = VS_TRY(entry_content(path, text));
  auto const place = place_of(path);
  auto const root = open_path(dir, O_RDONLY | O_DIRECTORY);
  if (!root) return Error{root.error()}.with_code(Errc::NotFound);
  auto const made = VS_TRY(make_parents(dir, path), "set '{}'", path);
  ScopeExit undo{[&]() noexcept {
    if (made.empty()) return;
    auto const done = remove_tree_at(*root, made);
    static_cast<void>(done.has_value());  // the failure that brought us here is what is told
  }};
  Fd const below = VS_TRY(open_at(*root, place.parent.empty() ? "." : place.parent,
                                  O_RDONLY | O_DIRECTORY, Resolve::Free),
                          "set '{}'", path);
  VS_TRY(replace_file_at(below, place.name, content, 0644, true), "set '{}'", path);
  undo.release();
  return {};
}

Status unset_entry(const std::string& dir, const std::string& path) {
  VS_TRY(check_path(path));
  const Key* key = guest_keys().find(path);
  if (key == nullptr && !guest_keys().is_directory(path)) return unknown_entry(path);
  if (key != nullptr && key->kind == Kind::Link)
    return Error::make(Errc::Usage, "'{}' is a {}: remove it by hand", path, kind_name(key->kind));
  auto const place = place_of(path);
  std::string const parent = place.parent.empty() ? dir : dir + "/" + place.parent;
  auto const below = open_path(parent, O_RDONLY | O_DIRECTORY);
  if (!below) {
    if (below.error().sys() == ENOENT) return {};
    return Error{below.error()}.context(fmt::format("unset '{}'", path));
  }
  // Renamed first, to a name that no reader looks at.
  std::string const gone = fmt::format(".{}.{}~", place.name, ::getpid());
  if (::renameat(below->get(), place.name.c_str(), below->get(), gone.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return Error::system(errno, "unset '{}'", path);
  }
  auto done = test_seam("unset-rest");
  if (done) done = remove_tree_at(*below, gone);
  // It is unset; sweep_entries tries again.
  if (!done) warn("unset '{}': {}", path, done.error().message());
  return {};
}

namespace {

// The entry of ".ENTRY.PID~" (as replace_file_at and unset_entry call what they work on), when the
// process is gone.
std::optional<std::string> abandoned(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with('~')) return std::nullopt;
  auto const dot = name.rfind('.');
  if (dot < 2) return std::nullopt;
  auto const pid = parse_decimal(name.substr(dot + 1, name.size() - dot - 2));
  if (!pid || *pid == 0 || *pid > 4194304) return std::nullopt;
  bool const lives = ::kill(static_cast<pid_t>(*pid), 0) == 0 || errno != ESRCH;
  if (lives && static_cast<pid_t>(*pid) != ::getpid()) return std::nullopt;
  return std::string{name.substr(1, dot - 1)};
}

Status sweep_below(FdRef dir, const std::string& prefix, int depth, std::vector<std::string>& out) {
  for (auto const& [name, type] : VS_TRY(read_entries(dir))) {
    if (auto const entry = abandoned(name)) {
      VS_TRY(remove_tree_at(dir, name));
      out.push_back(prefix + *entry);
    } else if (type == DT_DIR && depth > 0) {
      Fd const below =
          VS_TRY(open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::Beneath));
      VS_TRY(sweep_below(below, prefix + name + "/", depth - 1, out));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> sweep_entries(const std::string& dir) {
  constexpr int kDeepest = 8;
  std::vector<std::string> out;
  auto const root = open_path(dir, O_RDONLY | O_DIRECTORY);
  if (!root) {
    return root.error().sys() == ENOENT ? Result<std::vector<std::string>>{out}
                                        : Error{root.error()};
  }
  VS_TRY(sweep_below(*root, "", kDeepest, out));
  return out;
}

}  // namespace vs
