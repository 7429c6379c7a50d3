// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "config/syntax.h"
#include "sys/file.h"

namespace vs {

namespace {

Value element(const Value& file, std::string text, int line) {
  return Value{file.path, file.key, std::move(text), Position{file.position.file, line}};
}

std::vector<Value> elements(const Value* file, std::vector<ConfigLine> (*parse)(std::string_view)) {
  std::vector<Value> out;
  if (file == nullptr) return out;
  for (auto& line : parse(file->text))
    out.push_back(element(*file, std::move(line.text), line.line));
  return out;
}

// A checked value: nothing when there is none, the position in front of the error.
template <class T>
Result<std::optional<T>> checked(const std::optional<Value>& value,
                                 Result<T> (*parse)(std::string_view)) {
  if (!value || value->text.empty()) return std::optional<T>{};
  auto parsed = parse(value->text);
  if (!parsed) return std::move(parsed).error().context(to_string(value->position));
  return std::optional<T>{*parsed};
}

// True when the bytes of such an entry matter.
bool is_read(Kind kind) {
  return kind != Kind::Flag && kind != Kind::Directory && kind != Kind::Executable;
}

}  // namespace

std::string to_string(const Position& position) {
  if (position.line == 0) return position.file;
  return fmt::format("{}:{}", position.file, position.line);
}

Error wrong_value(const Value& value, std::string_view why) {
  return Error::make(Errc::Config, "{}: {}", to_string(value.position), why);
}

const Value* Tree::find(std::string_view path) const {
  auto const at = values_.find(path);
  return at == values_.end() ? nullptr : &at->second;
}

bool Tree::flag(std::string_view path) const {
  return find(path) != nullptr || std::binary_search(dirs_.begin(), dirs_.end(), path);
}

std::optional<Value> Tree::scalar(std::string_view path) const {
  const Value* file = find(path);
  if (file == nullptr) return std::nullopt;
  return element(*file, scalar_of(file->text), 1);
}

std::vector<Value> Tree::list(std::string_view path) const {
  return elements(find(path), list_of);
}

std::vector<Value> Tree::array(std::string_view path) const {
  return elements(find(path), array_of);
}

std::optional<Value> Tree::raw(std::string_view path) const {
  const Value* file = find(path);
  if (file == nullptr) return std::nullopt;
  return element(*file, raw_of(file->text), 0);
}

std::optional<Value> Tree::link(std::string_view path) const {
  const Value* file = find(path);
  if (file == nullptr) return std::nullopt;
  return *file;
}

Result<std::optional<std::int64_t>> Tree::integer(std::string_view path) const {
  return checked<std::int64_t>(scalar(path), integer_of);
}

Result<std::optional<std::uint64_t>> Tree::limit(std::string_view path) const {
  return checked<std::uint64_t>(scalar(path), limit_of);
}

Result<std::optional<bool>> Tree::on_off(std::string_view path) const {
  return checked<bool>(scalar(path), switch_of);
}

std::vector<std::string> Tree::not_applied() const {
  std::vector<std::string> out;
  for (auto const& [path, value] : values_) {
    if (value.key->use == Use::NotYet) out.push_back(path);
  }
  return out;
}

void Tree::put(const std::string& path, std::string text) {
  const Key* key = keys_->find(path);
  if (key == nullptr) return;
  for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    auto parent = path.substr(0, slash);
    auto const at = std::lower_bound(dirs_.begin(), dirs_.end(), parent);
    if (at == dirs_.end() || *at != parent) dirs_.insert(at, std::move(parent));
  }
  Position position{dir_ + "/" + path, 0};
  values_.insert_or_assign(path, Value{path, key, std::move(text), std::move(position)});
}

void Tree::erase(std::string_view path) {
  auto const goes = [path](std::string_view one) {
    return one.starts_with(path) && (one.size() == path.size() || one[path.size()] == '/');
  };
  std::erase_if(values_, [&](const auto& entry) { return goes(entry.first); });
  std::erase_if(dirs_, goes);
}

