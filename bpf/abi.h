/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs of the shared network and the command share: the layout of the pinned maps.
 * A change of any structure here needs a new VS_NET_ABI, which is a new directory of pins.
 */
#ifndef VS_BPF_ABI_H
#define VS_BPF_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#define VS_STATIC_ASSERT(condition) static_assert(condition, #condition)
#else
#define VS_STATIC_ASSERT(condition) _Static_assert(condition, #condition)
#endif

#define VS_NET_ABI 1

enum {
	VS_NET_SOURCES = 16, /* addresses of a family that source selection looks at */
	VS_NET_SHARERS = 4,  /* contexts that may have one address in common */
	VS_NET_ANCHORS = 4,  /* first addresses of a context, the present one and former ones */
};

/* IPv6, or IPv4 as ::ffff:a.b.c.d; network byte order. */
struct vs_addr {
	__be32 w[4];
};

/* The original's nflags and ncaps, as far as programs look at them. */
#define VS_NXF_SINGLE_IP 0x00000100ULL
#define VS_NXF_LBACK_REMAP 0x00000200ULL
#define VS_NXF_LBACK_ALLOW 0x00000400ULL
#define VS_NXF_HIDE_LBACK 0x04000000ULL
#define VS_NXC_RAW_ICMP 0x0100U
#define VS_NXC_MULTICAST 0x1000U

/* vs_context.mode */
enum {
	VS_MODE_HOST = 1U << 0, /* no rule applies: everything the host may */
	VS_MODE_RAW = 1U << 1,	/* has CAP_NET_RAW: raw sockets of any protocol */
};

struct vs_source4 {
	__be32 addr;
	__be32 mask;
};

struct vs_source6 {
	struct vs_addr addr;
	struct vs_addr mask;
};

/* Map `contexts`, by cgroup id: all that a decision needs except the full list of addresses. */
struct vs_context {
	__u64 nflags;
	__u32 ncaps;
	__u32 nid;
	__u32 mode;
	__u32 reserved;
	__u32 userns; /* inode of its user namespace; 0: the host's */
	__be32 lback4;
	__u32 n4; /* addresses in source4 */
	__u32 n6;
	struct vs_addr lback6; /* all zero: none */
	/*
	 * What wildcard sockets are bound to in truth: the first address, in front of those that
	 * were first before; all zero behind the last.
	 */
	__be32 anchor4[VS_NET_ANCHORS];
	struct vs_addr anchor6[VS_NET_ANCHORS];
	struct vs_source4 source4[VS_NET_SOURCES];
	struct vs_source6 source6[VS_NET_SOURCES];
};
VS_STATIC_ASSERT(sizeof(struct vs_context) == 56 + 20 * 4 + 8 * 16 + 32 * 16);

/* Map `members`: which context may use which address. The value is its prefix length. */
struct vs_member {
	__u64 context;
	struct vs_addr addr;
};
VS_STATIC_ASSERT(sizeof(struct vs_member) == 24);

/* Map `owners`, by address: whom a packet to it may be for. */
struct vs_owner {
	__u64 context[VS_NET_SHARERS]; /* 0 behind the last */
	__u32 direct;		       /* sockets are bound to it in truth: nothing to steer */
	__u32 reserved;
};
VS_STATIC_ASSERT(sizeof(struct vs_owner) == 40);

/* Socket storage `sockets`. */
enum {
	VS_SOCK_WILDCARD = 1U << 0, /* bound to any address, in truth to the context's first */
	VS_SOCK_DUAL = 1U << 1,	    /* such an IPv6 socket that serves IPv4 too */
	VS_SOCK_ELSEWHERE = 1U << 2 /* of another network namespace: no business of ours */
};
struct vs_socket {
	__u64 context;
	__u32 flags;
	__u32 counted; /* lower half of its cookie when it was counted; an accepted one has another
			*/
};
VS_STATIC_ASSERT(sizeof(struct vs_socket) == 16);

/* Per-CPU map `traffic`, by cgroup id. Bytes are those of IP packets, headers included. */
enum { VS_TCP, VS_UDP, VS_ICMP, VS_OTHER, VS_PROTOCOLS };
struct vs_count {
	__u64 in_packets, in_bytes, out_packets, out_bytes;
	__u64 refused; /* packets dropped by the guard */
};
struct vs_traffic {
	struct vs_count ipv4[VS_PROTOCOLS];
	struct vs_count ipv6[VS_PROTOCOLS];
	__u64 sockets_made; /* by socket(2); accepted ones are not counted */
	__u64 sockets_gone;
	__u64 calls_refused; /* bind, connect, sendto, setsockopt, socket */
};
VS_STATIC_ASSERT(sizeof(struct vs_traffic) == 8 * 40 + 24);

/* Map `published`: sockets that the lookup program gives to packets for this address. */
struct vs_published {
	struct vs_addr addr;
	__be16 port;
	__u8 protocol;
	__u8 reserved;
};
VS_STATIC_ASSERT(sizeof(struct vs_published) == 20);

/* Map `state`, one entry: what the pinned programs are. */
struct vs_state {
	__u32 abi;
	__u32 level;	   /* of a context's cgroup below the root of all */
	__u64 programs;	   /* hash of the programs under the links */
	__u64 netns;	   /* cookie of the network namespace that is shared */
	__u64 parent;	   /* cgroup id of the contexts' parent */
	__u64 level_probe; /* written by the probe program */
};
VS_STATIC_ASSERT(sizeof(struct vs_state) == 40);

/* Packets of a context to its own loopback address carry this and its nid in their mark. */
#define VS_LBACK_MARK 0x56530000U
/* Echo requests whose source is still the host's: exchanged as they leave. */
#define VS_PING_MARK 0x56540000U

#endif
