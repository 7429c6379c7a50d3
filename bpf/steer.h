/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steering: a wildcard socket of a context is bound to its first address only. What arrives for
 * another address of the context, and no socket is bound to, is given to that wildcard socket.
 * Runs on every device, and looks no further than at the destination of what is for others.
 */
#ifndef VS_BPF_STEER_H
#define VS_BPF_STEER_H

#include "guard.h"

enum { VS_TC_NEXT = -1 };

struct vs_packet {
	struct vs_addr saddr, daddr;
	__be16 sport, dport;
	__u8 v6, protocol, syn, ports; /* ports: offset of the next header */
};

/* Addresses of what arrives; 0 when nothing can be steered by it. */
static __always_inline int vs_parse(struct __sk_buff *skb, struct vs_packet *p)
{
	if (p->v6) {
		struct vs_ip6 ip;

		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
			return 0;
		p->saddr = ip.saddr;
		p->daddr = ip.daddr;
		p->protocol = ip.next;
		p->ports = sizeof(ip);
	} else {
		struct vs_ip4 ip;

		if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
			return 0;
		vs_map4(&p->saddr, ip.saddr);
		vs_map4(&p->daddr, ip.daddr);
		p->protocol = ip.protocol;
		if (ip.fragment & bpf_htons(0x3fff))
			return 0;
		p->ports = (ip.version_ihl & 0xf) * 4;
	}
	return p->protocol == VS_IPPROTO_TCP || p->protocol == VS_IPPROTO_UDP;
}

/* Its ports, which only packets for contexts are asked for. */
static __always_inline int vs_parse_ports(struct __sk_buff *skb, struct vs_packet *p)
{
	struct {
		__be16 sport, dport;
		__be32 sequence, acknowledged;
		__u8 offset, flags;
	} l4 = {};

	if (p->protocol == VS_IPPROTO_TCP) {
		if (bpf_skb_load_bytes_relative(skb, p->ports, &l4, 14, BPF_HDR_START_NET))
			return 0;
		p->syn = (l4.flags & 0x12) == 0x02;
	} else if (bpf_skb_load_bytes_relative(skb, p->ports, &l4, 4, BPF_HDR_START_NET)) {
		return 0;
	}
	p->sport = l4.sport;
	p->dport = l4.dport;
	return 1;
}

/* The lookup key of a packet; without `whole` only its destination, so that no connection matches.
 */
static __always_inline __u32 vs_tuple(struct bpf_sock_tuple *tuple, const struct vs_packet *p,
				      const struct vs_addr *daddr, int whole)
{
	if (vs_is_mapped(daddr)) {
		tuple->ipv4.saddr = whole ? p->saddr.w[3] : 0;
		tuple->ipv4.daddr = daddr->w[3];
		tuple->ipv4.sport = whole ? p->sport : 0;
		tuple->ipv4.dport = p->dport;
		return sizeof(tuple->ipv4);
	}
	if (whole)
		__builtin_memcpy(tuple->ipv6.saddr, &p->saddr, sizeof(p->saddr));
	__builtin_memcpy(tuple->ipv6.daddr, daddr, sizeof(*daddr));
	tuple->ipv6.sport = whole ? p->sport : 0;
	tuple->ipv6.dport = p->dport;
	return sizeof(tuple->ipv6);
}

/* Does the packet find a socket without our help? */
static __always_inline int vs_is_served(struct __sk_buff *skb, const struct vs_packet *p)
{
	struct bpf_sock_tuple tuple = {};
	__u32 const size = vs_tuple(&tuple, p, &p->daddr, 1);
	struct bpf_sock *sk;
	int served;

	if (p->protocol == VS_IPPROTO_UDP) {
		sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
		if (!sk)
			return 0;
		bpf_sk_release(sk);
		return 1;
	}
	sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	/* A connection that is over does not stand in the way of a new one. */
	served = !p->syn || sk->state != BPF_TCP_TIME_WAIT;
	bpf_sk_release(sk);
	return served;
}

