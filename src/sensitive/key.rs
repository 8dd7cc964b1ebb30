//! Keyed hashes: the same secret gives the same sign under a key, and without the key nobody can try secrets out.

use sha2::{Digest, Sha256};

/// The block of SHA-256.
const BLOCK: usize = 64;

/// HMAC-SHA-256 (RFC 2104) under one key.
#[derive(Clone)]
pub struct Mac(Box<[Sha256; 2]>);

impl std::fmt::Debug for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mac")
    }
}

impl Mac {
    /// A key, of any length.
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0u8; BLOCK];
        if key.len() > BLOCK {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let start = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
        Self(Box::new([start(0x36), start(0x5c)]))
    }

    /// The hash of some bytes.
    pub fn of(&self, bytes: &[u8]) -> [u8; 32] {
        let [inner, outer] = &*self.0;
        let inner = inner.clone().chain_update(bytes).finalize();
        outer.clone().chain_update(inner).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_rfc() {
        // RFC 4231, test cases 2 and 6.
        let hex = |bytes: [u8; 32]| data_encoding::HEXLOWER.encode(&bytes);
        let short = Mac::new(b"Jefe").of(b"what do ya want for nothing?");
        assert_eq!(hex(short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = Mac::new(&[0xaa; 131]).of(b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }
}
