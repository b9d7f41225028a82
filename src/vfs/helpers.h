/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions for what is a static inline or a macro in the kernel's headers, and so out of Rust's reach.
 * Each has the name of what it calls after the prefix.
 */
#ifndef NTFS_RS_VFS_HELPERS_H
#define NTFS_RS_VFS_HELPERS_H

#include <linux/bio.h>
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/posix_acl_xattr.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/statfs.h>
#include <linux/uio.h>
#include <linux/workqueue.h>

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
unsigned int ntfs_helper_bdev_max_discard_sectors(struct block_device *bdev);
unsigned int ntfs_helper_bdev_discard_granularity(struct block_device *bdev);
__kernel_fsid_t ntfs_helper_fsid(const struct super_block *sb);
void ntfs_helper_panic_for_errors(const char *id);
void ntfs_helper_ratelimit_default_init(struct ratelimit_state *state);

/* inode */
loff_t ntfs_helper_i_size_read(const struct inode *inode);
void ntfs_helper_i_size_write(struct inode *inode, loff_t size);
void ntfs_helper_inode_set_atime(struct inode *inode, time64_t sec, u32 nsec);
void ntfs_helper_inode_set_mtime(struct inode *inode, time64_t sec, u32 nsec);
void ntfs_helper_inode_set_ctime(struct inode *inode, time64_t sec, u32 nsec);
bool ntfs_helper_inode_is_new(struct inode *inode);
bool ntfs_helper_inode_is_dirty(struct inode *inode);
void ntfs_helper_inode_lock(struct inode *inode);
bool ntfs_helper_inode_trylock(struct inode *inode);
bool ntfs_helper_is_sync(const struct inode *inode);
void ntfs_helper_inode_unlock(struct inode *inode);
void ntfs_helper_inode_lock_shared(struct inode *inode);
int ntfs_helper_inode_trylock_shared(struct inode *inode);
void ntfs_helper_inode_unlock_shared(struct inode *inode);
bool ntfs_helper_i_uid_needs_update(struct mnt_idmap *idmap, const struct iattr *attr,
				    const struct inode *inode);
bool ntfs_helper_i_gid_needs_update(struct mnt_idmap *idmap, const struct iattr *attr,
				    const struct inode *inode);
void ntfs_helper_inode_get_atime(const struct inode *inode, struct timespec64 *time);
void ntfs_helper_inode_get_mtime(const struct inode *inode, struct timespec64 *time);
void ntfs_helper_inode_get_ctime(const struct inode *inode, struct timespec64 *time);
void ntfs_helper_set_delayed_call(struct delayed_call *call, void (*fn)(void *), void *arg);
kuid_t ntfs_helper_current_uid(void);
kgid_t ntfs_helper_current_gid(void);
uid_t ntfs_helper_from_kuid_munged(kuid_t uid);
gid_t ntfs_helper_from_kgid_munged(kgid_t gid);
unsigned int ntfs_helper_current_umask(void);
dev_t ntfs_helper_mkdev(unsigned int major, unsigned int minor);

/* posix_acl */
struct posix_acl *ntfs_helper_posix_acl_from_xattr(struct user_namespace *user_ns,
						   const void *value, size_t size);
void ntfs_helper_posix_acl_release(struct posix_acl *acl);
void ntfs_helper_forget_cached_acl(struct inode *inode, int type);

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
void ntfs_helper_mapping_set_folio_min_order(struct address_space *mapping,
					     unsigned int order);
void ntfs_helper_mapping_set_folio_order_range(struct address_space *mapping,
					       unsigned int min, unsigned int max);
unsigned long ntfs_helper_mapping_min_folio_nrbytes(const struct address_space *mapping);
struct folio *ntfs_helper_readahead_folio(struct readahead_control *rac);
void ntfs_helper_memcpy_from_folio(char *to, struct folio *folio, size_t offset, size_t len);
struct folio *ntfs_helper_filemap_get_folio_for_write(struct address_space *mapping, pgoff_t index);
struct folio *ntfs_helper_filemap_lock_folio(struct address_space *mapping, pgoff_t index);
struct folio *ntfs_helper_page_folio(struct page *page);
bool ntfs_helper_folio_test_uptodate(const struct folio *folio);
bool ntfs_helper_folio_test_dirty(const struct folio *folio);
void ntfs_helper_folio_mark_uptodate(struct folio *folio);
void ntfs_helper_folio_lock(struct folio *folio);
void ntfs_helper_folio_put(struct folio *folio);
void ntfs_helper_folio_start_writeback(struct folio *folio);
ssize_t ntfs_helper_folio_mkwrite_check_truncate(const struct folio *folio,
						 const struct inode *inode);
int ntfs_helper_iomap_swapfile_activate(struct swap_info_struct *swap, struct file *file,
					sector_t *span, const struct iomap_ops *ops);
void ntfs_helper_mapping_set_error(struct address_space *mapping, int error);
void ntfs_helper_filemap_invalidate_lock(struct address_space *mapping);
void ntfs_helper_filemap_invalidate_unlock(struct address_space *mapping);
void ntfs_helper_filemap_invalidate_lock_shared(struct address_space *mapping);
void ntfs_helper_filemap_invalidate_unlock_shared(struct address_space *mapping);

/* page faults */
vm_fault_t ntfs_helper_vmf_fs_error(int error);
bool ntfs_helper_sb_start_write_trylock(struct super_block *sb);
void ntfs_helper_sb_end_write(struct super_block *sb);
void ntfs_helper_sb_start_pagefault(struct super_block *sb);
void ntfs_helper_sb_end_pagefault(struct super_block *sb);

/* file and kiocb */
void ntfs_helper_file_accessed(struct file *file);
ssize_t ntfs_helper_generic_write_sync(struct kiocb *iocb, ssize_t count);
void ntfs_helper_iov_iter_truncate(struct iov_iter *iter, u64 count);
void ntfs_helper_iov_iter_reexpand(struct iov_iter *iter, size_t count);

/* I/O that ended, and work */
void ntfs_helper_spin_lock_init(spinlock_t *lock);
unsigned long ntfs_helper_spin_lock_irqsave(spinlock_t *lock);
void ntfs_helper_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);
void ntfs_helper_init_work(struct work_struct *work, work_func_t func);
void ntfs_helper_init_background_work(struct work_struct *work, work_func_t func);
bool ntfs_helper_queue_work(struct workqueue_struct *queue, struct work_struct *work);
void ntfs_helper_list_init(struct list_head *list);
bool ntfs_helper_list_empty(const struct list_head *list);
void ntfs_helper_list_add_tail(struct list_head *entry, struct list_head *list);
void ntfs_helper_list_replace_init(struct list_head *old, struct list_head *list);
void ntfs_helper_list_del_init(struct list_head *entry);
struct iomap_ioend *ntfs_helper_iomap_ioend_from_bio(struct bio *bio);
struct iomap_ioend *ntfs_helper_first_ioend(struct list_head *list);
void ntfs_helper_bio_clear_complete_in_task(struct bio *bio);

/* the task */
bool ntfs_helper_fatal_signal_pending(void);

/* memory scopes */
unsigned int ntfs_helper_memalloc_nofs_save(void);
void ntfs_helper_memalloc_nofs_restore(unsigned int flags);

#endif
