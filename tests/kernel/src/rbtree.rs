// SPDX-License-Identifier: GPL-2.0-only

//! Ordered maps whose nodes are allocated before they are inserted.

use std::{collections::BTreeMap, ops::Bound};

use crate::{
    alloc::{
        failures::{request, Live},
        Flags,
    },
    error::Result,
};

/// A map ordered by its keys.
pub struct RBTree<K, V> {
    nodes: BTreeMap<K, (V, Live)>,
}

impl<K: Ord, V> RBTree<K, V> {
    /// An empty tree.
    pub fn new() -> Self {
        Self {
            nodes: BTreeMap::new(),
        }
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.nodes.iter().map(|(k, (v, _))| (k, v))
    }

    /// Allocates a node and inserts it; gives what it replaced.
    pub fn try_create_and_insert(
        &mut self,
        key: K,
        value: V,
        flags: Flags,
    ) -> Result<Option<RBTreeNode<K, V>>> {
        Ok(self.insert(RBTreeNode::new(key, value, flags)?))
    }

    /// Inserts a node; gives what it replaced.
    pub fn insert(&mut self, node: RBTreeNode<K, V>) -> Option<RBTreeNode<K, V>> {
        let RBTreeNode { key, value, live } = node;
        let old = self.nodes.remove_entry(&key);
        self.nodes.insert(key, (value, live));
        old.map(|(key, (value, live))| RBTreeNode { key, value, live })
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.nodes.get(key).map(|(v, _)| v)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.nodes.get_mut(key).map(|(v, _)| v)
    }

    /// Takes the node of a key out.
    pub fn remove_node(&mut self, key: &K) -> Option<RBTreeNode<K, V>> {
        let (key, (value, live)) = self.nodes.remove_entry(key)?;
        Some(RBTreeNode { key, value, live })
    }

    /// Takes the value of a key out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.nodes.remove(key).map(|(v, _)| v)
    }

    /// A cursor at the first node.
    pub fn cursor_front(&self) -> Option<Cursor<'_, K, V>> {
        let (key, _) = self.nodes.first_key_value()?;
        Some(Cursor { tree: self, key })
    }

    /// A cursor at the last node.
    pub fn cursor_back(&self) -> Option<Cursor<'_, K, V>> {
        let (key, _) = self.nodes.last_key_value()?;
        Some(Cursor { tree: self, key })
    }

    /// A cursor at the key or at the next larger one.
    pub fn cursor_lower_bound(&self, key: &K) -> Option<Cursor<'_, K, V>> {
        let (key, _) = self.nodes.range(key..).next()?;
        Some(Cursor { tree: self, key })
    }
}

impl<K: Ord, V> Default for RBTree<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// A position in a tree.
pub struct Cursor<'a, K, V> {
    tree: &'a RBTree<K, V>,
    key: &'a K,
}

impl<K: Ord, V> Cursor<'_, K, V> {
    /// The node at the position.
    pub fn current(&self) -> (&K, &V) {
        let (key, (value, _)) = self
            .tree
            .nodes
            .get_key_value(self.key)
            .expect("a cursor is at a node");
        (key, value)
    }

    /// The node before the position.
    pub fn peek_prev(&self) -> Option<(&K, &V)> {
        let (key, (value, _)) = self.tree.nodes.range(..self.key).next_back()?;
        Some((key, value))
    }

    /// The node behind the position.
    pub fn peek_next(&self) -> Option<(&K, &V)> {
        let behind = (Bound::Excluded(self.key), Bound::Unbounded);
        let (key, (value, _)) = self.tree.nodes.range(behind).next()?;
        Some((key, value))
    }
}

/// Memory for a node.
pub struct RBTreeNodeReservation<K, V> {
    live: Live,
    _node: core::marker::PhantomData<fn() -> (K, V)>,
}

impl<K, V> RBTreeNodeReservation<K, V> {
    /// Allocates it.
    pub fn new(_flags: Flags) -> Result<Self> {
        request()?;
        Ok(Self {
            live: Live::new(),
            _node: core::marker::PhantomData,
        })
    }

    /// Makes a node of it.
    pub fn into_node(self, key: K, value: V) -> RBTreeNode<K, V> {
        RBTreeNode {
            key,
            value,
            live: self.live,
        }
    }
}

/// A node that is in no tree.
pub struct RBTreeNode<K, V> {
    key: K,
    value: V,
    live: Live,
}

impl<K, V> RBTreeNode<K, V> {
    /// Allocates and fills it.
    pub fn new(key: K, value: V, flags: Flags) -> Result<Self> {
        Ok(RBTreeNodeReservation::new(flags)?.into_node(key, value))
    }

    /// Key and value.
    pub fn to_key_value(self) -> (K, V) {
        (self.key, self.value)
    }
}
