//! Room for what a list takes: large vectors have memory of their own, of which the system has all back.

/// Bytes from which on a vector has memory of its own: what glibc maps by itself as long as nothing large was freed.
const OWN_FROM_BYTES: usize = 128 * 1024;
/// An allocation of so many bytes is mapped by itself, whatever was freed before: up to here glibc raises the bound below
/// which blocks lie in its heap (mallopt(3), `M_MMAP_THRESHOLD`), where what is freed between others stays resident. Pages
/// that nobody wrote to take no memory, so that room costs nothing; a block that shrinks stays where it is, and one that
/// grows is not copied.
const OWN_BYTES: usize = 32 * 1024 * 1024;

/// An empty vector for so many items.
pub(super) fn with_room<T>(items: usize) -> Vec<T> {
    let mut room = Vec::new();
    grow(&mut room, items);
    room
}

/// Makes room for so many items more.
pub(super) fn grow<T>(room: &mut Vec<T>, items: usize) {
    let needed = room.len() + items;
    if needed <= room.capacity() {
        return;
    }
    let own = OWN_BYTES / size_of::<T>().max(1) + 1;
    let is_large = needed.saturating_mul(size_of::<T>()) >= OWN_FROM_BYTES;
    // A system that promises no more memory than it has may refuse what would hardly be used.
    let has_own = is_large && needed <= own && room.try_reserve_exact(own - room.len()).is_ok();
    if !has_own {
        room.reserve(items);
    }
}

/// Adds an item.
#[inline]
pub(super) fn push<T>(room: &mut Vec<T>, item: T) {
    if room.len() == room.capacity() {
        grow(room, 1);
    }
    room.push(item);
}

/// So many items, and no room for more.
pub(super) fn packed<T>(len: usize, items: impl Iterator<Item = T>) -> Box<[T]> {
    let mut room = with_room(len);
    room.extend(items.take(len));
    room.into()
}
