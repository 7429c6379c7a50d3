/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The maps of the shared network, and who a socket belongs to. Included by net.bpf.c alone. */
#ifndef VS_BPF_MAPS_H
#define VS_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "contexts.h"
#include "rules.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 18);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct vs_member);
	__type(value, __u8);
} members SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 18);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct vs_addr);
	__type(value, struct vs_owner);
} owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct vs_socket);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, struct vs_published);
	__type(value, __u64);
} published SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vs_state);
} state SEC(".maps");

/* Set before the programs are loaded. */
const volatile __u64 vs_netns = 0;

enum vs_who {
	VS_WHO_CONTEXT, /* a context: the rules apply */
	VS_WHO_FREE,	/* another namespace, or a guest that uses the host's network */
	VS_WHO_NOBODY,	/* below the parent, in the shared namespace, and unknown: nothing goes */
};

static __always_inline int vs_is_member(__u64 context, const struct vs_addr *addr)
{
	struct vs_member const key = {.context = context, .addr = *addr};

	return bpf_map_lookup_elem(&members, &key) != NULL;
}

static __always_inline int vs_is_member4(__u64 context, __be32 addr)
{
	struct vs_addr mapped;

	vs_map4(&mapped, addr);
	return vs_is_member(context, &mapped);
}

/* The same, without a lookup for what is asked most: the first address, and none. */
static __always_inline int vs_has_addr4(const struct vs_context *c, __u64 context, __be32 addr)
{
	if (vs_is_first4(c, addr))
		return 1;
	return addr != 0 && vs_is_member4(context, addr);
}

static __always_inline int vs_has_addr6(const struct vs_context *c, __u64 context,
					const struct vs_addr *addr)
{
	if (vs_is_first6(c, addr))
		return 1;
	return !vs_is_any6(addr) && vs_is_member(context, addr);
}

static __always_inline enum vs_who vs_who(const struct vs_socket *s, struct vs_context **c)
{
	if (!s)
		return VS_WHO_NOBODY;
	if (s->flags & VS_SOCK_ELSEWHERE)
		return VS_WHO_FREE;
	*c = bpf_map_lookup_elem(&contexts, &s->context);
	if (!*c)
		return VS_WHO_NOBODY;
	return (*c)->mode & VS_MODE_HOST ? VS_WHO_FREE : VS_WHO_CONTEXT;
}

/*
 * A socket belongs to the context that made it. Those that the kernel makes (subflows of MPTCP) are
 * first seen when they are bound or connected.
 */
#define vs_identify(ctx, sk)                                                                       \
	({                                                                                         \
		struct vs_socket *s_ = bpf_sk_storage_get(&sockets, sk, NULL, 0);                  \
		if (!s_) {                                                                         \
			struct vs_socket fresh_ = {                                                \
				.context = bpf_get_current_ancestor_cgroup_id(vs_level),           \
			};                                                                         \
			if (bpf_get_netns_cookie(ctx) != vs_netns)                                 \
				fresh_.flags = VS_SOCK_ELSEWHERE;                                  \
			s_ = bpf_sk_storage_get(&sockets, sk, &fresh_,                             \
						BPF_SK_STORAGE_GET_F_CREATE);                      \
		}                                                                                  \
		s_;                                                                                \
	})

/* Ends a hook with an errno of the original's. */
static __always_inline int vs_refuse(const struct vs_socket *s, int err)
{
	if (s) {
		struct vs_traffic *t = bpf_map_lookup_elem(&traffic, &s->context);

		if (t)
			t->calls_refused++;
	}
	bpf_set_retval(-err);
	return 0;
}

/* The kernel's structures, as far as they are looked into; offsets are adjusted at load. */
struct sock_common {
	unsigned char skc_ipv6only : 1;
} __attribute__((preserve_access_index));

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct user_namespace {
	struct ns_common ns;
} __attribute__((preserve_access_index));

struct vs_capabilities {
	__u64 bits;
};

struct cred {
	struct vs_capabilities cap_effective;
	struct user_namespace *user_ns;
} __attribute__((preserve_access_index));

struct task_struct {
	const struct cred *cred;
} __attribute__((preserve_access_index));

/*
 * May the caller bind to ports below 1024? Who has no user namespace of its own is asked by the
 * kernel. A capability counts only in the context's own namespace: in a nested one anybody has all.
 */
static __always_inline int vs_may_bind_low(const struct vs_context *c)
{
	enum { NET_BIND_SERVICE = 10 };
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct cred *cred = NULL;
	struct user_namespace *ns = NULL;
	__u64 effective = 0;
	unsigned int inum = 0;

	if (c->userns == 0)
		return 0;
	bpf_core_read(&cred, sizeof(cred), &task->cred);
	bpf_core_read(&effective, sizeof(effective), &cred->cap_effective);
	bpf_core_read(&ns, sizeof(ns), &cred->user_ns);
	bpf_core_read(&inum, sizeof(inum), &ns->ns.inum);
	return inum == c->userns && (effective >> NET_BIND_SERVICE & 1);
}

#endif
