/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps that both objects have: pinned, so that they are the same ones. */
#ifndef VS_BPF_CONTEXTS_H
#define VS_BPF_CONTEXTS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct vs_context);
} contexts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct vs_traffic);
} traffic SEC(".maps");

/* Level of a context's cgroup below the root of all; set before the programs are loaded. */
const volatile __u32 vs_level = 0;

#endif
