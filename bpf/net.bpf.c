// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The shared network: contexts use the host's network stack, each its own addresses. Attached once
 * to the parent cgroup of all contexts; what a context may is in the maps.
 */
#include "maps.h"
#include "guard.h"
#include "steer.h"
#include "bind.h"
#include "connect.h"
#include "message.h"

/* ---- socket, setsockopt, close ----------------------------------------------------------------
 */

SEC("cgroup/sock_create")
int vs_sock_create(struct bpf_sock *ctx)
{
	struct vs_context *c = NULL;
	struct vs_socket *s = vs_identify(ctx, ctx);
	struct vs_traffic *t;
	int err;

	switch (vs_who(s, &c)) {
	case VS_WHO_FREE:
		return 1;
	case VS_WHO_NOBODY:
		return vs_refuse(s, VS_EPERM);
	case VS_WHO_CONTEXT:
		break;
	}
	if (!c || !s)
		return 0;
	err = vs_may_open(c, ctx->family, ctx->type, ctx->protocol);
	if (err)
		return vs_refuse(s, err);
	t = bpf_map_lookup_elem(&traffic, &s->context);
	if (t) {
		s->counted = (__u32)bpf_get_socket_cookie(ctx);
		t->sockets_made++;
	}
	return 1;
}

SEC("cgroup/sock_release")
int vs_sock_release(struct bpf_sock *ctx)
{
	struct vs_socket *s = bpf_sk_storage_get(&sockets, ctx, NULL, 0);
	struct vs_traffic *t;

	if (!s || (s->flags & VS_SOCK_ELSEWHERE) || s->counted != (__u32)bpf_get_socket_cookie(ctx))
		return 1;
	t = bpf_map_lookup_elem(&traffic, &s->context);
	if (t)
		t->sockets_gone++;
	return 1;
}

SEC("cgroup/setsockopt")
int vs_setsockopt(struct bpf_sockopt *ctx)
{
	struct vs_context *c = NULL;
	struct vs_socket *s;
	int err;

	/* The options that matter are of few levels, the calls that come here are many. */
	if (ctx->level != VS_SOL_SOCKET && ctx->level != VS_SOL_IP && ctx->level != VS_SOL_IPV6)
		return 1;
	if (!ctx->sk || (ctx->sk->family != VS_AF_INET && ctx->sk->family != VS_AF_INET6))
		return 1;
	s = vs_identify(ctx, ctx->sk);
	switch (vs_who(s, &c)) {
	case VS_WHO_FREE:
		return 1;
	case VS_WHO_NOBODY:
		return vs_refuse(s, VS_EPERM);
	case VS_WHO_CONTEXT:
		break;
	}
	if (!c)
		return 0;
	err = vs_may_set(c, ctx->level, ctx->optname);
	return err ? vs_refuse(s, err) : 1;
}

/* ---- measuring, at load -------------------------------------------------------------------------
 */

SEC("cgroup/sock_create")
int vs_probe_level(struct bpf_sock *ctx __attribute__((unused)))
{
	__u32 const zero = 0;
	struct vs_state *now = bpf_map_lookup_elem(&state, &zero);

	if (!now)
		return 1;
	for (int level = 0; level < 32; level++) {
		if (bpf_get_current_ancestor_cgroup_id(level) == now->parent)
			now->level_probe = level + 1;
	}
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
