/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions for what is a static inline or a macro in the kernel's headers, and so out of Rust's reach.
 * Each has the name of what it calls after the prefix.
 */
#ifndef NTFS_RS_VFS_HELPERS_H
#define NTFS_RS_VFS_HELPERS_H

#include <linux/bio.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/ratelimit.h>
#include <linux/statfs.h>

/* slab */
struct kmem_cache *ntfs_helper_kmem_cache_create(const char *name, unsigned int size,
						 unsigned int align, slab_flags_t flags,
						 void (*ctor)(void *));
void *ntfs_helper_alloc_inode_sb(struct super_block *sb, struct kmem_cache *cache, gfp_t gfp);

/* super_block */
void ntfs_helper_super_set_uuid(struct super_block *sb, const u8 *uuid, unsigned int len);
loff_t ntfs_helper_bdev_nr_bytes(struct block_device *bdev);
unsigned int ntfs_helper_bdev_logical_block_size(struct block_device *bdev);
unsigned int ntfs_helper_bdev_dma_alignment(struct block_device *bdev);
__kernel_fsid_t ntfs_helper_fsid(const struct super_block *sb);
void ntfs_helper_ratelimit_default_init(struct ratelimit_state *state);

/* inode */
loff_t ntfs_helper_i_size_read(const struct inode *inode);
void ntfs_helper_i_size_write(struct inode *inode, loff_t size);
void ntfs_helper_inode_set_atime(struct inode *inode, time64_t sec, u32 nsec);
void ntfs_helper_inode_set_mtime(struct inode *inode, time64_t sec, u32 nsec);
void ntfs_helper_inode_set_ctime(struct inode *inode, time64_t sec, u32 nsec);
bool ntfs_helper_inode_is_new(struct inode *inode);
void ntfs_helper_set_delayed_call(struct delayed_call *call, void (*fn)(void *), void *arg);
kuid_t ntfs_helper_current_uid(void);
kgid_t ntfs_helper_current_gid(void);
uid_t ntfs_helper_from_kuid_munged(kuid_t uid);
gid_t ntfs_helper_from_kgid_munged(kgid_t gid);
unsigned int ntfs_helper_current_umask(void);
dev_t ntfs_helper_mkdev(unsigned int major, unsigned int minor);

/* dentry and directory */
struct dentry *ntfs_helper_dget(struct dentry *dentry);
bool ntfs_helper_dir_emit(struct dir_context *ctx, const char *name, int len, u64 ino,
			  unsigned int type);
bool ntfs_helper_dir_emit_dots(struct file *file, struct dir_context *ctx);

/* folio and address_space */
loff_t ntfs_helper_folio_pos(const struct folio *folio);
size_t ntfs_helper_folio_size(const struct folio *folio);
void ntfs_helper_memcpy_to_folio(struct folio *folio, size_t offset, const char *from, size_t len);
void ntfs_helper_folio_zero_range(struct folio *folio, size_t start, size_t len);
void ntfs_helper_mapping_set_large_folios(struct address_space *mapping);
struct folio *ntfs_helper_readahead_folio(struct readahead_control *rac);

/* file and kiocb */
void ntfs_helper_file_accessed(struct file *file);

/* memory scopes */
unsigned int ntfs_helper_memalloc_nofs_save(void);
void ntfs_helper_memalloc_nofs_restore(unsigned int flags);

#endif
