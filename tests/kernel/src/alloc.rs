// SPDX-License-Identifier: GPL-2.0-only

//! Allocation that takes flags and can fail.

pub mod failures;
pub mod kbox;
pub mod kvec;

pub use kbox::{Box, KBox, KVBox};
pub use kvec::{KVVec, KVec, VVec, Vec};

/// Indicates an allocation error.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct AllocError;

/// Flags of one allocation; here they have no effect but have to be given.
#[derive(Clone, Copy, PartialEq)]
pub struct Flags(u32);

impl core::ops::BitOr for Flags {
    type Output = Self;
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

/// The flags that the kernel crate has (there is no `GFP_NOFS` there either).
pub mod flags {
    use super::Flags;

    /// For memory that can be reclaimed while waiting.
    pub const GFP_KERNEL: Flags = Flags(1);
    /// Without waiting; likely to fail.
    pub const GFP_NOWAIT: Flags = Flags(2);
    /// No report of a failure.
    pub const __GFP_NOWARN: Flags = Flags(4);
    /// Zeroed memory.
    pub const __GFP_ZERO: Flags = Flags(8);
}

/// An allocator, as a type parameter of containers.
pub trait Allocator {}

/// The allocators.
pub mod allocator {
    use super::Allocator;

    impl Allocator for Kmalloc {}
    impl Allocator for Vmalloc {}
    impl Allocator for KVmalloc {}

    /// `kmalloc`.
    pub struct Kmalloc;
    /// `vmalloc`.
    pub struct Vmalloc;
    /// `kvmalloc`.
    pub struct KVmalloc;
}
