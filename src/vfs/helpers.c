// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions for what is a static inline or a macro in the kernel's headers (helpers.h).
 */

#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "helpers.h"

struct kmem_cache *ntfs_helper_kmem_cache_create(const char *name, unsigned int size,
						 unsigned int align, slab_flags_t flags,
						 void (*ctor)(void *))
{
	return kmem_cache_create(name, size, align, flags, ctor);
}

void *ntfs_helper_alloc_inode_sb(struct super_block *sb, struct kmem_cache *cache, gfp_t gfp)
{
	return alloc_inode_sb(sb, cache, gfp);
}

void ntfs_helper_super_set_uuid(struct super_block *sb, const u8 *uuid, unsigned int len)
{
	super_set_uuid(sb, uuid, len);
}

loff_t ntfs_helper_bdev_nr_bytes(struct block_device *bdev)
{
	return bdev_nr_bytes(bdev);
}

unsigned int ntfs_helper_bdev_logical_block_size(struct block_device *bdev)
{
	return bdev_logical_block_size(bdev);
}

unsigned int ntfs_helper_bdev_dma_alignment(struct block_device *bdev)
{
	return bdev_dma_alignment(bdev);
}

__kernel_fsid_t ntfs_helper_fsid(const struct super_block *sb)
{
	return u64_to_fsid(huge_encode_dev(sb->s_dev));
}

void ntfs_helper_ratelimit_default_init(struct ratelimit_state *state)
{
	ratelimit_default_init(state);
}

loff_t ntfs_helper_i_size_read(const struct inode *inode)
{
	return i_size_read(inode);
}

void ntfs_helper_i_size_write(struct inode *inode, loff_t size)
{
	i_size_write(inode, size);
}

void ntfs_helper_inode_set_atime(struct inode *inode, time64_t sec, u32 nsec)
{
	inode_set_atime(inode, sec, nsec);
}

void ntfs_helper_inode_set_mtime(struct inode *inode, time64_t sec, u32 nsec)
{
	inode_set_mtime(inode, sec, nsec);
}

void ntfs_helper_inode_set_ctime(struct inode *inode, time64_t sec, u32 nsec)
{
	inode_set_ctime(inode, sec, nsec);
}

bool ntfs_helper_inode_is_new(struct inode *inode)
{
	return inode_state_read_once(inode) & I_NEW;
}

void ntfs_helper_set_delayed_call(struct delayed_call *call, void (*fn)(void *), void *arg)
{
	set_delayed_call(call, fn, arg);
}

kuid_t ntfs_helper_current_uid(void)
{
	return current_uid();
}

kgid_t ntfs_helper_current_gid(void)
{
	return current_gid();
}

uid_t ntfs_helper_from_kuid_munged(kuid_t uid)
{
	return from_kuid_munged(&init_user_ns, uid);
}

gid_t ntfs_helper_from_kgid_munged(kgid_t gid)
{
	return from_kgid_munged(&init_user_ns, gid);
}

unsigned int ntfs_helper_current_umask(void)
{
	return current_umask();
}

dev_t ntfs_helper_mkdev(unsigned int major, unsigned int minor)
{
	return MKDEV(major, minor);
}

struct dentry *ntfs_helper_dget(struct dentry *dentry)
{
	return dget(dentry);
}

bool ntfs_helper_dir_emit(struct dir_context *ctx, const char *name, int len, u64 ino,
			  unsigned int type)
{
	return dir_emit(ctx, name, len, ino, type);
}

bool ntfs_helper_dir_emit_dots(struct file *file, struct dir_context *ctx)
{
	return dir_emit_dots(file, ctx);
}

loff_t ntfs_helper_folio_pos(const struct folio *folio)
{
	return folio_pos(folio);
}

size_t ntfs_helper_folio_size(const struct folio *folio)
{
	return folio_size(folio);
}

void ntfs_helper_memcpy_to_folio(struct folio *folio, size_t offset, const char *from, size_t len)
{
	memcpy_to_folio(folio, offset, from, len);
}

void ntfs_helper_folio_zero_range(struct folio *folio, size_t start, size_t len)
{
	folio_zero_range(folio, start, len);
}

void ntfs_helper_mapping_set_large_folios(struct address_space *mapping)
{
	mapping_set_large_folios(mapping);
}

struct folio *ntfs_helper_readahead_folio(struct readahead_control *rac)
{
	return readahead_folio(rac);
}

void ntfs_helper_file_accessed(struct file *file)
{
	file_accessed(file);
}

unsigned int ntfs_helper_memalloc_nofs_save(void)
{
	return memalloc_nofs_save();
}

void ntfs_helper_memalloc_nofs_restore(unsigned int flags)
{
	memalloc_nofs_restore(flags);
}
