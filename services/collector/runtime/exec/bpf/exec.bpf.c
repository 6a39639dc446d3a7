// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * One event for every successful exec: who, what, in which control groups, and
 * the kernel's own facts about the file and the parent, taken before the new
 * program runs its first instruction. User space needs nothing else, so a
 * process that is gone at once is seen as well as any other.
 *
 * Read next: package decode, which takes the events apart.
 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Dual licence; the kernel takes BPF helpers' GPL condition as met by it. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define OVERLAYFS_SUPER_MAGIC 0x794c7630

#define NAME 256      /* longest name of a file or a cgroup, with its NUL */
#define ARGS 4096     /* bytes of arguments */
#define PATH 1024     /* bytes of a path, as names that end in NUL */
#define CGROUP 768    /* bytes of a cgroup's path, likewise */
#define DATA (ARGS + NAME + 2 * PATH + 4 * CGROUP + 2 * NAME)
#define DEPTH 40      /* names and mounts on the way up from a file */
#define CGROUPS 20    /* names on the way up from a cgroup */

enum section {
	S_ARGS,          /* as the process got them, each ending in NUL */
	S_FILENAME,      /* as it was given to execve */
	S_PATH,          /* of the executable: names, last one first */
	S_PARENT_PATH,
	S_V1,            /* cgroup of a version 1 controller: names, last one first */
	S_V2,            /* cgroup of the unified hierarchy */
	S_PARENT_V1,     /* empty when F_PARENT_CGROUPS says they are the same */
	S_PARENT_V2,
	SECTIONS,
};

enum flag {
	F_ARGS_CUT = 1 << 0,
	F_ARGS_MISSING = 1 << 1,
	F_PATH_CUT = 1 << 2,
	F_PARENT_PATH_CUT = 1 << 3,
	F_CGROUP_CUT = 1 << 4,
	F_UPPER = 1 << 5,          /* the overlay has the file in its upper layer */
	F_KERNEL_MOUNT = 1 << 6,   /* the file lies on a mount that no name leads to */
	F_TOP_MOUNT = 1 << 7,      /* on the mount at / of a mount namespace */
	F_USER_MOUNT = 1 << 8,     /* the file system was mounted in a user namespace */
	F_PARENT_CGROUPS = 1 << 9, /* the parent has the very same cgroups */
};

struct event {
	__u64 time;         /* CLOCK_BOOTTIME, ns */
	__u64 start;        /* of the process, same clock */
	__u64 parent_start;
	__u64 cgroup_id;    /* in the unified hierarchy */
	__u64 inode;
	__u64 size;
	__u64 parent_inode;
	__u64 parent_size;
	__u32 pid;
	__u32 parent_pid;
	__u32 uid;
	__u32 flags;
	__u32 device;
	__u32 magic;
	__u32 links;
	__u32 root_device;  /* of the file system at the process's root */
	__u32 parent_device;
	__u32 mount_ns;
	__u32 parent_mount_ns;
	__u32 host_mount_ns;
	__u32 file_mount_ns; /* that the executable's mount belongs to */
	__u32 end;          /* of what stands in data so far */
	__u16 length[SECTIONS];
	char data[DATA];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20); /* Config.Buffer in its place */
} events SEC(".maps");

/* Too large for the stack. The kernel does not run one program twice at the
 * same time on one CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

/*
 * append adds one name; what does not fit is left out.
 *
 * The end lies in the map and not in a register on purpose: the verifier takes
 * what it reads from a map for any number, so that all ways through a loop look
 * the same to it. In a register it would follow every possible sum of lengths.
 */
static __always_inline void append(struct event *e, const void *name)
{
	__u64 end = e->end;

	barrier_var(end); /* keeps the check below next to its use */
	if (end > DATA - NAME)
		return;
	long n = bpf_probe_read_kernel_str(&e->data[end], NAME, name);
	if (n > 0)
		e->end += n;
}

static __always_inline struct mount *mount_of(struct vfsmount *m)
{
	return (void *)m - bpf_core_field_offset(struct mount, mnt);
}

