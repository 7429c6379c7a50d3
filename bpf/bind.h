/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bind(2): any address means the context's, the loopback address its own, others' are refused. */
#ifndef VS_BPF_BIND_H
#define VS_BPF_BIND_H

#include "hook.h"

static __always_inline int vs_bound(const struct vs_context *c, __u32 port)
{
	__u16 const number = bpf_ntohs((__u16)port);

	return number != 0 && number < 1024 && vs_may_bind_low(c) ? 3 : 1;
}

SEC("cgroup/bind4")
int vs_bind4_hook(struct bpf_sock_addr *ctx)
{
	__be32 const wanted = ctx->user_ip4;
	VS_ENTER(ctx)

	s->flags &= ~(VS_SOCK_WILDCARD | VS_SOCK_DUAL);
	switch (vs_bind4(c, wanted, vs_has_addr4(c, s->context, wanted))) {
	case VS_AS_IT_IS:
		break;
	case VS_TO_ANY:
		s->flags |= VS_SOCK_WILDCARD;
		vs_store(ctx, user_ip4, c->anchor4[0]);
		break;
	case VS_TO_LBACK:
		vs_store(ctx, user_ip4, c->lback4);
		break;
	case VS_REFUSED:
		return vs_refuse(s, VS_EADDRNOTAVAIL);
	}
	return vs_bound(c, ctx->user_port);
}

/* IPV6_V6ONLY of a socket: its own, set by the program or by the host's default. */
static __always_inline int vs_is_v6only(struct bpf_sock *sk)
{
	void *kernel = bpf_skc_to_tcp6_sock(sk);

	if (!kernel)
		kernel = bpf_skc_to_udp6_sock(sk);
	return kernel ? BPF_CORE_READ_BITFIELD_PROBED((struct sock_common *)kernel, skc_ipv6only)
		      : 0;
}

static __always_inline void vs_bind_any6(struct bpf_sock_addr *ctx, struct vs_socket *s,
					 const struct vs_context *c)
{
	struct vs_addr anchor;

	/*
	 * A socket that is bound to an IPv6 address would never get IPv4, so one for both kinds is
	 * bound to the IPv4 address; steering brings it what arrives by IPv6.
	 */
	if (c->n4 != 0 && !vs_is_v6only(ctx->sk)) {
		s->flags |= VS_SOCK_WILDCARD | VS_SOCK_DUAL;
		vs_map4(&anchor, c->anchor4[0]);
	} else {
		s->flags |= VS_SOCK_WILDCARD;
		anchor = c->anchor6[0];
	}
	vs_store6(ctx, user_ip6, &anchor);
}

SEC("cgroup/bind6")
int vs_bind6_hook(struct bpf_sock_addr *ctx)
{
	struct vs_addr wanted = vs_load6(ctx->user_ip6);
	enum vs_verdict verdict;
	VS_ENTER(ctx)

	s->flags &= ~(VS_SOCK_WILDCARD | VS_SOCK_DUAL);
	if (vs_is_mapped(&wanted))
		verdict = vs_bind4(c, wanted.w[3], vs_has_addr6(c, s->context, &wanted));
	else
		verdict = vs_bind6(c, &wanted, vs_has_addr6(c, s->context, &wanted));
	switch (verdict) {
	case VS_AS_IT_IS:
		break;
	case VS_TO_ANY:
		if (vs_is_mapped(&wanted)) {
			s->flags |= VS_SOCK_WILDCARD;
			vs_map4(&wanted, c->anchor4[0]);
			vs_store6(ctx, user_ip6, &wanted);
		} else {
			vs_bind_any6(ctx, s, c);
		}
		break;
	case VS_TO_LBACK:
		if (vs_is_mapped(&wanted)) {
			vs_store(ctx, user_ip6[3], c->lback4);
		} else {
			vs_store6(ctx, user_ip6, &c->lback6);
		}
		break;
	case VS_REFUSED:
		return vs_refuse(s, VS_EADDRNOTAVAIL);
	}
	return vs_bound(c, ctx->user_port);
}

#endif