std::vector<std::string> Tree::children(std::string_view dir) const {
  std::string const start = dir.empty() ? std::string{} : std::string{dir} + "/";
  std::vector<std::string> out;
  for (std::string_view const path : dirs_) {
    if (!path.starts_with(start)) continue;
    auto const name = path.substr(start.size());
    if (!name.empty() && name.find('/') == std::string_view::npos) out.emplace_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool is_ignored_name(std::string_view name) {
  constexpr std::array<std::string_view, 4> kEndings{".rpmsave", ".rpmnew", ".rpmorig", "~"};
  return name.find(".cfsaved") != std::string_view::npos ||
         std::any_of(kEndings.begin(), kEndings.end(),
                     [name](std::string_view ending) { return name.ends_with(ending); });
}

// Fills a Tree. A start waits for it: one pass, types from the directory, no path walked twice.
class TreeWalk {
 public:
  TreeWalk(std::string dir, const KeyTable& keys) : tree_{std::move(dir), keys}, keys_{keys} {}

  Result<Tree> run(FdRef root) && {
    VS_TRY(walk(root, ""));
    std::sort(tree_.dirs_.begin(), tree_.dirs_.end());
    return std::move(tree_);
  }

 private:
  // An entry while it is looked at: `name` below the open directory `dir`.
  struct Entry {
    FdRef dir;
    std::string name;
    std::string path;
    unsigned char type;  // of what links lead to
  };

  Status walk(FdRef dir, const std::string& below);
  Status visit(FdRef dir, const std::string& below, DirEntry&& found);
  Status visit_key(const Entry& entry, const Key& key);
  Status read(const Entry& entry, Value& value);

  [[nodiscard]] std::string file(const std::string& path) const { return tree_.dir_ + "/" + path; }
  void warning(const std::string& path, std::string_view text) {
    tree_.warnings.push_back(fmt::format("{}: {}", file(path), text));
  }
  void unknown(const std::string& path) {
    auto const near = keys_.nearest(path);
    warning(path, near ? fmt::format("unknown entry; did you mean '{}'?", *near) : "unknown entry");
  }

  Tree tree_;
  const KeyTable& keys_;
};

// Ends: only directories that a key's pattern can reach are entered, so links make no loop.
Status TreeWalk::walk(FdRef dir, const std::string& below) {
  for (auto& entry : VS_TRY(read_entries(dir), "{}", file(below))) {
    if (entry.name[0] == '.' || is_ignored_name(entry.name)) continue;
    VS_TRY(visit(dir, below, std::move(entry)));
  }
  return {};
}

Status TreeWalk::visit(FdRef dir, const std::string& below, DirEntry&& found) {
  std::string path = below.empty() ? found.name : below + "/" + found.name;
  Entry entry{dir, std::move(found.name), std::move(path), found.type};
  const Key* key = keys_.find(entry.path);
  bool const is_branch = entry.type != DT_REG && keys_.is_directory(entry.path);
  if (key == nullptr && !is_branch) {
    if (entry.type == DT_REG && keys_.is_directory(entry.path)) {
      warning(entry.path, "this must be a directory");
    } else {
      unknown(entry.path);
    }
    return {};
  }
  if (entry.type == DT_LNK || entry.type == DT_UNKNOWN) {
    struct stat st {};
    if (::fstatat(dir.get(), entry.name.c_str(), &st, 0) != 0) {
      if (errno != ENOENT && errno != ELOOP)
        return Error::system(errno, "{}", file(entry.path)).with_code(Errc::Config);
      if (key != nullptr && key->kind == Kind::Link) return visit_key(entry, *key);
      warning(entry.path, "this link leads nowhere");
      return {};
    }
    entry.type = static_cast<unsigned char>(IFTODT(st.st_mode));
  }
  if (key != nullptr) VS_TRY(visit_key(entry, *key));
  if (entry.type == DT_DIR && is_branch) {
    Fd const sub = VS_TRY(open_at(dir, entry.name, O_RDONLY | O_DIRECTORY, Resolve::Free), "{}",
                          file(entry.path));
    tree_.dirs_.push_back(entry.path);
    return walk(sub, entry.path);
  }
  if (key == nullptr) warning(entry.path, "this must be a directory");
  return {};
}

Status TreeWalk::visit_key(const Entry& entry, const Key& key) {
  Value value{entry.path, &key, {}, Position{file(entry.path), 0}};
  if (key.kind == Kind::Link) {
    auto target = read_link_at(entry.dir, entry.name);
    value.text = target ? *std::move(target) : value.position.file;
  } else if (entry.type == DT_DIR && is_read(key.kind)) {
    warning(entry.path, "this must be a file, not a directory");
    return {};
  } else if (key.kind == Kind::Directory && entry.type != DT_DIR) {
    warning(entry.path, "this must be a directory");
    return {};
  } else if (is_read(key.kind)) {
    VS_TRY(read(entry, value));
  }
  tree_.values_.emplace(entry.path, std::move(value));
  return {};
}

Status TreeWalk::read(const Entry& entry, Value& value) {
  // Anything else has no end, or waits for somebody.
  if (entry.type != DT_REG) return wrong_value(value, "this is not a regular file");
  auto text = read_file_at(entry.dir, entry.name, Resolve::Free, kMaxConfigFile);
  if (!text) {
    if (text.error().sys() == EFBIG)
      return wrong_value(value, fmt::format("larger than {}", format_bytes(kMaxConfigFile)));
    if (text.error().sys() == EILSEQ)
      return wrong_value(value, "contains a NUL byte: this is not a text file");
    return Error::system(text.error().sys(), "{}", value.position.file).with_code(Errc::Config);
  }
  if (!text->empty() && text->back() != '\n') warning(value.path, "does not end in a newline");
  if (text->find("\r\n") != std::string::npos) warning(value.path, "has DOS line ends");
  value.text = *std::move(text);
  return {};
}

Result<Tree> read_tree(const std::string& dir, const KeyTable& keys) {
  auto const root = open_path(dir, O_RDONLY | O_DIRECTORY);
  if (!root) {
    bool const missing = root.error().sys() == ENOENT || root.error().sys() == ENOTDIR;
    return Error{root.error()}.with_code(missing ? Errc::NotFound : Errc::Config);
  }
  return TreeWalk{dir, keys}.run(*root);
}

}  // namespace vs