/* append_path walks from a file up to the root of its mount namespace. */
static __always_inline void append_path(struct event *e, struct file *file, __u32 cut)
{
	struct dentry *d = BPF_CORE_READ(file, f_path.dentry);
	struct mount *m = mount_of(BPF_CORE_READ(file, f_path.mnt));
	__u32 limit = e->end + PATH - NAME;

	for (int i = 0; i < DEPTH; i++) {
		if (d == BPF_CORE_READ(m, mnt.mnt_root)) {
			struct mount *up = BPF_CORE_READ(m, mnt_parent);

			if (up == m)
				return;
			d = BPF_CORE_READ(m, mnt_mountpoint);
			m = up;
			continue;
		}
		if (e->end > limit)
			break;
		append(e, BPF_CORE_READ(d, d_name.name));

		struct dentry *up = BPF_CORE_READ(d, d_parent);

		if (up == d) /* a file without a folder, such as a memfd */
			return;
		d = up;
	}
	e->flags |= cut;
}

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return BPF_CORE_READ((struct kernfs_node___old *)kn, parent);
}

static __always_inline void append_cgroup(struct event *e, struct cgroup *cgrp)
{
	struct kernfs_node *kn = BPF_CORE_READ(cgrp, kn);
	__u32 limit = e->end + CGROUP - NAME;

	for (int i = 0; i < CGROUPS; i++) {
		struct kernfs_node *up = parent_of(kn);

		if (!up) /* the hierarchy's root has no name */
			return;
		if (e->end > limit)
			break;
		append(e, BPF_CORE_READ(kn, name));
		kn = up;
	}
	e->flags |= F_CGROUP_CUT;
}

/* v1 gives the task's cgroup of a controller, if that has a version 1
 * hierarchy and the task is not at its root. */
static __always_inline struct cgroup *v1(struct css_set *set, __u64 id, struct cgroup_root *unified)
{
	struct cgroup_subsys_state *css = 0;

	if (id > 15)
		return 0;
	bpf_core_read(&css, sizeof(css), &set->subsys[id]);

	struct cgroup *cgrp = BPF_CORE_READ(css, cgroup);

	if (!cgrp || BPF_CORE_READ(cgrp, root) == unified)
		return 0;
	if (!parent_of(BPF_CORE_READ(cgrp, kn)))
		return 0;
	return cgrp;
}

#define TRY_V1(name)                                                              \
	if (!found && bpf_core_enum_value_exists(enum cgroup_subsys_id, name))    \
		found = v1(set, bpf_core_enum_value(enum cgroup_subsys_id, name), \
			   unified)

/* any_v1 prefers the freezer, for that is what a container is halted by. */
static __always_inline struct cgroup *any_v1(struct css_set *set)
{
	struct cgroup_root *unified = BPF_CORE_READ(set, dfl_cgrp, root);
	struct cgroup *found = 0;

	TRY_V1(freezer_cgrp_id);
	TRY_V1(memory_cgrp_id);
	TRY_V1(pids_cgrp_id);
	TRY_V1(devices_cgrp_id);
	TRY_V1(cpu_cgrp_id);
	return found;
}

/* The kernel mounts memfds' file system for itself; that mount's namespace is
 * ERR_PTR(-EINVAL). */
#define MNT_NS_INTERNAL ((void *)-22L)

static __always_inline bool has_upper(struct inode *inode)
{
	struct dentry *upper = 0;

	/* upperdentry has followed vfs_inode in every kernel since 4.13, which
	 * helps where the overlay module's BTF cannot be had. */
	if (bpf_core_type_exists(struct ovl_inode))
		bpf_probe_read_kernel(&upper, sizeof(upper),
				      (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode) +
					      bpf_core_field_offset(struct ovl_inode, __upperdentry));
	else
		bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + bpf_core_type_size(struct inode));
	return upper;
}

static __always_inline void put_file(struct event *e, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct mount *m = mount_of(BPF_CORE_READ(file, f_path.mnt));
	struct mount *up = BPF_CORE_READ(m, mnt_parent);
	struct mnt_namespace *ns = BPF_CORE_READ(m, mnt_ns);

	e->inode = BPF_CORE_READ(inode, i_ino);
	e->size = BPF_CORE_READ(inode, i_size);
	e->links = BPF_CORE_READ(inode, i_nlink);
	e->device = BPF_CORE_READ(sb, s_dev);
	e->magic = BPF_CORE_READ(sb, s_magic);
	if (BPF_CORE_READ(sb, s_user_ns, level) > 0)
		e->flags |= F_USER_MOUNT;
	if (e->magic == OVERLAYFS_SUPER_MAGIC && has_upper(inode))
		e->flags |= F_UPPER;
	if (ns == MNT_NS_INTERNAL) {
		e->flags |= F_KERNEL_MOUNT;
		return;
	}
	if (!ns) /* unmounted while in use */
		return;
	e->file_mount_ns = BPF_CORE_READ(ns, ns.inum);
	if (up == m || up == BPF_CORE_READ(ns, root))
		e->flags |= F_TOP_MOUNT;
}

