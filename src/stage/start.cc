// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's start, between the command and the guest's init. Two processes:
//   outer  host root in a mount namespace that the host's user namespace owns; builds the tree
//   init   the future pid 1, already in the guest's namespaces; waits, then seals the tree
// init takes its own mount namespace last: everything the outer mounted is locked for it.
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "stage/raw.h"
#include "stage/stage.h"

namespace vs::stage {

namespace {

constexpr unsigned long kNoSetuidFixup = 1UL << 2U;  // SECBIT_NO_SETUID_FIXUP, capabilities(7)

// All v1 hierarchies in one go: the first write pays the grace period, the rest ride on it. Done by
// init, so that the tree is built meanwhile; its cgroup namespace comes after, with the cgroups
// joined here as roots.
void join_v1(const Header& header) {
  if (header.n_v1 == 0) return;
  for (std::uint32_t i = 0; i < header.n_v1; ++i) {
    int const fd = kFirstV1Fd + static_cast<int>(i);
    if (write(fd, "0", 1) != 1) fail("join the cgroups", "cgroup.procs", errno);
    close(fd);
  }
  must(unshare(CLONE_NEWCGROUP), "take the cgroup namespace");
}

void enter_time_namespace(const Header& header) {
  // Written before the first task enters, and before a user namespace takes CAP_SYS_TIME away.
  if (unshare(CLONE_NEWTIME) < 0) {
    report(Report::Kind::Warning, errno, "time namespace", "uptime is the host's");
    return;
  }
  int const fd = must(openat(kProcFd, "self/timens_offsets", O_WRONLY | O_CLOEXEC), "time offsets");
  char text[64];
  int const n = snprintf(text, sizeof text, "boottime %lld 0\n",
                         static_cast<long long>(header.boottime_offset));
  must(static_cast<int>(write(fd, text, static_cast<std::size_t>(n))), "time offsets");
  close(fd);
}

// Children are born in our own time namespace again: before Linux 6.3 a process whose children go
// elsewhere cannot share its memory with one.
void leave_time_namespace() {
  int const own = openat(kProcFd, "self/ns/time", O_RDONLY | O_CLOEXEC);
  if (own < 0) return;  // a kernel without them
  must(setns(own, CLONE_NEWTIME), "time namespace", "own");
  close(own);
}

void write_map(int pid, const char* file, unsigned base) {
  char path[48];
  snprintf(path, sizeof path, "%d/%s", pid, file);
  int const fd = must(openat(kProcFd, path, O_WRONLY | O_CLOEXEC), "map ids", file);
  char text[48];
  int const n = snprintf(text, sizeof text, "0 %u 65536\n", base);
  if (write(fd, text, static_cast<std::size_t>(n)) != n) fail("map ids", file, errno);
  close(fd);
}

int open_ns(int pid, const char* kind) {
  char path[48];
  snprintf(path, sizeof path, "%d/ns/%s", pid, kind);
  return must(openat(kProcFd, path, O_RDONLY | O_CLOEXEC), "open namespace", kind);
}

// Detached mounts of file systems that belong to a pid or network namespace.
struct NamespacedMounts {
  int init;  // its pid
  int pidfd;
  bool want_sys;
  int net_ns;  // whose devices /sys shows; -1: those of a new one, soon gone, that has none
  int proc;
  int sys;
  int error;
};

// -1 when it fails. The first file system may be told a pid namespace other than our own.
int make_fs(const char* type, unsigned attr, int pid_ns = -1) {
  int const fs = fsopen(type);
  if (fs < 0) return -1;
  int mount = -1;
  if (fsconfig(fs, FSCONFIG_SET_STRING, "source", type) == 0 &&
      // glibc has one of five arguments as well.
      (pid_ns < 0 || stage::fsconfig(fs, FSCONFIG_SET_FD, "pidns", nullptr, pid_ns) == 0) &&
      fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr) == 0)
    mount = fsmount(fs, attr);
  int const err = errno;
  close(fs);
  errno = err;
  return mount;
}

constexpr unsigned kNamespacedAttr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

void make_sys(NamespacedMounts& want) {
  if (want.net_ns < 0 || setns(want.net_ns, CLONE_NEWNET) == 0)
    want.sys = make_fs("sysfs", kNamespacedAttr | MOUNT_ATTR_RDONLY);
  if (want.sys < 0) want.error = errno;
}

int make_inside(void* argument) {
  auto* want = static_cast<NamespacedMounts*>(argument);
  want->proc = make_fs("proc", kNamespacedAttr);
  if (want->proc < 0) want->error = errno;
  if (want->want_sys && want->error == 0) make_sys(*want);
  return 0;
}

// From Linux 6.17 on proc is told whose processes it shows, and a visit to the network namespace is
// all that sysfs needs.
bool make_from_here(NamespacedMounts& want) {
  if (want.want_sys && want.net_ns < 0) return false;
  int const pid_ns = open_ns(want.init, "pid");
  want.proc = make_fs("proc", kNamespacedAttr, pid_ns);
  close(pid_ns);
  if (want.proc < 0) return false;
  if (!want.want_sys) return true;
  int const home = must(openat(kProcFd, "self/ns/net", O_RDONLY | O_CLOEXEC), "mount sysfs");
  make_sys(want);
  must(setns(home, CLONE_NEWNET), "mount sysfs", "leave the guest's network");
  close(home);
  return true;
}

// Before that proc shows the processes of who mounts it: of a small process inside, which shares
// memory and descriptors with this one and so costs no copies.
void make_by_helper(NamespacedMounts& want) {
  alignas(16) static char stack[16384];
  must(setns(want.pidfd, CLONE_NEWPID), "enter the guest's pid namespace");
  int const net = want.want_sys && want.net_ns < 0 ? CLONE_NEWNET : 0;
  int const pid = clone(make_inside, stack + sizeof stack,
                        CLONE_VM | CLONE_VFORK | CLONE_FILES | net | SIGCHLD, &want);
  must(pid, "mount proc", "clone");
  waitpid(pid, nullptr, 0);
}

void make_namespaced_mounts(NamespacedMounts& want) {
  if (!make_from_here(want)) make_by_helper(want);
  if (want.error != 0) fail("mount proc and sysfs", "", want.error);
}

struct Child {
  int pid;
  int pidfd;
  int gate;  // one byte lets it go on
};

// ---- init's side ------------------------------------------------------------------------------

void mount_here(const char* type, const char* target, unsigned long flags, const char* options,
                bool required) {
  if (mount(type, target, type, flags, options) == 0) return;
  if (required) fail("mount inside the guest", target, errno);
  report(Report::Kind::Warning, errno, "mount inside the guest", target);
}

void mount_inside() {
  must(mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr), "share mounts inside");
  mount_here("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
             "newinstance,ptmxmode=0666,mode=0620,gid=5,max=1024", true);
  mount_here("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", true);
  mount_here("mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr, false);
  mount_here("cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr, false);
}

int open_notify_socket() {
  mkdir("/run/host", 0755);
  int const fd = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "readiness socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strcpy(address.sun_path, "/run/host/notify");
  must(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), "readiness socket");
  chmod("/run/host/notify", 0666);
  return fd;
}

void set_names(const char* host, const char* domain) {
  if (*host != '\0') must(sethostname(host, strlen(host)), "set the host name");
  if (*domain != '\0') must(setdomainname(domain, strlen(domain)), "set the domain name");
}

void open_console(const Header& header) {
  int const notify = (header.flags & kNotify) != 0 ? open_notify_socket() : -1;
  if ((header.flags & kConsole) == 0) return;
  int const slave = open_terminal("console", notify);
  // By descriptor, not by name: nothing but ours ran in this tree yet, and it stays so.
  int const mount = must(open_tree(slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH),
                         "console", "clone");
  int const at = must(open("/dev/console", O_PATH | O_CLOEXEC), "console", "/dev/console");
  must(move_mount(mount, at), "console", "attach");
  for (int fd = 0; fd < 3; ++fd)
    must(dup2(slave, fd), "console", "dup2");
}

// Without it a guest could not speak to itself.
void raise_loopback() {
  ifreq request{};
  strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  int const fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "loopback", "socket");
  must(ioctl(fd, SIOCSIFFLAGS, &request), "loopback", "up");
  close(fd);
}

