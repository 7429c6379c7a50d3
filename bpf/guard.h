/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: every packet of a context's sockets is seen here once more and counted. It catches
 * what has no hook of its own: sockets that the kernel binds by itself, ping, header options.
 */
#ifndef VS_BPF_GUARD_H
#define VS_BPF_GUARD_H

#include "maps.h"

struct vs_ip4 {
	__u8 version_ihl, tos;
	__be16 length, id, fragment;
	__u8 ttl, protocol;
	__be16 checksum;
	__be32 saddr, daddr;
};

struct vs_ip6 {
	__be32 flow;
	__be16 length;
	__u8 next, hops;
	struct vs_addr saddr, daddr;
};

static __always_inline struct vs_count *vs_count_of(__u64 context, int v6, __u8 protocol)
{
	struct vs_traffic *t = bpf_map_lookup_elem(&traffic, &context);
	__u32 const cell = protocol == VS_IPPROTO_TCP	? VS_TCP
			   : protocol == VS_IPPROTO_UDP ? VS_UDP
			   : protocol == VS_IPPROTO_ICMP || protocol == VS_IPPROTO_ICMPV6
				   ? VS_ICMP
				   : VS_OTHER;

	if (!t)
		return NULL;
	return v6 ? &t->ipv6[cell] : &t->ipv4[cell];
}

static __always_inline int vs_account(struct __sk_buff *skb, struct vs_count *count, int out,
				      int allowed)
{
	if (!count)
		return allowed;
	if (!allowed) {
		count->refused++;
	} else if (out) {
		count->out_packets++;
		count->out_bytes += skb->len;
	} else {
		count->in_packets++;
		count->in_bytes += skb->len;
	}
	return allowed;
}

/*
 * An arriving packet for the loopback address: of a connection, or marked by our own egress. A mark
 * is beyond who has no CAP_NET_ADMIN on the host.
 */
static __always_inline int vs_is_trusted(struct __sk_buff *skb, const struct bpf_sock *sk,
					 const struct vs_context *c)
{
	if (sk->protocol == VS_IPPROTO_TCP && sk->state != BPF_TCP_LISTEN)
		return 1;
	return skb->mark == (VS_LBACK_MARK | c->nid);
}

/*
 * The kernel chooses the source of a ping socket without asking anybody: the host's first address.
 * Such a packet gets a mark, and its source from vs_leave() on the device. Raw ICMP sockets, which
 * only programs with CAP_NET_RAW over the host's network have, are treated alike.
 */
static __always_inline int vs_is_ping(const struct bpf_sock *sk)
{
	return sk->protocol == VS_IPPROTO_ICMP || sk->protocol == VS_IPPROTO_ICMPV6;
}

static __always_inline int vs_guard4(struct __sk_buff *skb, const struct bpf_sock *sk,
				     __u64 context, const struct vs_context *c, int out)
{
	struct vs_ip4 ip;
	__be32 own, peer;
	int member, allowed, icmp;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return 0;
	own = out ? ip.saddr : ip.daddr;
	peer = out ? ip.daddr : ip.saddr;
	icmp = ip.protocol == VS_IPPROTO_ICMP;
	member = vs_has_addr4(c, context, own == c->lback4 ? peer : own);
	allowed = vs_packet4(c, own, peer, member, out, vs_is_trusted(skb, sk, c), icmp);
	if (out && allowed && peer == c->lback4) {
		skb->mark = VS_LBACK_MARK | c->nid;
	} else if (out && !allowed && vs_is_ping(sk) && !vs_is_loopback4(peer) && c->n4 != 0) {
		skb->mark = VS_PING_MARK | c->nid;
		allowed = 1;
	}
	return vs_account(skb, vs_count_of(context, 0, ip.protocol), out, allowed);
}

static __always_inline int vs_guard6(struct __sk_buff *skb, const struct bpf_sock *sk,
				     __u64 context, const struct vs_context *c, int out)
{
	struct vs_ip6 ip;
	struct vs_addr own, peer;
	int member, allowed, icmp;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return 0;
	own = out ? ip.saddr : ip.daddr;
	peer = out ? ip.daddr : ip.saddr;
	icmp = ip.next == VS_IPPROTO_ICMPV6;
	member = vs_has_addr6(c, context, vs_same(&own, &c->lback6) ? &peer : &own);
	allowed = vs_packet6(c, &own, &peer, member, out, vs_is_trusted(skb, sk, c), icmp);
	if (out && allowed && vs_same(&peer, &c->lback6)) {
		skb->mark = VS_LBACK_MARK | c->nid;
	} else if (out && !allowed && vs_is_ping(sk) && !vs_is_loopback6(&peer) &&
		   !vs_is_lback6(&peer) && c->n6 != 0) {
		skb->mark = VS_PING_MARK | c->nid;
		allowed = 1;
	}
	return vs_account(skb, vs_count_of(context, 1, ip.next), out, allowed);
}

static __always_inline int vs_guard(struct __sk_buff *skb, int out)
{
	struct bpf_sock *sk = skb->sk;
	struct vs_socket *s;
	struct vs_context *c;
	__u64 context;

	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1;
	s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (s && (s->flags & VS_SOCK_ELSEWHERE))
		return 1;
	context = s ? s->context : bpf_sk_ancestor_cgroup_id(sk, vs_level);
	c = bpf_map_lookup_elem(&contexts, &context);
	if (!c || (c->mode & VS_MODE_HOST))
		return 1;
	if (skb->protocol == bpf_htons(0x0800))
		return vs_guard4(skb, sk, context, c, out);
	if (skb->protocol == bpf_htons(0x86dd))
		return vs_guard6(skb, sk, context, c, out);
	return 0;
}

SEC("cgroup_skb/egress")
int vs_egress(struct __sk_buff *skb)
{
	return vs_guard(skb, 1);
}

SEC("cgroup_skb/ingress")
int vs_ingress(struct __sk_buff *skb)
{
	return vs_guard(skb, 0);
}

#endif