static __always_inline void put_parent(struct event *e, struct task_struct *parent)
{
	struct inode *inode = BPF_CORE_READ(parent, mm, exe_file, f_inode);

	e->parent_pid = BPF_CORE_READ(parent, tgid);
	e->parent_start = BPF_CORE_READ(parent, start_boottime);
	e->parent_mount_ns = BPF_CORE_READ(parent, nsproxy, mnt_ns, ns.inum);
	if (!inode)
		return;
	e->parent_inode = BPF_CORE_READ(inode, i_ino);
	e->parent_size = BPF_CORE_READ(inode, i_size);
	e->parent_device = BPF_CORE_READ(inode, i_sb, s_dev);
}

/* append_args comes first, so that it begins where data does. */
static __always_inline void append_args(struct event *e, struct mm_struct *mm)
{
	unsigned long from = BPF_CORE_READ(mm, arg_start);
	__u64 n = BPF_CORE_READ(mm, arg_end) - from;

	if (n > ARGS) {
		n = ARGS;
		e->flags |= F_ARGS_CUT;
	}
	barrier_var(n);
	if (n > ARGS)
		return;
	if (bpf_probe_read_user(e->data, n, (void *)from))
		e->flags |= F_ARGS_MISSING;
	else
		e->end = n;
}

static __always_inline void put_task(struct event *e, struct task_struct *task)
{
	/* numbers[0] is the process in the first pid namespace, whose reaper is
	 * the host's process 1. */
	struct pid_namespace *host = BPF_CORE_READ(task, thread_pid, numbers[0].ns);

	e->time = bpf_ktime_get_boot_ns();
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->start = BPF_CORE_READ(task, start_boottime);
	e->uid = BPF_CORE_READ(task, cred, euid.val);
	e->root_device = BPF_CORE_READ(task, fs, root.dentry, d_sb, s_dev);
	e->mount_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	e->host_mount_ns = BPF_CORE_READ(host, child_reaper, nsproxy, mnt_ns, ns.inum);
}

/* close ends a section where the one before it ended. */
static __always_inline void close(struct event *e, enum section s)
{
	__u32 begin = 0;

	for (int i = 0; i < s; i++)
		begin += e->length[i];
	e->length[s] = e->end - begin;
}

static __always_inline void append_cgroups(struct event *e, struct task_struct *task, struct task_struct *parent)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct css_set *theirs = BPF_CORE_READ(parent, cgroups);
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp);

	e->cgroup_id = BPF_CORE_READ(unified, kn, id);
	append_cgroup(e, any_v1(set));
	close(e, S_V1);
	append_cgroup(e, unified);
	close(e, S_V2);
	if (set == theirs) {
		e->flags |= F_PARENT_CGROUPS;
		return;
	}
	append_cgroup(e, any_v1(theirs));
	close(e, S_PARENT_V1);
	append_cgroup(e, BPF_CORE_READ(theirs, dfl_cgrp));
	close(e, S_PARENT_V2);
}

static __always_inline void count_lost(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&lost, &zero);

	if (n)
		*n += 1;
}

/* Arguments of the tracepoint: task, pid before the exec, binprm. A raw
 * tracepoint needs no tracefs and hands over the kernel's own structures. */
SEC("raw_tp/sched_process_exec")
int sched_process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct linux_binprm *bprm = (void *)ctx->args[2];
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct file *file = BPF_CORE_READ(mm, exe_file);
	__u32 zero = 0;
	struct event *e = bpf_map_lookup_elem(&scratch, &zero);

	if (!e)
		return 0;
	__builtin_memset(e, 0, __builtin_offsetof(struct event, data));
	put_task(e, task);
	put_file(e, file);
	put_parent(e, parent);
	append_args(e, mm);
	close(e, S_ARGS);
	append(e, BPF_CORE_READ(bprm, filename));
	close(e, S_FILENAME);
	append_path(e, file, F_PATH_CUT);
	close(e, S_PATH);
	append_path(e, BPF_CORE_READ(parent, mm, exe_file), F_PARENT_PATH_CUT);
	close(e, S_PARENT_PATH);
	append_cgroups(e, task, parent);

	__u64 end = e->end;

	barrier_var(end);
	if (end > DATA)
		return 0;
	if (bpf_ringbuf_output(&events, e, __builtin_offsetof(struct event, data) + end, 0))
		count_lost();
	return 0;
}
