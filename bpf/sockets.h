/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by sockets.bpf.c and user space. */
#ifndef VS_BPF_SOCKETS_H
#define VS_BPF_SOCKETS_H

#include <linux/types.h>

struct vs_socket_counts {
	__u64 current;
	__u64 maximum;
	__u64 hits;
};

#endif
