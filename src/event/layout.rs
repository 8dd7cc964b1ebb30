//! Field paths resolved at compile time: a tree of named fields, numbered so that a subtree is a range.

use std::collections::BTreeMap;

use crate::limits::SLOTS_MAX;

/// The number of a field in its [`Layout`], in pre-order; 0 is the event itself.
pub type Slot = u16;

const WORDS: usize = SLOTS_MAX / 64;

/// A set of slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask([u64; WORDS]);

impl Mask {
    /// Every slot.
    pub const ALL: Self = Self([u64::MAX; WORDS]);

    /// Adds a slot.
    #[inline]
    pub fn insert(&mut self, slot: Slot) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    /// Takes a slot out.
    #[inline]
    pub fn remove(&mut self, slot: Slot) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    /// Whether a slot is in the set.
    #[inline]
    pub fn contains(&self, slot: Slot) -> bool {
        self.0[slot as usize / 64] & (1 << (slot % 64)) != 0
    }

    /// Whether the two sets share a slot.
    #[inline]
    pub fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Takes every slot out that is not in the other set.
    #[inline]
    pub fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, other)| *mine &= other);
    }

    /// Adds every slot of the other set.
    #[inline]
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, other)| *mine |= other);
    }

    /// Adds the slots of a range.
    pub fn insert_all(&mut self, slots: std::ops::Range<Slot>) {
        slots.for_each(|slot| self.insert(slot));
    }

    /// Whether there is this slot and no other.
    #[inline]
    pub(super) fn is_only(&self, slot: Slot) -> bool {
        let mut only = Self::default();
        only.insert(slot);
        *self == only
    }

    /// One word that depends on all slots, for hashing.
    #[inline]
    pub(super) fn fold(&self) -> u64 {
        self.0.iter().fold(0, |folded, word| folded.rotate_left(7) ^ word)
    }

    /// The slots, ascending.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = Slot> {
        self.0.iter().enumerate().flat_map(|(word, &bits)| {
            let mut bits = bits;
            std::iter::from_fn(move || {
                let slot = (bits != 0).then(|| (word * 64) as Slot + bits.trailing_zeros() as Slot);
                bits &= bits.wrapping_sub(1);
                slot
            })
        })
    }

    /// The lowest slot in `from..end`.
    #[inline]
    pub fn next(&self, from: Slot, end: Slot) -> Option<Slot> {
        if from >= end {
            return None;
        }
        let (mut word, last) = (from as usize / 64, (end as usize - 1) / 64);
        let mut bits = self.0[word] & (u64::MAX << (from % 64));
        loop {
            if bits != 0 {
                let slot = (word * 64) as Slot + bits.trailing_zeros() as Slot;
                return (slot < end).then_some(slot);
            }
            if word == last {
                return None;
            }
            word += 1;
            bits = self.0[word];
        }
    }

    /// Whether any slot of `from..end` is in the set.
    #[inline]
    pub fn any(&self, from: Slot, end: Slot) -> bool {
        self.next(from, end).is_some()
    }

    /// Empties the set.
    #[inline]
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// One field of the tree.
#[derive(Clone, Debug)]
struct Node {
    path: Box<str>,
    key: Box<str>,
    parent: Slot,
    end: Slot,
    fragment: Box<[u8]>,
    children: Box<[(Box<[u8]>, Slot)]>,
}

/// The fields that a pipeline names, its grammars' fields included, as a tree in pre-order.
///
/// Children are sorted by key, so that the written form of an event does not depend on the order in which a
/// pipeline mentions them; `@timestamp` sorts first.
#[derive(Clone, Debug)]
pub struct Layout {
    nodes: Vec<Node>,
    inner: Mask,
}

