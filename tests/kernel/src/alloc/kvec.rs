// SPDX-License-Identifier: GPL-2.0-only

//! `KVec` and its kin.

use core::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};
use std::vec::Vec as StdVec;

use pinned_init::Zeroable;

use super::{
    allocator::{KVmalloc, Kmalloc, Vmalloc},
    failures::{request, Live},
    AllocError, Flags,
};

/// A growable array whose growth can fail.
pub struct Vec<T, A> {
    items: StdVec<T>,
    /// There while the array holds memory.
    live: Option<Live>,
    _allocator: PhantomData<A>,
}

/// A [`Vec`] in `kmalloc` memory.
pub type KVec<T> = Vec<T, Kmalloc>;
/// A [`Vec`] in `vmalloc` memory.
pub type VVec<T> = Vec<T, Vmalloc>;
/// A [`Vec`] in `kvmalloc` memory.
pub type KVVec<T> = Vec<T, KVmalloc>;

// SAFETY: `A` is a name only; the items are owned.
unsafe impl<T: Send, A> Send for Vec<T, A> {}
// SAFETY: as above.
unsafe impl<T: Sync, A> Sync for Vec<T, A> {}

/// Given back by [`Vec::push_within_capacity`] when the array is full.
pub struct PushError<T>(pub T);

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Not enough capacity")
    }
}

/// The index given to [`Vec::remove`] is not in the array.
#[derive(Debug)]
pub struct RemoveError;

impl<T, A> Vec<T, A> {
    /// An empty array without memory.
    pub const fn new() -> Self {
        Self {
            items: StdVec::new(),
            live: None,
            _allocator: PhantomData,
        }
    }

    /// An empty array with room for `capacity` items.
    pub fn with_capacity(capacity: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut v = Self::new();
        v.reserve(capacity, flags)?;
        Ok(v)
    }

    /// `n` zeroed items.
    pub fn zeroed(n: usize, flags: Flags) -> Result<Self, AllocError>
    where
        T: Zeroable,
    {
        let mut v = Self::with_capacity(n, flags)?;
        // SAFETY: there is room for `n` items, and zeroes are a valid value of `T`.
        unsafe {
            core::ptr::write_bytes(v.items.as_mut_ptr(), 0, n);
            v.items.set_len(n);
        }
        Ok(v)
    }

    /// Makes room for `additional` items more.
    pub fn reserve(&mut self, additional: usize, _flags: Flags) -> Result<(), AllocError> {
        if self.items.capacity() - self.items.len() >= additional {
            return Ok(());
        }
        // The kernel refuses what an `isize` cannot address; 1 GiB is enough for a test machine.
        let bytes = additional.checked_mul(core::mem::size_of::<T>().max(1));
        if bytes.is_none_or(|b| b > 1 << 30) {
            return Err(AllocError);
        }
        request()?;
        self.items.try_reserve(additional).map_err(|_| AllocError)?;
        self.live.get_or_insert_with(Live::new);
        Ok(())
    }

    /// Appends `v`.
    pub fn push(&mut self, v: T, flags: Flags) -> Result<(), AllocError> {
        self.reserve(1, flags)?;
        self.items.push(v);
        Ok(())
    }

    /// Appends `v` if there is room.
    pub fn push_within_capacity(&mut self, v: T) -> Result<(), PushError<T>> {
        if self.items.len() == self.items.capacity() {
            return Err(PushError(v));
        }
        self.items.push(v);
        Ok(())
    }

    /// Takes the last item.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }

    /// Takes the item at `i`.
    pub fn remove(&mut self, i: usize) -> Result<T, RemoveError> {
        if i < self.items.len() {
            Ok(self.items.remove(i))
        } else {
            Err(RemoveError)
        }
    }

    /// Shortens the array to `len` items.
    pub fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
    }

    /// Drops all items; the memory stays.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// Items there is room for.
    pub fn capacity(&self) -> usize {
        self.items.capacity()
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// The items, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.items
    }

    /// Takes all items out; the memory stays.
    pub fn drain_all(&mut self) -> std::vec::Drain<'_, T> {
        self.items.drain(..)
    }

    /// Keeps the items for which `f` is true.
    pub fn retain(&mut self, f: impl FnMut(&mut T) -> bool) {
        self.items.retain_mut(f);
    }
}

impl<T: Clone, A> Vec<T, A> {
    /// Appends clones of the items of `other`.
    pub fn extend_from_slice(&mut self, other: &[T], flags: Flags) -> Result<(), AllocError> {
        self.reserve(other.len(), flags)?;
        self.items.extend_from_slice(other);
        Ok(())
    }

    /// `n` clones of `value`.
    pub fn from_elem(value: T, n: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut v = Self::with_capacity(n, flags)?;
        v.items.resize(n, value);
        Ok(v)
    }

    /// Shortens the array, or appends clones of `value`, so that it has `new_len` items.
    pub fn resize(&mut self, new_len: usize, value: T, flags: Flags) -> Result<(), AllocError> {
        self.reserve(new_len.saturating_sub(self.items.len()), flags)?;
        self.items.resize(new_len, value);
        Ok(())
    }
}

impl<T, A> Default for Vec<T, A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug, A> fmt::Debug for Vec<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T, A> Deref for Vec<T, A> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T, A> DerefMut for Vec<T, A> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<T: PartialEq, A, B> PartialEq<Vec<T, B>> for Vec<T, A> {
    fn eq(&self, other: &Vec<T, B>) -> bool {
        self[..] == other[..]
    }
}

impl<T: Eq, A> Eq for Vec<T, A> {}

impl<T: PartialEq, A> PartialEq<&[T]> for Vec<T, A> {
    fn eq(&self, other: &&[T]) -> bool {
        self[..] == other[..]
    }
}

impl<T: PartialEq, A> PartialEq<[T]> for Vec<T, A> {
    fn eq(&self, other: &[T]) -> bool {
        self[..] == other[..]
    }
}

impl<T: PartialEq, A, const N: usize> PartialEq<[T; N]> for Vec<T, A> {
    fn eq(&self, other: &[T; N]) -> bool {
        self[..] == other[..]
    }
}

impl<T: PartialEq, A, const N: usize> PartialEq<&[T; N]> for Vec<T, A> {
    fn eq(&self, other: &&[T; N]) -> bool {
        self[..] == other[..]
    }
}

impl<T, A> IntoIterator for Vec<T, A> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T, A> IntoIterator for &'a Vec<T, A> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<'a, T, A> IntoIterator for &'a mut Vec<T, A> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter_mut()
    }
}
