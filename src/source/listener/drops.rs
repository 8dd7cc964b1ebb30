//! Datagrams that the kernel threw away, as `/proc/net/udp` counts them.

/// The drops of the socket with this inode number, from the text of the table: the last column is the count, the
/// tenth the inode.
pub(super) fn of_socket(table: &str, inode: u64) -> Option<u64> {
    let mut rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(9).and_then(|text| text.parse().ok()) == Some(inode))?;
    row.last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_by_its_inode() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
             911: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4026 2 0000000000000000 0\n  \
             912: 0100007F:A3C1 00000000:0000 07 00000000:00034D00 00:00000000 00000000  1000        0 4711 2 0000000000000000 1302\n";
        assert_eq!(of_socket(table, 4711), Some(1302));
        assert_eq!(of_socket(table, 4026), Some(0));
        assert_eq!(of_socket(table, 1), None);
        assert_eq!(of_socket("", 1), None);
    }
}
