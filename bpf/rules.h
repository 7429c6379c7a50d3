/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decisions of the shared network, as pure functions: compiled into the programs and into the
 * unit tests. Addresses and ports are in network byte order; nothing here knows maps or hooks.
 */
#ifndef VS_BPF_RULES_H
#define VS_BPF_RULES_H

#include "abi.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#ifdef __BYTE_ORDER__
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define VS_BE32(x) __builtin_bswap32(x)
#else
#define VS_BE32(x) (x)
#endif
#endif

#define VS_LOOPBACK4 VS_BE32(0x7f000001U)

/* errno of the original's refusals */
enum {
	VS_EPERM = 1,
	VS_EAFNOSUPPORT = 97,
	VS_EPROTONOSUPPORT = 93,
	VS_EADDRNOTAVAIL = 99,
	VS_ECONNREFUSED = 111,
};

/* What becomes of an address that a program of a context names. */
enum vs_verdict {
	VS_AS_IT_IS,
	VS_TO_ANY,   /* the context's wildcard */
	VS_TO_LBACK, /* the context's own loopback address */
	VS_REFUSED,
};

static __always_inline int vs_is_loopback4(__be32 addr)
{
	return (addr & VS_BE32(0xff000000U)) == VS_BE32(0x7f000000U);
}

static __always_inline int vs_is_multicast4(__be32 addr)
{
	return (addr & VS_BE32(0xf0000000U)) == VS_BE32(0xe0000000U);
}

static __always_inline int vs_is_any6(const struct vs_addr *a)
{
	return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}

static __always_inline int vs_is_mapped(const struct vs_addr *a)
{
	return (a->w[0] | a->w[1]) == 0 && a->w[2] == VS_BE32(0x0000ffffU);
}

static __always_inline int vs_is_loopback6(const struct vs_addr *a)
{
	return (a->w[0] | a->w[1] | a->w[2]) == 0 && a->w[3] == VS_BE32(1);
}

static __always_inline int vs_is_multicast6(const struct vs_addr *a)
{
	return (a->w[0] & VS_BE32(0xff000000U)) == VS_BE32(0xff000000U);
}

/* fd76:7365:7276:6572::/64, the loopback addresses of all contexts */
static __always_inline int vs_is_lback6(const struct vs_addr *a)
{
	return a->w[0] == VS_BE32(0xfd767365U) && a->w[1] == VS_BE32(0x72766572U);
}

static __always_inline int vs_same(const struct vs_addr *a, const struct vs_addr *b)
{
	return ((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) | (a->w[2] ^ b->w[2]) |
		(a->w[3] ^ b->w[3])) == 0;
}

static __always_inline void vs_map4(struct vs_addr *a, __be32 addr)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = VS_BE32(0x0000ffffU);
	a->w[3] = addr;
}

/* Does the context have an IPv4 (IPv6) at all? */
static __always_inline int vs_has4(const struct vs_context *c)
{
	return c->n4 != 0 || (c->nflags & VS_NXF_LBACK_REMAP) != 0;
}

static __always_inline int vs_has6(const struct vs_context *c)
{
	return c->n6 != 0 || ((c->nflags & VS_NXF_LBACK_REMAP) != 0 && !vs_is_any6(&c->lback6));
}

/*
 * Is it the context's first address? Most contexts have one, and then nobody needs to be asked. The
 * record never names an address that `members` has not.
 */
static __always_inline int vs_is_first4(const struct vs_context *c, __be32 addr)
{
	return c->n4 != 0 && c->source4[0].addr == addr;
}

static __always_inline int vs_is_first6(const struct vs_context *c, const struct vs_addr *addr)
{
	return c->n6 != 0 && vs_same(&c->source6[0].addr, addr);
}

/*
 * bind(2) to an IPv4 address.
 *   member  the context has it
 */
static __always_inline enum vs_verdict vs_bind4(const struct vs_context *c, __be32 addr, int member)
{
	if (addr == 0)
		return VS_TO_ANY;
	if (addr == c->lback4)
		return VS_AS_IT_IS;
	if (addr == VS_LOOPBACK4 && (c->nflags & VS_NXF_LBACK_REMAP) != 0)
		return VS_TO_LBACK;
	if (vs_is_loopback4(addr) && (c->nflags & VS_NXF_LBACK_ALLOW) != 0)
		return VS_AS_IT_IS;
	if (vs_is_multicast4(addr) && (c->ncaps & VS_NXC_MULTICAST) != 0)
		return VS_AS_IT_IS;
	return member ? VS_AS_IT_IS : VS_REFUSED;
}

