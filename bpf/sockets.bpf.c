// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts the IPv4 and IPv6 sockets that the processes of one context make, and refuses more than
 * its limit. Attached to the context's cgroup, and gone with it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "sockets.h"

#define VS_ENOBUFS 105

struct counted {
	struct bpf_spin_lock lock;
	struct vs_socket_counts n;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counted);
} vs_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} vs_limit SEC(".maps");

/* Which sockets were counted: accepted ones, and those made before, are not. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u8);
} vs_marks SEC(".maps");

static __always_inline void take_back(struct counted *c)
{
	bpf_spin_lock(&c->lock);
	if (c->n.current > 0)
		c->n.current--;
	bpf_spin_unlock(&c->lock);
}

SEC("cgroup/sock_create")
int vs_socket_made(struct bpf_sock *sk)
{
	__u32 zero = 0;
	int refused = 0;
	struct counted *c = bpf_map_lookup_elem(&vs_counts, &zero);
	__u64 *limit = bpf_map_lookup_elem(&vs_limit, &zero);

	if (!c || !limit)
		return 1;
	__u64 const most = *limit;
	bpf_spin_lock(&c->lock);
	if (c->n.current >= most) {
		c->n.hits++;
		refused = 1;
	} else {
		c->n.current++;
		if (c->n.current > c->n.maximum)
			c->n.maximum = c->n.current;
	}
	bpf_spin_unlock(&c->lock);
	if (refused) {
		bpf_set_retval(-VS_ENOBUFS);
		return 0;
	}
	if (!bpf_sk_storage_get(&vs_marks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE))
		take_back(c);
	return 1;
}

SEC("cgroup/sock_release")
int vs_socket_gone(struct bpf_sock *sk)
{
	__u32 zero = 0;
	struct counted *c = bpf_map_lookup_elem(&vs_counts, &zero);

	if (c && bpf_sk_storage_get(&vs_marks, sk, 0, 0))
		take_back(c);
	return 1;
}

char _license[] SEC("license") = "GPL";
