/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Input of bindgen: what the kernel crate's bindings lack. bindgen_parameters lists the names that
 * are taken from here.
 */

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/dcache.h>
#include <linux/exportfs.h>
#include <linux/fiemap.h>
#include <linux/fileattr.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/iomap.h>
#include <linux/nls.h>
#include <linux/pagemap.h>
#include <linux/posix_acl_xattr.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include <linux/writeback.h>

/* Macros that bindgen cannot evaluate. */
const unsigned int RUST_CONST_HELPER_SB_RDONLY = SB_RDONLY;
const unsigned int RUST_CONST_HELPER_SB_POSIXACL = SB_POSIXACL;
const unsigned int RUST_CONST_HELPER_SB_SILENT = SB_SILENT;
const int RUST_CONST_HELPER_IOCB_NOWAIT = IOCB_NOWAIT;
const int RUST_CONST_HELPER_IOCB_NOIO = IOCB_NOIO;
const int RUST_CONST_HELPER_IOCB_DSYNC = IOCB_DSYNC;
const fmode_t RUST_CONST_HELPER_FMODE_WRITE = FMODE_WRITE;
const fmode_t RUST_CONST_HELPER_FMODE_NOWAIT = FMODE_NOWAIT;
const fop_flags_t RUST_CONST_HELPER_FOP_BUFFER_RASYNC = FOP_BUFFER_RASYNC;
const fop_flags_t RUST_CONST_HELPER_FOP_BUFFER_WASYNC = FOP_BUFFER_WASYNC;
const loff_t RUST_CONST_HELPER_MAX_LFS_FILESIZE = MAX_LFS_FILESIZE;
const slab_flags_t RUST_CONST_HELPER_SLAB_RECLAIM_ACCOUNT = SLAB_RECLAIM_ACCOUNT;
const slab_flags_t RUST_CONST_HELPER_SLAB_ACCOUNT = SLAB_ACCOUNT;
const gfp_t RUST_CONST_HELPER___GFP_FS = __GFP_FS;
const blk_opf_t RUST_CONST_HELPER_READ_META = REQ_OP_READ | REQ_META | REQ_PRIO;
const blk_opf_t RUST_CONST_HELPER_WRITE_META = REQ_OP_WRITE | REQ_META | REQ_PRIO | REQ_SYNC;

#include "helpers.h"
