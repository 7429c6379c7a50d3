// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Abstract names of unix sockets belong to the network namespace, which contexts share. Here a name
 * is of the context that bound it: for others, the host among them, nobody listens there.
 *
 * The programs stand at the kernel's security hooks as modifiers of their result, which asks for
 * function tracing but not for a security module of BPF at boot (lsm=bpf).
 */
#include "contexts.h"

#include <bpf/bpf_core_read.h>

enum { VS_ECONNREFUSED = 111 };

/* Cgroup of the contexts' parent; set before the programs are loaded. */
const volatile __u64 vs_parent = 0;

/* The kernel's structures, as far as they are looked into; offsets are adjusted at load. */
struct kernfs_node {
	__u64 id;
} __attribute__((preserve_access_index));

struct cgroup {
	struct kernfs_node *kn;
	int level;
	struct cgroup *ancestors[];
} __attribute__((preserve_access_index));

struct sock_cgroup_data {
	struct cgroup *cgroup;
} __attribute__((preserve_access_index));

struct sock {
	struct sock_cgroup_data sk_cgrp_data;
} __attribute__((preserve_access_index));

struct socket {
	struct sock *sk;
} __attribute__((preserve_access_index));

struct sockaddr_un {
	char sun_path[108];
} __attribute__((preserve_access_index));

struct unix_address {
	int len;
	struct sockaddr_un name[];
} __attribute__((preserve_access_index));

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
} __attribute__((preserve_access_index));

/* A socket with a name that is no file: neither a pathname nor unbound. */
static __always_inline int vs_is_abstract(const struct unix_sock *sk)
{
	struct unix_address *addr = BPF_CORE_READ(sk, addr);
	char first = 1;

	if (!addr || BPF_CORE_READ(addr, len) <= (int)sizeof(__u16))
		return 0;
	if (bpf_core_read(&first, sizeof(first), &addr->name[0].sun_path[0]))
		return 1;
	return first == 0;
}

/*
 * Whose: a context's cgroup, or 0 for the host, guests with the host's network among it. Below the
 * parent everybody is somebody of his own, known or not.
 */
static __always_inline __u64 vs_holder(__u64 context, __u64 parent)
{
	struct vs_context *c;

	if (parent != vs_parent)
		return 0;
	c = bpf_map_lookup_elem(&contexts, &context);
	return c && (c->mode & VS_MODE_HOST) ? 0 : context;
}

static __always_inline __u64 vs_ancestor_of(struct cgroup *cgroup, __u32 level)
{
	struct cgroup *ancestor = NULL;
	const char *all = (const char *)cgroup + bpf_core_field_offset(cgroup->ancestors);

	if (!cgroup || (__u32)BPF_CORE_READ(cgroup, level) < level)
		return 0;
	bpf_probe_read_kernel(&ancestor, sizeof(ancestor), all + level * sizeof(ancestor));
	return BPF_CORE_READ(ancestor, kn, id);
}

static __always_inline int vs_may_reach(struct sock *from, struct sock *other)
{
	__u64 const caller = vs_holder(bpf_get_current_ancestor_cgroup_id(vs_level),
				       bpf_get_current_ancestor_cgroup_id(vs_level - 1));
	struct cgroup *cgroup;
	struct vs_traffic *t;

	if (!vs_is_abstract((struct unix_sock *)other))
		return 0;
	/* Who has connected to us waits for an answer. */
	if (BPF_CORE_READ((struct unix_sock *)other, peer) == from)
		return 0;
	cgroup = BPF_CORE_READ(other, sk_cgrp_data.cgroup);
	if (caller ==
	    vs_holder(vs_ancestor_of(cgroup, vs_level), vs_ancestor_of(cgroup, vs_level - 1)))
		return 0;
	t = bpf_map_lookup_elem(&traffic, &caller);
	if (t)
		t->calls_refused++;
	return -VS_ECONNREFUSED;
}

/* (sock, other, newsk), and what was said before us */
SEC("fmod_ret/security_unix_stream_connect")
int vs_unix_connect(__u64 *ctx)
{
	int const before = (int)ctx[3];

	return before ? before : vs_may_reach((struct sock *)ctx[0], (struct sock *)ctx[1]);
}

/* (sock, other) */
SEC("fmod_ret/security_unix_may_send")
int vs_unix_may_send(__u64 *ctx)
{
	struct socket *sock = (struct socket *)ctx[0];
	struct socket *other = (struct socket *)ctx[1];
	int const before = (int)ctx[2];

	return before ? before : vs_may_reach(BPF_CORE_READ(sock, sk), BPF_CORE_READ(other, sk));
}

char LICENSE[] SEC("license") = "GPL";
