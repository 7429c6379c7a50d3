/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams without a connection, and what names and senders are shown as. */
#ifndef VS_BPF_MESSAGE_H
#define VS_BPF_MESSAGE_H

#include "connect.h"

/* A connected socket names no destination; it comes here for its control messages. */
static __always_inline int vs_is_unnamed(const struct bpf_sock_addr *ctx)
{
	return ctx->user_family == 0 && ctx->user_port == 0;
}

SEC("cgroup/sendmsg4")
int vs_sendmsg4(struct bpf_sock_addr *ctx)
{
	__be32 const dest = ctx->user_ip4;
	__be32 own = ctx->msg_src_ip4;
	VS_ENTER(ctx)

	if (vs_is_unnamed(ctx)) {
		if (own == 0 || own == c->lback4 || vs_has_addr4(c, s->context, own))
			return 1;
		return vs_refuse(s, VS_EPERM);
	}

	switch (vs_to4(c, dest)) {
	case VS_TO_LBACK:
		if (vs_lback4_taken(ctx, c, s->context))
			return vs_refuse(s, VS_ECONNREFUSED);
		vs_store(ctx, user_ip4, c->lback4);
		vs_store(ctx, msg_src_ip4, c->lback4);
		return 1;
	case VS_AS_IT_IS:
		break;
	default:
		return vs_refuse(s, VS_EPERM);
	}
	if (vs_is_loopback4(dest))
		return 1;
	if (own == 0) {
		own = vs_source_for4(c, dest);
		if (own == 0)
			return vs_refuse(s, VS_EPERM);
		vs_store(ctx, msg_src_ip4, own);
		return 1;
	}
	/* Asked on its loopback address by a socket that is bound to any. */
	if (own == c->lback4)
		return vs_has_addr4(c, s->context, dest) ? 1 : vs_refuse(s, VS_EPERM);
	return vs_has_addr4(c, s->context, own) ? 1 : vs_refuse(s, VS_EPERM);
}

SEC("cgroup/sendmsg6")
int vs_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct vs_addr const dest = vs_load6(ctx->user_ip6);
	struct vs_addr own = vs_load6(ctx->msg_src_ip6);
	__u32 at;
	VS_ENTER(ctx)

	if (vs_is_unnamed(ctx)) {
		if (vs_is_any6(&own) || vs_same(&own, &c->lback6) ||
		    vs_has_addr6(c, s->context, &own))
			return 1;
		return vs_refuse(s, VS_EPERM);
	}
	switch (vs_to6(c, &dest)) {
	case VS_TO_LBACK:
		if (vs_lback6_taken(ctx, c, s->context))
			return vs_refuse(s, VS_ECONNREFUSED);
		vs_store6(ctx, user_ip6, &c->lback6);
		vs_store6(ctx, msg_src_ip6, &c->lback6);
		return 1;
	case VS_AS_IT_IS:
		break;
	default:
		return vs_refuse(s, vs_is_lback6(&dest) ? VS_ECONNREFUSED : VS_EPERM);
	}
	if (vs_is_loopback6(&dest))
		return 1;
	/* A socket for both kinds is bound to an IPv4 address. */
	if (vs_is_any6(&own) || vs_is_mapped(&own)) {
		at = vs_source_for6(c, &dest);
		if (at >= VS_NET_SOURCES)
			return vs_refuse(s, VS_EPERM);
		own = c->source6[at].addr;
		vs_store6(ctx, msg_src_ip6, &own);
		return 1;
	}
	if (vs_same(&own, &c->lback6))
		return vs_has_addr6(c, s->context, &dest) ? 1 : vs_refuse(s, VS_EPERM);
	return vs_has_addr6(c, s->context, &own) ? 1 : vs_refuse(s, VS_EPERM);
}

static __always_inline int vs_show4(struct bpf_sock_addr *ctx, const struct vs_context *c)
{
	if ((c->nflags & VS_NXF_HIDE_LBACK) != 0 && ctx->user_ip4 == c->lback4)
		vs_store(ctx, user_ip4, VS_LOOPBACK4);
	return 1;
}

static __always_inline int vs_show6(struct bpf_sock_addr *ctx, const struct vs_context *c)
{
	struct vs_addr const addr = vs_load6(ctx->user_ip6);
	struct vs_addr const one = {.w = {0, 0, 0, VS_BE32(1)}};

	if ((c->nflags & VS_NXF_HIDE_LBACK) == 0)
		return 1;
	if (vs_is_mapped(&addr) && addr.w[3] == c->lback4)
		vs_store(ctx, user_ip6[3], VS_LOOPBACK4);
	if (!vs_is_any6(&addr) && vs_same(&addr, &c->lback6))
		vs_store6(ctx, user_ip6, &one);
	return 1;
}

/* Bound to any address, as far as the program knows: a connection has one address. */
static __always_inline int vs_shows_any(struct bpf_sock_addr *ctx, const struct vs_socket *s)
{
	__u32 const at = ctx->sk->state;

	return (s->flags & VS_SOCK_WILDCARD) != 0 && (at == BPF_TCP_CLOSE || at == BPF_TCP_LISTEN);
}

SEC("cgroup/recvmsg4")
int vs_recvmsg4(struct bpf_sock_addr *ctx)
{
	VS_ENTER_SHOW(ctx)
	return vs_show4(ctx, c);
}

SEC("cgroup/recvmsg6")
int vs_recvmsg6(struct bpf_sock_addr *ctx)
{
	VS_ENTER_SHOW(ctx)
	return vs_show6(ctx, c);
}

SEC("cgroup/getpeername4")
int vs_getpeername4(struct bpf_sock_addr *ctx)
{
	VS_ENTER_SHOW(ctx)
	return vs_show4(ctx, c);
}

SEC("cgroup/getpeername6")
int vs_getpeername6(struct bpf_sock_addr *ctx)
{
	VS_ENTER_SHOW(ctx)
	return vs_show6(ctx, c);
}

SEC("cgroup/getsockname4")
int vs_getsockname4(struct bpf_sock_addr *ctx)
{
	VS_ENTER_SHOW(ctx)
	if (vs_shows_any(ctx, s)) {
		vs_store(ctx, user_ip4, 0);
		return 1;
	}
	return vs_show4(ctx, c);
}

SEC("cgroup/getsockname6")
int vs_getsockname6(struct bpf_sock_addr *ctx)
{
	struct vs_addr const any = {};
	VS_ENTER_SHOW(ctx)

	if (vs_shows_any(ctx, s)) {
		vs_store6(ctx, user_ip6, &any);
		return 1;
	}
	return vs_show6(ctx, c);
}

#endif