[[noreturn]] void be_init(Plan& plan, int gate, const char* host, const char* domain,
                          const char* cwd) {
  join_v1(*plan.header);
  if ((plan.header->flags & kNetNs) != 0) raise_loopback();
  char byte = 0;
  if (read(gate, &byte, 1) != 1) fail("wait for the tree", "the builder went away", ECANCELED);
  close_descriptors(-1);
  // Its parent exits now; what the kernel would send is not for the guest's init.
  prctl(PR_SET_PDEATHSIG, 0);
  must(unshare(CLONE_NEWNS), "take the mount namespace");
  must(chdir("/"), "enter the root");
  if ((plan.header->flags & kUserNs) != 0) {
    must(static_cast<int>(syscall(SYS_setresgid, 0, 0, 0)), "become guest root");
    must(static_cast<int>(syscall(SYS_setresuid, 0, 0, 0)), "become guest root");
  }
  must(static_cast<int>(syscall(SYS_setgroups, 0, nullptr)), "drop groups");
  must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide from tracing");
  must(setsid(), "new session");
  mount_inside();
  set_names(host, domain);
  open_console(*plan.header);
  if (chdir(cwd) < 0) fail("enter the working directory", cwd, errno);
  become_guest(plan);
  // A foreground run ends with its command, whatever ends that.
  if ((plan.header->flags & kKeepStdio) != 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
  if ((plan.header->flags & kReaper) != 0) run_and_reap(plan);
  exec_program(plan);
}

// ---- the outer's side -------------------------------------------------------------------------

// What the users of a user namespace take is charged to its maker as well: inotify instances,
// message queues, pending signals, namespaces. That must be the guest's own root id: with the
// host's root as the maker of all, one guest could use up what the host and the others need.
// The maker also has all capabilities in the namespace.
void act_as_maker(const Header& header) {
  if ((header.flags & kUserNs) == 0) return;
  // Capabilities stay: the new process has to be put into its cgroup.
  must(prctl(PR_SET_SECUREBITS, kNoSetuidFixup, 0, 0, 0), "keep capabilities");
  must(static_cast<int>(syscall(SYS_setresuid, -1, header.base_id, -1)), "act as the guest's root");
}

void act_as_root(const Header& header) {
  if ((header.flags & kUserNs) == 0) return;
  must(static_cast<int>(syscall(SYS_setresuid, -1, 0, -1)), "act as the host's root");
  must(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0), "drop capabilities as usual");
}

