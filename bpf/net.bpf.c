// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The shared network: contexts use the host's network stack, each its own addresses. Attached once
 * to the parent cgroup of all contexts; what a context may is in the maps.
 */
#include "maps.h"
#include "guard.h"
#include "steer.h"

/* Stores with the offset in the instruction: clang would merge two of them into one with a computed
 * pointer, which the verifier refuses for a context. */
#define vs_store(ctx, member, value)                                                               \
	asm volatile("*(u32 *)(%0 + %1) = %2"                                                      \
		     :                                                                             \
		     : "r"(ctx), "i"(offsetof(struct bpf_sock_addr, member)), "r"(value)           \
		     : "memory")

#define vs_store6(ctx, member, addr)                                                               \
	do {                                                                                       \
		vs_store(ctx, member[0], (addr)->w[0]);                                            \
		vs_store(ctx, member[1], (addr)->w[1]);                                            \
		vs_store(ctx, member[2], (addr)->w[2]);                                            \
		vs_store(ctx, member[3], (addr)->w[3]);                                            \
	} while (0)

#define vs_load6(from) ((struct vs_addr){.w = {(from)[0], (from)[1], (from)[2], (from)[3]}})

/* linux/in.h and linux/in6.h, for bpf_bind() */
struct sockaddr_in {
	__u16 sin_family;
	__be16 sin_port;
	__be32 sin_addr;
	__u8 sin_zero[8];
};

struct sockaddr_in6 {
	__u16 sin6_family;
	__be16 sin6_port;
	__be32 sin6_flowinfo;
	struct vs_addr sin6_addr;
	__u32 sin6_scope_id;
};

#define VS_ENTER(ctx)                                                                              \
	struct vs_context *c = NULL;                                                               \
	struct vs_socket *s = vs_identify(ctx, (ctx)->sk);                                         \
	switch (vs_who(s, &c)) {                                                                   \
	case VS_WHO_FREE:                                                                          \
		return 1;                                                                          \
	case VS_WHO_NOBODY:                                                                        \
		return vs_refuse(s, VS_EPERM);                                                     \
	case VS_WHO_CONTEXT:                                                                       \
		break;                                                                             \
	}                                                                                          \
	if (!c || !s)                                                                              \
		return 0;

/* For hooks that may only change what is shown. */
#define VS_ENTER_SHOW(ctx)                                                                         \
	struct vs_context *c = NULL;                                                               \
	struct vs_socket *s = bpf_sk_storage_get(&sockets, (ctx)->sk, NULL, 0);                    \
	if (vs_who(s, &c) != VS_WHO_CONTEXT || !c || !s)                                           \
		return 1;

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

/* ---- bind -------------------------------------------------------------------------------------
 */

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
	switch (vs_bind4(c, wanted, vs_is_member4(s->context, wanted))) {
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
		verdict = vs_bind4(c, wanted.w[3], vs_is_member(s->context, &wanted));
	else
		verdict = vs_bind6(c, &wanted, vs_is_member(s->context, &wanted));
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

/* ---- connect ----------------------------------------------------------------------------------
 */

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
		return own == c->lback4 || vs_is_member4(s->context, own) ? 1
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
		if (vs_same(&own, &c->lback6) || vs_is_member(s->context, &own) ||
		    (vs_is_mapped(&own) && own.w[3] == c->lback4))
			return 1;
		return vs_refuse(s, VS_EPERM);
	}
	vs_set_source6(ctx, &source);
	return 1;
}

/* ---- sendto without connect, and what the receiver is shown -------------------------------------
 */

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
		if (own == 0 || own == c->lback4 || vs_is_member4(s->context, own))
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
	return vs_is_member4(s->context, own) ? 1 : vs_refuse(s, VS_EPERM);
}

SEC("cgroup/sendmsg6")
int vs_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct vs_addr const dest = vs_load6(ctx->user_ip6);
	struct vs_addr own = vs_load6(ctx->msg_src_ip6);
	__u32 at;
	VS_ENTER(ctx)

	if (vs_is_unnamed(ctx)) {
		if (vs_is_any6(&own) || vs_same(&own, &c->lback6) || vs_is_member(s->context, &own))
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
	return vs_is_member(s->context, &own) ? 1 : vs_refuse(s, VS_EPERM);
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
