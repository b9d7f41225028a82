// SPDX-License-Identifier: GPL-2.0-only

//! A bounded cache of shared objects that the kernel can shrink.
//!
//! Used for MFT records and for index blocks. An object is in the cache once, so its lock is the
//! lock of what it stands for: while anybody has a [`Handle`] the object stays. Who is thrown out is
//! decided by a second chance (clock) over the keys.
//!
//! Lock order: the mutex of the tree is a leaf. Under it nothing is allocated, read or locked; an
//! object is allocated before and, if another thread was faster, given back after.

use kernel::{
    new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    },
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        Mutex, //
    },
};

use super::error::{
    Error,
    Result, //
};

/// What can be kept in a cache.
pub trait Cached {
    /// Whether the object cannot go although nobody uses it: it has what the device has not.
    fn must_stay(&self) -> bool {
        false
    }
}

/// One cached object.
#[pin_data]
struct Entry<V> {
    #[pin]
    value: V,
    /// Handles that exist. Goes up from zero under the mutex of the tree only.
    users: Atomic<u32>,
    /// Used since the clock came by.
    referenced: Atomic<bool>,
}

/// Keeps a cached object in the cache.
pub struct Handle<V>(Arc<Entry<V>>);

impl<V> Handle<V> {
    /// Called with the mutex of the tree held, or from an existing handle.
    fn to(entry: &Arc<Entry<V>>) -> Self {
        entry.users.add(1, Relaxed);
        entry.referenced.store(true, Relaxed);
        Self(entry.clone())
    }
}

impl<V> core::ops::Deref for Handle<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.0.value
    }
}

impl<V> Drop for Handle<V> {
    fn drop(&mut self) {
        // What was done to the object happens before it is thrown out.
        self.0.users.fetch_sub(1, Release);
    }
}

struct State<K, V> {
    objects: RBTree<K, Arc<Entry<V>>>,
    /// Where the clock goes on.
    hand: Option<K>,
}

/// A cache of at most about `limit` objects, ordered by key.
#[pin_data]
pub struct Cache<K, V> {
    #[pin]
    state: Mutex<State<K, V>>,
    /// Objects in the tree; written under its mutex.
    count: Atomic<usize>,
    limit: usize,
}

/// Objects that are looked at under the mutex in one go.
const PIECE: usize = 256;
/// Objects that the clock looks at for each one that is added to a full cache.
const STEPS: usize = 4;

impl<K: Ord + Copy + Unpin, V: Cached> Cache<K, V> {
    /// An empty cache.
    pub fn new(limit: usize) -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State { objects: RBTree::new(), hand: None }, "ntfs_rs::Cache"),
            count: Atomic::new(0),
            limit,
        })
    }

    /// Objects in the cache, for the shrinker.
    pub fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// The object of `key`, if it is there.
    pub fn get(&self, key: K) -> Option<Handle<V>> {
        self.state.lock().objects.get(&key).map(Handle::to)
    }

    /// The object of `key`; if it is not there, `make` initialises it.
    pub fn get_or_insert<I, F>(&self, key: K, make: F) -> Result<Handle<V>>
    where
        I: PinInit<V>,
        F: FnOnce() -> I,
    {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        let entry = Arc::pin_init(
            pin_init!(Entry {
                value <- make(),
                users: Atomic::new(0),
                referenced: Atomic::new(false),
            }),
            GFP_KERNEL,
        )
        .map_err(|_| Error::NoMemory)?;
        let node = RBTreeNodeReservation::new(GFP_KERNEL).map_err(|_| Error::NoMemory)?;

        let mut state = self.state.lock();
        if let Some(other) = state.objects.get(&key) {
            // Another thread was faster. `entry` and `node` are freed after the guard.
            return Ok(Handle::to(other));
        }
        let handle = Handle::to(&entry);
        state.objects.insert(node.into_node(key, entry));
        self.count.add(1, Relaxed);
        if self.count() > self.limit {
            self.advance(&mut state, STEPS, STEPS);
        }
        Ok(handle)
    }

    /// The first object at or behind `from` that has to stay, with its key.
    ///
    /// Looks at all objects in between, in pieces between which others have their turn.
    pub fn next_that_stays(&self, from: K) -> Option<(K, Handle<V>)> {
        let mut next = from;
        loop {
            let state = self.state.lock();
            for _ in 0..PIECE {
                let cursor = state.objects.cursor_lower_bound(&next)?;
                let (key, entry) = cursor.current();
                if entry.value.must_stay() {
                    return Some((*key, Handle::to(entry)));
                }
                next = cursor.peek_next().map(|(key, _)| *key)?;
            }
        }
    }

    /// Throws an object out, if nobody uses it.
    pub fn forget(&self, key: K) {
        let mut state = self.state.lock();
        let is_idle =
            |entry: &Arc<Entry<V>>| entry.users.load(Acquire) == 0 && !entry.value.must_stay();
        if state.objects.get(&key).is_some_and(is_idle) && state.objects.remove(&key).is_some() {
            self.count.fetch_sub(1, Relaxed);
        }
    }

    /// Throws out up to `wanted` objects that nobody uses; says how many.
    ///
    /// For the shrinker: takes the mutex of the tree and nothing else.
    pub fn scan(&self, wanted: usize) -> usize {
        let mut state = self.state.lock();
        // Twice round: the first time may only take second chances away.
        let steps = self.count().saturating_mul(2).min(wanted.saturating_mul(2));
        self.advance(&mut state, steps, wanted)
    }

    fn advance(&self, state: &mut State<K, V>, steps: usize, wanted: usize) -> usize {
        let mut freed: usize = 0;
        for _ in 0..steps {
            if freed >= wanted {
                break;
            }
            let Some((key, next, idle)) = Self::under_hand(state) else {
                break;
            };
            state.hand = next;
            if idle && state.objects.remove(&key).is_some() {
                freed = freed.saturating_add(1);
                self.count.fetch_sub(1, Relaxed);
            }
        }
        freed
    }

    /// The object at the hand, the key behind it, and whether the object can go.
    fn under_hand(state: &State<K, V>) -> Option<(K, Option<K>, bool)> {
        let cursor = match state.hand {
            Some(hand) => state.objects.cursor_lower_bound(&hand),
            None => None,
        };
        let cursor = match cursor {
            Some(cursor) => cursor,
            None => state.objects.cursor_front()?,
        };
        let (key, entry) = cursor.current();
        let next = cursor.peek_next().map(|(key, _)| *key);
        let idle = entry.users.load(Acquire) == 0
            && !entry.referenced.xchg(false, Relaxed)
            && !entry.value.must_stay();
        Some((*key, next, idle))
    }
}