// The maker's limits at that moment bound the guest as a whole (getrlimit(2), Linux 5.14).
void bound_namespace(const Plan& plan) {
  for (std::uint32_t i = 0; i < plan.header->n_rlimits; ++i) {
    auto const& row = plan.rlimits[i];
    auto const resource = static_cast<int>(row.resource);
    rlimit const limit{row.soft, row.hard};
    if (resource == RLIMIT_MSGQUEUE || resource == RLIMIT_SIGPENDING || resource == RLIMIT_MEMLOCK)
      setrlimit(resource, &limit);  // set_limits() reports what cannot be had
  }
}

Child clone_init(Plan& plan, const char* host, const char* domain, const char* cwd) {
  int gate[2] = {};
  must(pipe2(gate, O_CLOEXEC), "pipe");
  CloneArgs args{};
  int pidfd = -1;
  args.flags = CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_PIDFD | CLONE_PARENT;
  if (plan.header->n_v1 == 0) args.flags |= CLONE_NEWCGROUP;
  if ((plan.header->flags & kUserNs) != 0) args.flags |= CLONE_NEWUSER;
  if ((plan.header->flags & kNetNs) != 0) args.flags |= CLONE_NEWNET;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  if (fcntl(kCgroupFd, F_GETFD) >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = kCgroupFd;
  }
  bound_namespace(plan);
  act_as_maker(*plan.header);
  auto const pid = static_cast<int>(syscall(SYS_clone3, &args, sizeof args));
  must(pid, "create the guest's namespaces", "clone3");
  if (pid == 0) {
    close(gate[1]);
    be_init(plan, gate[0], host, domain, cwd);
  }
  act_as_root(*plan.header);
  close(gate[0]);
  return {pid, pidfd, gate[1]};
}

const char* limit_name(std::uint32_t resource) {
  static const char* const kNames[] = {
      "cpu",     "fsize", "data",  "stack",      "core",     "rss",  "nproc",  "nofile",
      "memlock", "as",    "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime"};
  return resource < sizeof kNames / sizeof *kNames ? kNames[resource] : "of an unknown kind";
}

