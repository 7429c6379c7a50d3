// SPDX-License-Identifier: GPL-2.0-or-later
// Trees from archives, directories and other guests.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "build/archive.h"
#include "build/parts.h"
#include "build/shift.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

std::string root_parent(const Build& build) {
  return build.draft.vdir.substr(0, build.draft.vdir.rfind('/'));
}

struct Archive {
  std::string path;
  Fd fd;
  std::uint64_t size = 0;
  ArchiveFormat format;
};

Result<Archive> open_archive(const std::string& path) {
  Archive out{path, VS_TRY(open_path(path, O_RDONLY | O_NONBLOCK)), 0, {}};
  struct stat st {};
  if (::fstat(out.fd.get(), &st) != 0) return Error::system(errno, "stat {}", path);
  if (!S_ISREG(st.st_mode))
    return Error::make(Errc::Config, "{} is neither a file nor a directory", path);
  out.size = static_cast<std::uint64_t>(st.st_size);
  std::string head(2048, '\0');
  auto const n = ::pread(out.fd.get(), head.data(), head.size(), 0);
  if (n < 0) return Error::system(errno, "read {}", path);
  head.resize(static_cast<std::size_t>(n));
  out.format = VS_TRY(archive_format(head), "{}", path);
  if (!out.format.program.empty())
    VS_TRY(find_program(std::string{out.format.program}), "a {} archive", out.format.name);
  return out;
}

// tar shares the archive's open file with us: where it reads tells how far it is.
Status show_position(const Build& build, std::string_view stage, const Archive& archive) {
  auto const at = ::lseek(archive.fd.get(), 0, SEEK_CUR);
  build.advance({stage, at < 0 ? 0 : static_cast<std::uint64_t>(at), archive.size, ""});
  return {};
}

Result<Ended> run_tar(Build& build, const Archive& archive, std::string_view stage,
                      std::vector<std::string> arguments,
                      const std::function<void(std::string_view)>& on_line,
                      const std::function<Status()>& check = {}) {
  if (::lseek(archive.fd.get(), 0, SEEK_SET) != 0)
    return Error::system(errno, "rewind {}", archive.path);
  WorkPlan plan = VS_TRY(workshop(build));
  plan.stdio[0] = archive.fd.get();
  plan.argv = {"tar", "--numeric-owner", "--file=-"};
  if (!archive.format.decompress.empty()) plan.argv.emplace_back(archive.format.decompress);
  plan.argv.insert(plan.argv.end(), arguments.begin(), arguments.end());
  auto const on_tick = [&]() -> Status {
    if (check) VS_TRY(check());
    return show_position(build, stage, archive);
  };
  return run_work(build.run, *build.xid, std::move(plan), {on_line, on_tick});
}

Status check_room(const Build& build, const Listing& listing) {
  if (build.request.no_space_check) return {};
  auto room = check_space(root_parent(build), listing.bytes, listing.files);
  if (room) return room;
  return std::move(room).error().hint(
      "the size of sparse files counts in full: '-- --no-space-check' unpacks all the same");
}

Result<Listing> list_archive(Build& build, const Archive& archive) {
  Listing listing;
  // Not to the end when it is clear that it does not fit: some are zeros without end.
  auto const check = [&] { return check_room(build, listing); };
  auto const ended = VS_TRY(run_tar(
      build, archive, "reading the archive",
      {"--list", "--verbose", "--full-time", "--quoting-style=c"},
      [&](std::string_view line) {
        if (auto const entry = parse_listing(line)) listing.add(*entry);
      },
      check));
  if (ended.status != 0) return work_error(build, "read the archive", ended);
  VS_TRY(check_listing(listing));
  return listing;
}

Status unpack_archive(Build& build, const Archive& archive) {
  auto const listing = VS_TRY(list_archive(build, archive));
  VS_TRY(check_room(build, listing));
  std::string excluded;
  for (auto const& device : listing.devices) {
    if (device.find('\n') != std::string::npos)
      return Error::make(Errc::Config, "a device node has a newline in its name");
    excluded += device + "\n";
  }
  VS_TRY(make_dirs(run_path(build.run.name(), "workshop")));
  Fd const root = VS_TRY(open_path(run_path(build.run.name(), "workshop"), O_RDONLY | O_DIRECTORY));
  VS_TRY(replace_file_at(root, "excluded", excluded));
  std::uint64_t nameless = 0;
  auto const on_line = [&](std::string_view line) {
    if (line.find("acl_from_text") != std::string_view::npos) ++nameless;
  };
  auto const ended = VS_TRY(run_tar(
      build, archive, "unpacking",
      {"--extract", "--directory=/guest", "--same-owner", "--preserve-permissions", "--acls",
       "--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability",
       "--warning=no-timestamp", "--anchored", "--no-wildcards", "--exclude-from=/excluded"},
      on_line));
  if (ended.status != 0) return work_error(build, "unpack", ended);
  if (!listing.devices.empty()) {
    warn("{}: left out {} device nodes: a guest has a /dev of its own", archive.path,
         listing.devices.size());
  }
  if (nameless != 0) {
    warn("{}: left out {} access control lists that name users: pack them with --numeric-owner",
         archive.path, nameless);
  }
  info("{}: {} files, {}", archive.path, listing.files, format_bytes(listing.bytes));
  return {};
}

