// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions for what is a static inline or a macro in the kernel's headers (helpers.h).
 */

#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/kdev_t.h>
#include <linux/kernel.h>
#include <linux/panic.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
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

unsigned int ntfs_helper_bdev_max_discard_sectors(struct block_device *bdev)
{
	return bdev_max_discard_sectors(bdev);
}

unsigned int ntfs_helper_bdev_discard_granularity(struct block_device *bdev)
{
	return bdev_discard_granularity(bdev);
}

__kernel_fsid_t ntfs_helper_fsid(const struct super_block *sb)
{
	return u64_to_fsid(huge_encode_dev(sb->s_dev));
}

/* No helper for an inline: variadic, and only for who mounts with errors=panic. */
void ntfs_helper_panic_for_errors(const char *id)
{
	if (system_state == SYSTEM_HALT || system_state == SYSTEM_POWER_OFF ||
	    system_state == SYSTEM_RESTART)
		return;
	panic("ntfs_rs (%s): the volume is damaged, and mounted with errors=panic\n", id);
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

bool ntfs_helper_inode_is_dirty(struct inode *inode)
{
	return inode_state_read_once(inode) & I_DIRTY_INODE;
}

void ntfs_helper_inode_lock(struct inode *inode)
{
	inode_lock(inode);
}

bool ntfs_helper_inode_trylock(struct inode *inode)
{
	return inode_trylock(inode);
}

bool ntfs_helper_is_sync(const struct inode *inode)
{
	return IS_SYNC(inode);
}

void ntfs_helper_inode_unlock(struct inode *inode)
{
	inode_unlock(inode);
}

void ntfs_helper_inode_lock_shared(struct inode *inode)
{
	inode_lock_shared(inode);
}

int ntfs_helper_inode_trylock_shared(struct inode *inode)
{
	return inode_trylock_shared(inode);
}

void ntfs_helper_inode_unlock_shared(struct inode *inode)
{
	inode_unlock_shared(inode);
}

bool ntfs_helper_i_uid_needs_update(struct mnt_idmap *idmap, const struct iattr *attr,
				    const struct inode *inode)
{
	return i_uid_needs_update(idmap, attr, inode);
}

bool ntfs_helper_i_gid_needs_update(struct mnt_idmap *idmap, const struct iattr *attr,
				    const struct inode *inode)
{
	return i_gid_needs_update(idmap, attr, inode);
}

void ntfs_helper_inode_get_atime(const struct inode *inode, struct timespec64 *time)
{
	*time = inode_get_atime(inode);
}

void ntfs_helper_inode_get_mtime(const struct inode *inode, struct timespec64 *time)
{
	*time = inode_get_mtime(inode);
}

void ntfs_helper_inode_get_ctime(const struct inode *inode, struct timespec64 *time)
{
	*time = inode_get_ctime(inode);
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

struct posix_acl *ntfs_helper_posix_acl_from_xattr(struct user_namespace *user_ns,
						   const void *value, size_t size)
{
	return posix_acl_from_xattr(user_ns, value, size);
}

void ntfs_helper_posix_acl_release(struct posix_acl *acl)
{
	posix_acl_release(acl);
}

/* In a kernel without these lists there is nothing to forget, and no such function. */
void ntfs_helper_forget_cached_acl(struct inode *inode, int type)
{
#ifdef CONFIG_FS_POSIX_ACL
	forget_cached_acl(inode, type);
#endif
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

void ntfs_helper_mapping_set_folio_min_order(struct address_space *mapping,
					     unsigned int order)
{
	mapping_set_folio_min_order(mapping, order);
}

void ntfs_helper_mapping_set_folio_order_range(struct address_space *mapping,
					       unsigned int min, unsigned int max)
{
	mapping_set_folio_order_range(mapping, min, max);
}

unsigned long ntfs_helper_mapping_min_folio_nrbytes(const struct address_space *mapping)
{
	return mapping_min_folio_nrbytes(mapping);
}

struct folio *ntfs_helper_readahead_folio(struct readahead_control *rac)
{
	return readahead_folio(rac);
}

void ntfs_helper_memcpy_from_folio(char *to, struct folio *folio, size_t offset, size_t len)
{
	memcpy_from_folio(to, folio, offset, len);
}

struct folio *ntfs_helper_filemap_get_folio_for_write(struct address_space *mapping, pgoff_t index)
{
	return __filemap_get_folio(mapping, index, FGP_WRITEBEGIN, mapping_gfp_mask(mapping));
}

struct folio *ntfs_helper_filemap_lock_folio(struct address_space *mapping, pgoff_t index)
{
	return filemap_lock_folio(mapping, index);
}

struct folio *ntfs_helper_page_folio(struct page *page)
{
	return page_folio(page);
}

bool ntfs_helper_folio_test_uptodate(const struct folio *folio)
{
	return folio_test_uptodate(folio);
}

bool ntfs_helper_folio_test_dirty(const struct folio *folio)
{
	return folio_test_dirty(folio);
}

void ntfs_helper_folio_mark_uptodate(struct folio *folio)
{
	folio_mark_uptodate(folio);
}

void ntfs_helper_folio_lock(struct folio *folio)
{
	folio_lock(folio);
}

void ntfs_helper_folio_put(struct folio *folio)
{
	folio_put(folio);
}

void ntfs_helper_folio_start_writeback(struct folio *folio)
{
	folio_start_writeback(folio);
}

ssize_t ntfs_helper_folio_mkwrite_check_truncate(const struct folio *folio,
						 const struct inode *inode)
{
	return folio_mkwrite_check_truncate(folio, inode);
}

int ntfs_helper_iomap_swapfile_activate(struct swap_info_struct *swap, struct file *file,
					sector_t *span, const struct iomap_ops *ops)
{
	return iomap_swapfile_activate(swap, file, span, ops);
}

void ntfs_helper_mapping_set_error(struct address_space *mapping, int error)
{
	mapping_set_error(mapping, error);
}

void ntfs_helper_filemap_invalidate_lock(struct address_space *mapping)
{
	filemap_invalidate_lock(mapping);
}

void ntfs_helper_filemap_invalidate_unlock(struct address_space *mapping)
{
	filemap_invalidate_unlock(mapping);
}

void ntfs_helper_filemap_invalidate_lock_shared(struct address_space *mapping)
{
	filemap_invalidate_lock_shared(mapping);
}

void ntfs_helper_filemap_invalidate_unlock_shared(struct address_space *mapping)
{
	filemap_invalidate_unlock_shared(mapping);
}

vm_fault_t ntfs_helper_vmf_fs_error(int error)
{
	return vmf_fs_error(error);
}

bool ntfs_helper_sb_start_write_trylock(struct super_block *sb)
{
	return sb_start_write_trylock(sb);
}

void ntfs_helper_sb_end_write(struct super_block *sb)
{
	sb_end_write(sb);
}

void ntfs_helper_sb_start_pagefault(struct super_block *sb)
{
	sb_start_pagefault(sb);
}

void ntfs_helper_sb_end_pagefault(struct super_block *sb)
{
	sb_end_pagefault(sb);
}

void ntfs_helper_file_accessed(struct file *file)
{
	file_accessed(file);
}

ssize_t ntfs_helper_generic_write_sync(struct kiocb *iocb, ssize_t count)
{
	return generic_write_sync(iocb, count);
}

void ntfs_helper_iov_iter_truncate(struct iov_iter *iter, u64 count)
{
	iov_iter_truncate(iter, count);
}

void ntfs_helper_iov_iter_reexpand(struct iov_iter *iter, size_t count)
{
	iov_iter_reexpand(iter, count);
}

void ntfs_helper_spin_lock_init(spinlock_t *lock)
{
	spin_lock_init(lock);
}

unsigned long ntfs_helper_spin_lock_irqsave(spinlock_t *lock)
{
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

void ntfs_helper_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
{
	spin_unlock_irqrestore(lock, flags);
}

void ntfs_helper_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

/* INIT_WORK once more: each place where it stands is a lock class, of work that waits for other locks. */
void ntfs_helper_init_background_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

bool ntfs_helper_queue_work(struct workqueue_struct *queue, struct work_struct *work)
{
	return queue_work(queue, work);
}

void ntfs_helper_list_init(struct list_head *list)
{
	INIT_LIST_HEAD(list);
}

bool ntfs_helper_list_empty(const struct list_head *list)
{
	return list_empty(list);
}

void ntfs_helper_list_add_tail(struct list_head *entry, struct list_head *list)
{
	list_add_tail(entry, list);
}

void ntfs_helper_list_replace_init(struct list_head *old, struct list_head *list)
{
	list_replace_init(old, list);
}

void ntfs_helper_list_del_init(struct list_head *entry)
{
	list_del_init(entry);
}

struct iomap_ioend *ntfs_helper_iomap_ioend_from_bio(struct bio *bio)
{
	return iomap_ioend_from_bio(bio);
}

struct iomap_ioend *ntfs_helper_first_ioend(struct list_head *list)
{
	return list_first_entry_or_null(list, struct iomap_ioend, io_list);
}

void ntfs_helper_bio_clear_complete_in_task(struct bio *bio)
{
	bio_clear_flag(bio, BIO_COMPLETE_IN_TASK);
}

bool ntfs_helper_fatal_signal_pending(void)
{
	return fatal_signal_pending(current);
}

unsigned int ntfs_helper_memalloc_nofs_save(void)
{
	return memalloc_nofs_save();
}

void ntfs_helper_memalloc_nofs_restore(unsigned int flags)
{
	memalloc_nofs_restore(flags);
}