void set_limits(const Plan& plan, int pid) {
  act_as_maker(*plan.header);  // the host's root may lack CAP_SYS_RESOURCE; prlimit(2) wants it
  for (std::uint32_t i = 0; i < plan.header->n_rlimits; ++i) {
    auto const& row = plan.rlimits[i];
    rlimit limit{row.soft, row.hard};
    // glibc's prlimit wants its own enumeration, musl's an int.
    auto const resource = static_cast<decltype(RLIMIT_CPU)>(row.resource);
    if (prlimit(pid, resource, &limit, nullptr) == 0) continue;
    report(Report::Kind::Warning, errno, "set the limit", limit_name(row.resource));
    // What cannot be raised is no reason not to lower the rest.
    rlimit now{};
    if (prlimit(pid, resource, nullptr, &now) < 0) continue;
    if (limit.rlim_max > now.rlim_max) limit.rlim_max = now.rlim_max;
    if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
    prlimit(pid, resource, &limit, nullptr);
  }
  act_as_root(*plan.header);
  if (plan.header->nice != 0)
    must(setpriority(PRIO_PROCESS, static_cast<id_t>(pid), plan.header->nice), "set nice");
}

// Over the directory itself: the other mounts can only go onto a tree that is attached (before
// Linux 6.15), and no other path of the host is hidden from bind mounts this way.
void attach_root(int tree, const char* root) {
  int const at = must(open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), "open the root", root);
  must(move_mount(tree, at), "attach the root", root);
  close(at);
}

void enter_new_root(int tree) {
  must(fchdir(tree), "enter the root");
  must(pivot_root(".", "."), "pivot_root");
  must(umount2(".", MNT_DETACH), "drop the host's tree");
  must(chdir("/"), "enter the root");
}

}  // namespace

void start(Plan& plan) {
  Header const& header = *plan.header;
  const char* root = plan.strings.next();
  const char* host = plan.strings.next();
  const char* domain = plan.strings.next();
  const char* cwd = plan.strings.next();
  // Asked before any descriptor of our own can have the number.
  int const net_ns = fcntl(kNetNsFd, F_GETFD) >= 0 ? kNetNsFd : -1;
  int const tree =
      must(open_tree(AT_FDCWD, root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
           "open the root", root);
  must(unshare(CLONE_NEWNS), "take a mount namespace");
  must(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "make mounts private");
  enter_time_namespace(header);

  // argv and envp stand behind the operations: init reads them from its own copy of the cursor.
  Plan for_init = plan;
  for (std::uint32_t i = 0; i < header.n_ops * 4; ++i)
    for_init.strings.next();
  Child const init = clone_init(for_init, host, domain, cwd);
  leave_time_namespace();
  int userns = -1;
  if ((header.flags & kUserNs) != 0) {
    write_map(init.pid, "gid_map", header.base_id);
    write_map(init.pid, "uid_map", header.base_id);
    userns = open_ns(init.pid, "user");
  }
  report(Report::Kind::Init, init.pid, "init", "");

  NamespacedMounts want{init.pid, init.pidfd, (header.flags & kSysfs) != 0, net_ns, -1, -1, 0};
  if (want.want_sys && (header.flags & kNetNs) != 0) want.net_ns = open_ns(init.pid, "net");
  make_namespaced_mounts(want);

  std::uint64_t const idmap = (header.flags & kIdmapRoot) != 0 ? MOUNT_ATTR_IDMAP : 0;
  // Private: cloned from a shared mount it would pass all that is mounted on it to the host's tree.
  must(set_mount_attr(tree, AT_RECURSIVE, MOUNT_ATTR_NODEV | idmap, 0, idmap != 0 ? userns : 0,
                      MS_PRIVATE),
       idmap != 0 ? "map the owners of the root (idmapped mount)" : "restrict the root", root);
  attach_root(tree, root);
  OpContext const ops{tree, userns, want.proc, want.sys};
  apply_ops(plan, header.n_ops - header.n_late, ops);
  enter_new_root(tree);
  set_limits(plan, init.pid);
  await("network");
  if (header.n_late != 0 && (header.flags & kNetNs) != 0)
    must(setns(open_ns(init.pid, "net"), CLONE_NEWNET), "enter the guest's network");
  apply_ops(plan, header.n_late, ops);
  if (write(init.gate, "g", 1) != 1) fail("release init", "", errno);
  _exit(0);
}

}  // namespace vs::stage
