// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// How a path below a directory may be resolved (openat2(2), Linux 5.6).
enum class Resolve : std::uint8_t {
  Free,     // as open(2) does: for paths of the host's administrator
  Beneath,  // no link or ".." may leave the directory: for files that we own
  InRoot,   // the directory is "/": for every path inside a guest
};

// Opens path relative to dir, always close-on-exec; magic links are refused unless Free.
Result<Fd> open_at(FdRef dir, const std::string& path, int flags, Resolve how, unsigned mode = 0);
// An absolute path of the host.
Result<Fd> open_path(const std::string& path, int flags, unsigned mode = 0);

// The whole of a small file: configuration, /proc, cgroupfs. The trailing newline is kept.
//   max   largest size accepted, in bytes
// Fails with EFBIG when there is more, with EILSEQ when it contains NUL.
Result<std::string> read_all(FdRef fd, std::size_t max = 1U << 20U);
Result<std::string> read_file_at(FdRef dir, const std::string& path, Resolve how,
                                 std::size_t max = 1U << 20U);
Result<std::string> read_file(const std::string& path, std::size_t max = 1U << 20U);
// The same by one read(2), for what is known to come whole: a short knob of cgroupfs, a file of
// ours in /run. Fails with EFBIG above 4 KiB.
Result<std::string> read_short_file_at(FdRef dir, const std::string& path);

// Writes all of text; `what` names the file in the error.
Status write_all(FdRef fd, std::string_view text, std::string_view what);
// Writes text with one write(2) into an existing file: kernel knobs.
Status write_knob_at(FdRef dir, const std::string& path, std::string_view text);
Status write_knob(const std::string& path, std::string_view text);

// Replaces dir/name so that no reader ever sees half of it, also after a crash.
Status replace_file_at(FdRef dir, const std::string& name, std::string_view content,
                       unsigned mode = 0644, bool durable = false);

// Makes path and its missing parents.
Status make_dirs(const std::string& path, unsigned mode = 0755);

// True when something exists at path (links are followed).
bool exists(const std::string& path);
bool exists_at(FdRef dir, const std::string& path);

// Target of a symbolic link. `EINVAL` when it is none.
Result<std::string> read_link_at(FdRef dir, const std::string& path);

// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_dir(FdRef dir);

// An entry of a directory and what readdir(3) says of its type (DT_UNKNOWN: ask stat(2)).
struct DirEntry {
  std::string name;
  unsigned char type;
};
// The same with types, read from where `dir` stands: its first reader gets all of it.
Result<std::vector<DirEntry>> read_entries(FdRef dir);

// Removes a tree below dir without following links and without crossing into a mount, however deep
// it is. Nothing there is success. `on_removed` is called for each entry that went.
Status remove_tree_at(FdRef dir, const std::string& name,
                      const std::function<void()>& on_removed = {});

// A lock that other processes respect (fcntl(2), open file description locks); released when the
// descriptor is closed. `try_` gives an empty Fd when somebody else holds it.
Result<Fd> try_lock_file(const std::string& path);
Result<Fd> lock_file(const std::string& path, int timeout_s);
// Keeps writers out, not other readers. Made when it is not there; fails with EPERM when it is not
// root's, as anybody's may be in a directory that all may write to.
Result<Fd> lock_file_shared(const std::string& path, int timeout_s);
// Removes a lock file while its lock is held, so that nobody is left with a lock that others do not
// see: the functions above do not take one that is gone. Fails with Errc::Busy when somebody holds
// it; what is not there or not ours is left alone.
Status remove_lock_file(const std::string& path);

}  // namespace vs