/* The same for IPv6; an address that is mapped IPv4 is one for vs_bind4(). */
static __always_inline enum vs_verdict vs_bind6(const struct vs_context *c,
						const struct vs_addr *addr, int member)
{
	if (vs_is_any6(addr))
		return VS_TO_ANY;
	if (vs_same(addr, &c->lback6))
		return VS_AS_IT_IS;
	if (vs_is_loopback6(addr) && (c->nflags & VS_NXF_LBACK_REMAP) != 0)
		return vs_is_any6(&c->lback6) ? VS_REFUSED : VS_TO_LBACK;
	if (vs_is_loopback6(addr) && (c->nflags & VS_NXF_LBACK_ALLOW) != 0)
		return VS_AS_IT_IS;
	if (vs_is_multicast6(addr) && (c->ncaps & VS_NXC_MULTICAST) != 0)
		return VS_AS_IT_IS;
	return member ? VS_AS_IT_IS : VS_REFUSED;
}

/* The destination of connect(2) or sendto(2). Other hosts and guests are not fenced off. */
static __always_inline enum vs_verdict vs_to4(const struct vs_context *c, __be32 addr)
{
	if (addr != 0 && !vs_is_loopback4(addr))
		return VS_AS_IT_IS;
	if ((c->nflags & VS_NXF_LBACK_REMAP) != 0)
		return VS_TO_LBACK;
	return (c->nflags & VS_NXF_LBACK_ALLOW) != 0 ? VS_AS_IT_IS : VS_REFUSED;
}

static __always_inline enum vs_verdict vs_to6(const struct vs_context *c,
					      const struct vs_addr *addr)
{
	if (vs_same(addr, &c->lback6))
		return VS_TO_LBACK;
	if (vs_is_lback6(addr))
		return VS_REFUSED;
	if (!vs_is_any6(addr) && !vs_is_loopback6(addr))
		return VS_AS_IT_IS;
	if ((c->nflags & VS_NXF_LBACK_REMAP) != 0)
		return vs_is_any6(&c->lback6) ? VS_REFUSED : VS_TO_LBACK;
	return (c->nflags & VS_NXF_LBACK_ALLOW) != 0 ? VS_AS_IT_IS : VS_REFUSED;
}

/*
 * The source towards a destination: the context's address itself, else one in its subnet, else the
 * first. 0 when the context has none.
 */
static __always_inline __be32 vs_source_for4(const struct vs_context *c, __be32 dest)
{
	__be32 chosen = c->n4 != 0 ? c->source4[0].addr : 0;
	int found = 0;

	if ((c->nflags & VS_NXF_SINGLE_IP) != 0)
		return chosen;
	for (__u32 i = 0; i < VS_NET_SOURCES; i++) {
		const struct vs_source4 *s = &c->source4[i];

		if (i >= c->n4)
			break;
		if (s->addr == dest)
			return dest;
		if (!found && ((s->addr ^ dest) & s->mask) == 0) {
			chosen = s->addr;
			found = 1;
		}
	}
	return chosen;
}

/* The same for IPv6: the index in source6, or VS_NET_SOURCES. */
static __always_inline __u32 vs_source_for6(const struct vs_context *c, const struct vs_addr *dest)
{
	__u32 chosen = c->n6 != 0 ? 0 : VS_NET_SOURCES;
	int found = 0;

	for (__u32 i = 0; i < VS_NET_SOURCES; i++) {
		const struct vs_source6 *s = &c->source6[i];

		if (i >= c->n6)
			break;
		if (vs_same(&s->addr, dest))
			return i;
		if (!found && (((s->addr.w[0] ^ dest->w[0]) & s->mask.w[0]) |
			       ((s->addr.w[1] ^ dest->w[1]) & s->mask.w[1]) |
			       ((s->addr.w[2] ^ dest->w[2]) & s->mask.w[2]) |
			       ((s->addr.w[3] ^ dest->w[3]) & s->mask.w[3])) == 0) {
			chosen = i;
			found = 1;
		}
	}
	return chosen;
}

/* Constants of socket(2) and setsockopt(2): their headers do not compile for BPF. */
enum {
	VS_AF_INET = 2,
	VS_AF_INET6 = 10,
	VS_SOCK_RAW = 3,
	VS_IPPROTO_ICMP = 1,
	VS_IPPROTO_TCP = 6,
	VS_IPPROTO_UDP = 17,
	VS_IPPROTO_ICMPV6 = 58,
	VS_IPPROTO_MPTCP = 262,
	VS_SOL_SOCKET = 1,
	VS_SOL_IP = 0,
	VS_SOL_IPV6 = 41,
};

