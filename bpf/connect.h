/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connect(2): the source is chosen as the context's addresses allow, loopback leads to its own. */
#ifndef VS_BPF_CONNECT_H
#define VS_BPF_CONNECT_H

#include "hook.h"

/*
 * Who would get what is sent to the loopback address? A server of the host that listens on any
 * address would, and would take the guest for itself: refused.
 */
static __always_inline int vs_is_foreign(struct bpf_sock *sk, __u64 context)
{
	struct vs_socket *s = bpf_sk_storage_get(&sockets, sk, NULL, 0);

	return !s || s->context != context;
}

static __always_inline int vs_lback_taken(struct bpf_sock_addr *ctx, struct bpf_sock_tuple *tuple,
					  __u32 size, __u64 context)
{
	struct bpf_sock *sk = ctx->protocol == VS_IPPROTO_UDP
				      ? bpf_sk_lookup_udp(ctx, tuple, size, BPF_F_CURRENT_NETNS, 0)
				      : bpf_sk_lookup_tcp(ctx, tuple, size, BPF_F_CURRENT_NETNS, 0);
	int foreign;

	if (!sk)
		return 0;
	foreign = vs_is_foreign(sk, context);
	bpf_sk_release(sk);
	return foreign;
}

static __always_inline int vs_lback4_taken(struct bpf_sock_addr *ctx, const struct vs_context *c,
					   __u64 context)
{
	struct bpf_sock_tuple tuple = {};

	tuple.ipv4.saddr = c->lback4;
	tuple.ipv4.daddr = c->lback4;
	tuple.ipv4.dport = (__be16)ctx->user_port;
	return vs_lback_taken(ctx, &tuple, sizeof(tuple.ipv4), context);
}

static __always_inline int vs_lback6_taken(struct bpf_sock_addr *ctx, const struct vs_context *c,
					   __u64 context)
{
	struct bpf_sock_tuple tuple = {};

	__builtin_memcpy(tuple.ipv6.saddr, &c->lback6, sizeof(c->lback6));
	__builtin_memcpy(tuple.ipv6.daddr, &c->lback6, sizeof(c->lback6));
	tuple.ipv6.dport = (__be16)ctx->user_port;
	return vs_lback_taken(ctx, &tuple, sizeof(tuple.ipv6), context);
}

/* A source for a socket that has none. What cannot be bound any more is left to the guard. */
static __always_inline void vs_set_source4(struct bpf_sock_addr *ctx, __be32 source)
{
	struct sockaddr_in sin = {.sin_family = VS_AF_INET, .sin_addr = source};

	bpf_bind(ctx, (void *)&sin, sizeof(sin));
}

static __always_inline void vs_set_source6(struct bpf_sock_addr *ctx, const struct vs_addr *source)
{
	struct sockaddr_in6 sin6 = {.sin6_family = VS_AF_INET6, .sin6_addr = *source};

	bpf_bind(ctx, (void *)&sin6, sizeof(sin6));
}

SEC("cgroup/connect4")
int vs_connect4(struct bpf_sock_addr *ctx)
{
	__be32 const dest = ctx->user_ip4;
	__be32 const own = ctx->sk->src_ip4;
	__be32 source;
	VS_ENTER(ctx)

	switch (vs_to4(c, dest)) {
	case VS_TO_LBACK:
		if (vs_lback4_taken(ctx, c, s->context))
			return vs_refuse(s, VS_ECONNREFUSED);
		source = c->lback4;
		vs_store(ctx, user_ip4, source);
		break;
	case VS_AS_IT_IS:
		if (vs_is_loopback4(dest))
			return 1;
		source = vs_source_for4(c, dest);
		break;
	default:
		return vs_refuse(s, VS_EPERM);
	}
	if (own != 0)
		return own == c->lback4 || vs_has_addr4(c, s->context, own)
			       ? 1
			       : vs_refuse(s, VS_EPERM);
	if (source == 0)
		return vs_refuse(s, VS_EPERM);
	vs_set_source4(ctx, source);
	return 1;
}

SEC("cgroup/connect6")
int vs_connect6(struct bpf_sock_addr *ctx)
{
	struct vs_addr const dest = vs_load6(ctx->user_ip6);
	struct vs_addr const own = vs_load6(ctx->sk->src_ip6);
	struct vs_addr source = {};
	int const mapped = vs_is_mapped(&dest);
	enum vs_verdict verdict;
	__u32 at;
	VS_ENTER(ctx)

	verdict = mapped ? vs_to4(c, dest.w[3]) : vs_to6(c, &dest);
	switch (verdict) {
	case VS_TO_LBACK:
		if (mapped ? vs_lback4_taken(ctx, c, s->context)
			   : vs_lback6_taken(ctx, c, s->context))
			return vs_refuse(s, VS_ECONNREFUSED);
		if (mapped) {
			vs_map4(&source, c->lback4);
			vs_store(ctx, user_ip6[3], c->lback4);
		} else {
			source = c->lback6;
			vs_store6(ctx, user_ip6, &c->lback6);
		}
		break;
	case VS_AS_IT_IS:
		if (mapped ? vs_is_loopback4(dest.w[3]) : vs_is_loopback6(&dest))
			return 1;
		if (mapped) {
			vs_map4(&source, vs_source_for4(c, dest.w[3]));
			if (source.w[3] == 0)
				return vs_refuse(s, VS_EPERM);
			break;
		}
		at = vs_source_for6(c, &dest);
		if (at >= VS_NET_SOURCES)
			return vs_refuse(s, VS_EPERM);
		source = c->source6[at].addr;
		break;
	default:
		/* Of the loopback addresses of others nobody knows here. */
		return vs_refuse(s, vs_is_lback6(&dest) ? VS_ECONNREFUSED : VS_EPERM);
	}
	if (!vs_is_any6(&own)) {
		if (vs_same(&own, &c->lback6) || vs_has_addr6(c, s->context, &own) ||
		    (vs_is_mapped(&own) && own.w[3] == c->lback4))
			return 1;
		return vs_refuse(s, VS_EPERM);
	}
	vs_set_source6(ctx, &source);
	return 1;
}

#endif
