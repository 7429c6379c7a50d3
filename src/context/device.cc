// SPDX-License-Identifier: GPL-2.0-or-later
#include "context/device.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace vs {

namespace {

struct Device {
  std::uint32_t major;
  std::int32_t minor;  // -1: all
};

constexpr std::array kAllowed{
    Device{1, 3}, Device{1, 5}, Device{1, 7},
    Device{1, 8}, Device{1, 9},                   // null zero full random urandom
    Device{5, 0}, Device{5, 2}, Device{136, -1},  // tty ptmx pts
};

Status restrict_v1(ContextCgroup& cgroup) {
  VS_TRY(cgroup.write_knob_of("devices", "devices.deny", "a"));
  for (auto const& device : kAllowed) {
    auto const minor = device.minor < 0 ? std::string{"*"} : std::to_string(device.minor);
    VS_TRY(cgroup.write_knob_of("devices", "devices.allow",
                                fmt::format("c {}:{} rwm", device.major, minor)));
  }
  return {};
}

using Program = std::vector<bpf_insn>;

void emit(Program& program, std::uint8_t code, std::uint8_t dst, std::uint8_t src, std::int16_t off,
          std::int32_t imm) {
  bpf_insn insn{};
  insn.code = code;
  insn.dst_reg = dst & 0xFU;
  insn.src_reg = src & 0xFU;
  insn.off = off;
  insn.imm = imm;
  program.push_back(insn);
}

// struct bpf_cgroup_dev_ctx: access_type (type in the low half), major, minor. One comparison for
// each device and one way out: a start pays for what the verifier has to walk.
Program device_program() {
  constexpr std::uint32_t kMinorBits = 20;  // of a dev_t in the kernel
  Program program;
  auto const compare = [&](std::uint8_t code, std::uint8_t reg, std::size_t left,
                           std::int32_t imm) {
    emit(program, code, reg, 0, static_cast<std::int16_t>(left), imm);
  };
  emit(program, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0);
  emit(program, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
  emit(program, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1, 4, 0);
  emit(program, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, 8, 0);
  emit(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
  compare(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 1, BPF_DEVCG_DEV_CHAR);
  emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  emit(program, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_5, BPF_REG_3, 0, 0);
  emit(program, BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_5, 0, 0, kMinorBits);
  emit(program, BPF_ALU64 | BPF_OR | BPF_X, BPF_REG_5, BPF_REG_4, 0, 0);
  for (std::size_t i = 0; i < kAllowed.size(); ++i) {
    auto const& device = kAllowed[i];
    std::size_t const to_allow = kAllowed.size() - i;  // over the others, and over the refusal
    if (device.minor < 0) {
      compare(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_3, to_allow,
              static_cast<std::int32_t>(device.major));
    } else {
      compare(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_5, to_allow,
              static_cast<std::int32_t>(device.major << kMinorBits) | device.minor);
    }
  }
  emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  emit(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
  emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  return program;
}

long bpf(bpf_cmd command, bpf_attr& attr) {
  return ::syscall(SYS_bpf, command, &attr, sizeof attr);
}

Status restrict_v2(ContextCgroup& cgroup) {
  auto const program = device_program();
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<std::uint64_t>(program.data());
  load.insn_cnt = static_cast<std::uint32_t>(program.size());
  load.license = reinterpret_cast<std::uint64_t>("GPL");
  std::memcpy(load.prog_name, "vs_device", sizeof "vs_device");
  Fd const loaded{static_cast<int>(bpf(BPF_PROG_LOAD, load))};
  if (!loaded) return Error::system(errno, "load the device filter");
  Fd const guest = VS_TRY(cgroup.open_guest());
  bpf_attr attach{};
  attach.target_fd = static_cast<std::uint32_t>(guest.get());
  attach.attach_bpf_fd = static_cast<std::uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  // Attached to the cgroup itself, it lives as long as the cgroup: nothing to pin.
  if (bpf(BPF_PROG_ATTACH, attach) != 0) return Error::system(errno, "attach the device filter");
  return {};
}

}  // namespace

Status restrict_devices(ContextCgroup& cgroup) {
  return cgroup.host().is_v1("devices") ? restrict_v1(cgroup) : restrict_v2(cgroup);
}

}  // namespace vs