/* socket(2): 0, or the errno of its refusal. */
static __always_inline int vs_may_open(const struct vs_context *c, __u32 family, __u32 type,
				       __u32 protocol)
{
	int const icmp = protocol == VS_IPPROTO_ICMP || protocol == VS_IPPROTO_ICMPV6;

	if (family == VS_AF_INET && !vs_has4(c))
		return VS_EAFNOSUPPORT;
	if (family == VS_AF_INET6 && !vs_has6(c))
		return VS_EAFNOSUPPORT;
	if ((c->mode & VS_MODE_RAW) != 0)
		return 0;
	if (type == VS_SOCK_RAW)
		return icmp && (c->ncaps & VS_NXC_RAW_ICMP) != 0 ? 0 : VS_EPERM;
	if (icmp)
		return (c->ncaps & VS_NXC_RAW_ICMP) != 0 ? 0 : VS_EPERM;
	if (protocol == VS_IPPROTO_TCP || protocol == VS_IPPROTO_UDP ||
	    protocol == VS_IPPROTO_MPTCP)
		return 0;
	return VS_EPROTONOSUPPORT;
}

static __always_inline int vs_option_socket(__u32 name)
{
	/* SO_BINDTODEVICE, SO_MARK, SO_BINDTOIFINDEX */
	return name == 25 || name == 36 || name == 62 ? VS_EPERM : 0;
}

static __always_inline int vs_option_ip(__u32 name, int multicast)
{
	/* IP_FREEBIND, IP_TRANSPARENT; MRT_* */
	if (name == 15 || name == 19 || (name >= 200 && name <= 220))
		return VS_EPERM;
	/* IP_MULTICAST_IF, IP_UNICAST_IF, IP_ADD_MEMBERSHIP to MCAST_MSFILTER */
	if (name == 50)
		return VS_EPERM;
	if (!multicast && (name == 32 || (name >= 35 && name <= 48)))
		return VS_EPERM;
	return 0;
}

static __always_inline int vs_option_ipv6(__u32 name, int multicast)
{
	/* IPV6_TRANSPARENT, IPV6_UNICAST_IF, IPV6_FREEBIND; MRT6_* */
	if (name == 75 || name == 76 || name == 78 || (name >= 200 && name <= 220))
		return VS_EPERM;
	/* IPV6_MULTICAST_IF, IPV6_ADD/DROP_MEMBERSHIP, IPV6_JOIN/LEAVE_ANYCAST, MCAST_* */
	if (!multicast && (name == 17 || name == 20 || name == 21 || name == 27 || name == 28 ||
			   (name >= 42 && name <= 48)))
		return VS_EPERM;
	return 0;
}

/* setsockopt(2): 0, or the errno of its refusal. */
static __always_inline int vs_may_set(const struct vs_context *c, __u32 level, __u32 name)
{
	int const multicast = (c->ncaps & VS_NXC_MULTICAST) != 0;

	if (level == VS_SOL_SOCKET)
		return vs_option_socket(name);
	if (level == VS_SOL_IP)
		return vs_option_ip(name, multicast);
	if (level == VS_SOL_IPV6)
		return vs_option_ipv6(name, multicast);
	return 0;
}

/*
 * May a packet leave (arrive) with this own address? `peer` is the other end.
 *   member   the context has `own`; when that is its loopback address: it has `peer`
 *   icmp     of a ping socket: may use the host's 127.0.0.1, where only the kernel answers
 *   trusted  an arriving packet that a socket of the context itself sent, or one of a connection
 *            that exists already
 */
static __always_inline int vs_packet4(const struct vs_context *c, __be32 own, __be32 peer,
				      int member, int out, int trusted, int icmp)
{
	if (vs_is_loopback4(own) && (c->nflags & VS_NXF_LBACK_ALLOW) != 0)
		return 1;
	if (icmp && own == VS_LOOPBACK4 && peer == VS_LOOPBACK4)
		return 1;
	if (out && vs_is_loopback4(peer))
		return peer == c->lback4 && (own == c->lback4 || member);
	if (own == c->lback4)
		return out ? member : trusted;
	if (vs_is_multicast4(own))
		return !out && (c->ncaps & VS_NXC_MULTICAST) != 0;
	return member;
}

static __always_inline int vs_packet6(const struct vs_context *c, const struct vs_addr *own,
				      const struct vs_addr *peer, int member, int out, int trusted,
				      int icmp)
{
	if (vs_is_loopback6(own) && (c->nflags & VS_NXF_LBACK_ALLOW) != 0)
		return 1;
	if (icmp && vs_is_loopback6(own) && vs_is_loopback6(peer))
		return 1;
	if (out && (vs_is_loopback6(peer) || vs_is_lback6(peer)))
		return vs_same(peer, &c->lback6) && (vs_same(own, &c->lback6) || member);
	if (vs_same(own, &c->lback6))
		return out ? member : trusted;
	if (vs_is_multicast6(own))
		return !out && (c->ncaps & VS_NXC_MULTICAST) != 0;
	return member;
}

#endif