/*
 * Gives the packet to the context's wildcard socket on this address, if there is one. Kernels
 * before 6.6 refuse this for sockets with SO_REUSEPORT: these are published for the lookup program,
 * which runs for this same packet a moment later.
 */
static __always_inline int vs_give(struct __sk_buff *skb, const struct vs_packet *p,
				   const struct vs_addr *anchor, __u64 context, __u32 needed)
{
	struct bpf_sock_tuple tuple = {};
	__u32 const size = vs_tuple(&tuple, p, anchor, 0);
	struct bpf_sock *sk;
	struct vs_socket *s;
	int given = 0;

	sk = p->protocol == VS_IPPROTO_TCP
		     ? bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0)
		     : bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (s && s->context == context && (s->flags & needed) == needed) {
		given = 1;
		if (bpf_sk_assign(skb, sk, 0) == -94 /* ESOCKTNOSUPPORT */) {
			struct vs_published const key = {
				.addr = p->daddr, .port = p->dport, .protocol = p->protocol};

			bpf_map_update_elem(&published, &key, sk, BPF_ANY);
		}
	}
	bpf_sk_release(sk);
	return given;
}

static __always_inline int vs_steer4(struct __sk_buff *skb, const struct vs_packet *p,
				     const struct vs_context *c, __u64 context, __u32 needed)
{
	struct vs_addr anchor;

	for (int i = 0; i < VS_NET_ANCHORS; i++) {
		if (c->anchor4[i] == 0)
			return 0;
		vs_map4(&anchor, c->anchor4[i]);
		if (!vs_same(&anchor, &p->daddr) && vs_give(skb, p, &anchor, context, needed))
			return 1;
	}
	return 0;
}

static __always_inline int vs_steer6(struct __sk_buff *skb, const struct vs_packet *p,
				     const struct vs_context *c, __u64 context)
{
	struct vs_addr anchor;

	for (int i = 0; i < VS_NET_ANCHORS; i++) {
		anchor = c->anchor6[i];
		if (vs_is_any6(&anchor))
			break;
		if (!vs_same(&anchor, &p->daddr) &&
		    vs_give(skb, p, &anchor, context, VS_SOCK_WILDCARD))
			return 1;
	}
	return vs_steer4(skb, p, c, context, VS_SOCK_WILDCARD | VS_SOCK_DUAL);
}

static __always_inline int vs_steer_to(struct __sk_buff *skb, const struct vs_packet *p,
				       __u64 context)
{
	struct vs_context *c = bpf_map_lookup_elem(&contexts, &context);

	if (!c)
		return 0;
	return p->v6 ? vs_steer6(skb, p, c, context)
		     : vs_steer4(skb, p, c, context, VS_SOCK_WILDCARD);
}

SEC("tc")
int vs_steer(struct __sk_buff *skb)
{
	struct vs_packet p = {};
	struct vs_owner *owner;

	if (skb->protocol == bpf_htons(0x86dd))
		p.v6 = 1;
	else if (skb->protocol != bpf_htons(0x0800))
		return VS_TC_NEXT;
	if (!vs_parse(skb, &p))
		return VS_TC_NEXT;
	owner = bpf_map_lookup_elem(&owners, &p.daddr);
	if (!owner || owner->direct)
		return VS_TC_NEXT;
	if (!vs_parse_ports(skb, &p) || vs_is_served(skb, &p))
		return VS_TC_NEXT;
	for (int i = 0; i < VS_NET_SHARERS; i++) {
		if (owner->context[i] == 0 || vs_steer_to(skb, &p, owner->context[i]))
			break;
	}
	return VS_TC_NEXT;
}

/* ---- leaving: the source of echo requests -------------------------------------------------------
 */

enum { VS_TC_DROP = 2 };