impl Layout {
    /// Number of slots, the root included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no path is named at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.len() <= 1
    }

    /// The slot of a dotted path (`http.request.method`); the empty path is the root.
    pub fn slot(&self, path: &str) -> Option<Slot> {
        if path.is_empty() {
            return Some(0);
        }
        path.split('.').try_fold(0, |at, key| self.child(at, key.as_bytes()))
    }

    /// The field `key` of the object at `parent`.
    #[inline]
    pub fn child(&self, parent: Slot, key: &[u8]) -> Option<Slot> {
        let children = &self.nodes[parent as usize].children;
        // A linear scan: few objects have more than a dozen named children, and the lengths differ.
        if children.len() <= 16 {
            return children.iter().find(|(name, _)| **name == *key).map(|(_, slot)| *slot);
        }
        children.binary_search_by(|(name, _)| (**name).cmp(key)).ok().map(|at| children[at].1)
    }

    /// The dotted path of a slot.
    pub fn path(&self, slot: Slot) -> &str {
        &self.nodes[slot as usize].path
    }

    /// The last key of a slot's path.
    pub fn key(&self, slot: Slot) -> &str {
        &self.nodes[slot as usize].key
    }

    /// The object that holds a slot.
    #[inline]
    pub fn parent(&self, slot: Slot) -> Slot {
        self.nodes[slot as usize].parent
    }

    /// One past the last slot below `slot`: its subtree is `slot..end`.
    #[inline]
    pub fn end(&self, slot: Slot) -> Slot {
        self.nodes[slot as usize].end
    }

    /// Whether paths below this one are named.
    #[inline]
    pub fn has_children(&self, slot: Slot) -> bool {
        self.end(slot) > slot + 1
    }

    /// The slots that have named fields below them.
    #[inline]
    pub fn inner(&self) -> &Mask {
        &self.inner
    }

    /// The JSON text `"key":` of a slot.
    #[inline]
    pub fn fragment(&self, slot: Slot) -> &[u8] {
        &self.nodes[slot as usize].fragment
    }
}

/// Collects paths, then numbers them.
#[derive(Clone, Debug, Default)]
pub struct LayoutBuilder {
    root: Tree,
    count: usize,
}

#[derive(Clone, Debug, Default)]
struct Tree(BTreeMap<Box<str>, Tree>);

impl LayoutBuilder {
    /// Names a dotted path. Returns false when the pipeline already names [`SLOTS_MAX`] fields.
    pub fn add(&mut self, path: &str) -> bool {
        let mut at = &mut self.root;
        for key in path.split('.').filter(|key| !key.is_empty()) {
            if !at.0.contains_key(key) {
                if self.count + 1 >= SLOTS_MAX {
                    return false;
                }
                self.count += 1;
            }
            at = at.0.entry(key.into()).or_default();
        }
        true
    }

    /// Numbers the fields.
    pub fn build(&self) -> Layout {
        let mut nodes = Vec::with_capacity(self.count + 1);
        number(&self.root, "", "", 0, &mut nodes);
        let mut inner = Mask::default();
        for (slot, node) in nodes.iter().enumerate() {
            if node.end as usize > slot + 1 {
                inner.insert(slot as Slot);
            }
        }
        Layout { nodes, inner }
    }
}

fn number(tree: &Tree, path: &str, key: &str, parent: Slot, nodes: &mut Vec<Node>) -> Slot {
    let slot = nodes.len() as Slot;
    let mut fragment = Vec::new();
    super::write_string(key, &mut fragment);
    fragment.push(b':');
    nodes.push(Node {
        path: path.into(),
        key: key.into(),
        parent,
        end: 0,
        fragment: fragment.into(),
        children: Box::default(),
    });
    let children = tree
        .0
        .iter()
        .map(|(key, below)| {
            let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
            (key.as_bytes().into(), number(below, &path, key, slot, nodes))
        })
        .collect();
    let end = nodes.len() as Slot;
    let node = &mut nodes[slot as usize];
    node.children = children;
    node.end = end;
    slot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subtree_is_a_range_and_children_are_sorted() {
        let mut builder = LayoutBuilder::default();
        for path in ["message", "http.response.status_code", "@timestamp", "http.request.method"] {
            assert!(builder.add(path));
        }
        let layout = builder.build();
        let paths: Vec<_> = (0..layout.len()).map(|slot| layout.path(slot as Slot)).collect();
        let expected = [
            "",
            "@timestamp",
            "http",
            "http.request",
            "http.request.method",
            "http.response",
            "http.response.status_code",
            "message",
        ];
        assert_eq!(paths, expected);
        let http = layout.slot("http").expect("named");
        assert_eq!((http, layout.end(http)), (2, 7));
        assert_eq!(layout.slot("http.version"), None);
    }

    #[test]
    fn a_mask_finds_the_next_slot_across_words() {
        let mut mask = Mask::default();
        mask.insert(3);
        mask.insert(200);
        assert_eq!(mask.next(0, 512), Some(3));
        assert_eq!(mask.next(4, 512), Some(200));
        assert_eq!(mask.next(4, 200), None);
        mask.remove(200);
        assert!(!mask.any(4, 512));
    }
}