bool shares_blocks(FdRef dir) {
  struct statfs fs {};
  if (::fstatfs(dir.get(), &fs) != 0) return false;
  return fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC;
}

// "FILES BYTES" of the copying program.
void show_copied(const Build& build, const Survey& survey, std::string_view line) {
  auto const words = split_words(line);
  if (words.size() != 2) return;
  auto const files = parse_decimal(words[0]);
  auto const bytes = parse_decimal(words[1]);
  if (!files || !bytes) return;
  // A file costs about as much as 16 KiB of data.
  build.advance({"copying", *files * 16384 + *bytes, survey.files * 16384 + survey.bytes,
                 fmt::format("{} files", *files)});
}

Status copy_directory(Build& build, const std::string& path) {
  Fd const source = VS_TRY(open_path(path, O_RDONLY | O_DIRECTORY));
  struct stat st {};
  if (::fstat(source.get(), &st) != 0) return Error::system(errno, "stat {}", path);
  std::uint32_t const base = st.st_uid & ~0xffffU;
  build.advance({"looking through the source", 0, {}, ""});
  auto const survey = VS_TRY(survey_tree(source, base), "{}", path);
  VS_TRY(check_owners(survey, base), "{}", path);
  Fd const tree = VS_TRY(open_path(build.draft.tree, O_RDONLY | O_DIRECTORY));
  if (!shares_blocks(tree))
    VS_TRY(check_space(root_parent(build), survey.bytes, survey.files), "{}", path);
  VS_TRY(bind_source(build, path, base));
  WorkPlan plan = VS_TRY(workshop(build));
  plan.ops.push_back({"d", "/source", "755", ""});
  plan.ops.push_back({"b", "/source", source_mount(), "r"});
  plan.argv = {"/vserver", "--copy-tree", "/source", "/guest"};
  auto const ended =
      VS_TRY(run_work(build.run, *build.xid, std::move(plan),
                      {[&](std::string_view line) { show_copied(build, survey, line); }, {}}));
  if (ended.status != 0) return work_error(build, "copy", ended);
  if (survey.devices != 0)
    warn("{}: left out {} device nodes: a guest has a /dev of its own", path, survey.devices);
  return {};
}

Result<bool> is_directory(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return Error::system(errno, "template {}", path);
  return S_ISDIR(st.st_mode);
}

// A guest's name, else a directory, else a directory where guests' roots are.
Result<std::string> find_source(const std::string& source) {
  if (source.find('/') != std::string::npos) return source;
  if (exists(fmt::format("{}/{}/vdir", Paths::get().conf, source))) {
    return VS_TRY(load_config(source)).vdir;
  }
  auto const beside = fmt::format("{}/{}", Paths::get().vdirs, source);
  if (exists(beside)) return beside;
  return Error::make(Errc::NotFound, "'{}' is neither a guest nor a directory", source);
}

}  // namespace

Status check_template(const BuildRequest& request) {
  if (request.templates.empty()) {
    return Error::make(Errc::Usage, "the method template needs an archive or a directory")
        .hint("... -- -t /path/to/template.tar.gz");
  }
  for (auto const& path : request.templates) {
    if (!VS_TRY(is_directory(path))) VS_TRY(open_archive(path));
  }
  return {};
}

Status fill_from_templates(Build& build) {
  for (auto const& path : build.request.templates) {
    if (VS_TRY(is_directory(path))) {
      VS_TRY(copy_directory(build, path));
    } else {
      auto const archive = VS_TRY(open_archive(path));
      VS_TRY(unpack_archive(build, archive), "{}", path);
    }
  }
  return make_another_machine(build);
}

Status check_clone(const BuildRequest& request) {
  if (request.source.empty()) {
    return Error::make(Errc::Usage, "the method clone needs a source")
        .hint("... -- --source GUEST, or a directory");
  }
  auto const path = VS_TRY(find_source(request.source));
  VS_TRY(open_path(path, O_RDONLY | O_DIRECTORY));
  return {};
}

Status fill_from_guest(Build& build) {
  auto const& source = build.request.source;
  if (source.find('/') == std::string::npos && is_running(source))
    warn("guest '{}' is running: what it changes meanwhile may be copied half", source);
  auto const path = VS_TRY(find_source(source));
  VS_TRY(copy_directory(build, path));
  return make_another_machine(build);
}

}  // namespace vs