/* Where the IP header stands in what a device gets: behind an Ethernet header, or at the start. */
static __always_inline int vs_network_offset(struct __sk_buff *skb, const void *header)
{
	const __u32 *wanted = header;
	__u32 there[5];

	for (__u32 at = 0; at <= 14; at += 14) {
		if (bpf_skb_load_bytes(skb, at, there, sizeof(there)))
			continue;
		if (there[0] == wanted[0] && there[1] == wanted[1] && there[2] == wanted[2] &&
		    there[3] == wanted[3] && there[4] == wanted[4])
			return (int)at;
	}
	return -1;
}

static __always_inline int vs_leave4(struct __sk_buff *skb, const struct vs_context *c)
{
	struct vs_ip4 ip;
	__be32 source;
	int at;

	if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
		return VS_TC_DROP;
	at = vs_network_offset(skb, &ip);
	source = vs_source_for4(c, ip.daddr);
	if (at < 0 || source == 0)
		return VS_TC_DROP;
	if (bpf_l3_csum_replace(skb, at + offsetof(struct vs_ip4, checksum), ip.saddr, source, 4) ||
	    bpf_skb_store_bytes(skb, at + offsetof(struct vs_ip4, saddr), &source, 4, 0))
		return VS_TC_DROP;
	return VS_TC_NEXT;
}

static __always_inline int vs_leave6(struct __sk_buff *skb, const struct vs_context *c)
{
	struct vs_ip6 ip;
	struct vs_addr source;
	__u32 index;
	__s64 change;
	int at;

	if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET))
		return VS_TC_DROP;
	at = vs_network_offset(skb, &ip);
	index = vs_source_for6(c, &ip.daddr);
	if (at < 0 || index >= VS_NET_SOURCES || ip.next != VS_IPPROTO_ICMPV6)
		return VS_TC_DROP;
	source = c->source6[index].addr;
	change = bpf_csum_diff((void *)&ip.saddr, sizeof(ip.saddr), (void *)&source, sizeof(source),
			       0);
	if (bpf_l4_csum_replace(skb, at + sizeof(ip) + 2, 0, change, BPF_F_PSEUDO_HDR) ||
	    bpf_skb_store_bytes(skb, at + offsetof(struct vs_ip6, saddr), &source, sizeof(source),
				0))
		return VS_TC_DROP;
	return VS_TC_NEXT;
}

SEC("tc")
int vs_leave(struct __sk_buff *skb)
{
	struct bpf_sock *sk;
	struct vs_socket *s;
	struct vs_context *c;

	if ((skb->mark & 0xffff0000) != VS_PING_MARK)
		return VS_TC_NEXT;
	sk = skb->sk;
	if (!sk)
		return VS_TC_NEXT; /* arrived from lo with its mark, on its way */
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return VS_TC_DROP;
	s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (!s)
		return VS_TC_DROP;
	c = bpf_map_lookup_elem(&contexts, &s->context);
	if (!c)
		return VS_TC_DROP;
	return skb->protocol == bpf_htons(0x86dd) ? vs_leave6(skb, c) : vs_leave4(skb, c);
}

SEC("sk_lookup")
int vs_lookup(struct bpf_sk_lookup *ctx)
{
	struct vs_published key = {
		.port = bpf_htons((__u16)ctx->local_port),
		.protocol = (__u8)ctx->protocol,
	};
	/* All are read in any case: clang would merge the loads of two branches. */
	__be32 const ip4 = *(volatile __u32 *)&ctx->local_ip4;
	struct bpf_sock *sk;

	key.addr.w[0] = *(volatile __u32 *)&ctx->local_ip6[0];
	key.addr.w[1] = *(volatile __u32 *)&ctx->local_ip6[1];
	key.addr.w[2] = *(volatile __u32 *)&ctx->local_ip6[2];
	key.addr.w[3] = *(volatile __u32 *)&ctx->local_ip6[3];
	if (ctx->family == VS_AF_INET)
		vs_map4(&key.addr, ip4);
	sk = bpf_map_lookup_elem(&published, &key);
	if (!sk)
		return SK_PASS;
	bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return SK_PASS;
}

#endif
