/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the hooks on socket calls have in common: who calls, and how an address is read and
 * exchanged. */
#ifndef VS_BPF_HOOK_H
#define VS_BPF_HOOK_H

#include "maps.h"

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

#endif
