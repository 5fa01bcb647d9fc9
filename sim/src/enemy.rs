//! Speaks in other people's names: statements that nobody who is named in them has signed.

use kirana_core::key::KeyId;

/// The same signed bytes, naming another key as the one that signed.
///
/// The signature stays what it was, so whoever checks it against the key that is named refuses it.
pub fn renamed(signed: &[u8], from: KeyId, to: KeyId) -> Vec<u8> {
    let mut bytes = signed.to_vec();
    let (old, new) = (from.as_bytes(), to.as_bytes());
    let at = bytes.windows(old.len()).position(|window| window == old);
    if let Some(at) = at {
        bytes[at..at + old.len()].copy_from_slice(new);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use kirana_core::{
        key::SigningKey,
        sign1::{self, Purpose, Unverified},
    };

    #[test]
    fn a_renamed_statement_names_the_victim_and_is_not_the_victims() {
        let (enemy, victim) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let signed = sign1::sign(&enemy, Purpose::Statement, b"one kilo".to_vec());
        let forged = renamed(&signed, enemy.id(), victim.id());
        let read = Unverified::parse("a statement", &forged, 1024).expect("well formed");
        assert_eq!(read.signer(), victim.id());
        assert!(read.verify(&victim.public(), Purpose::Statement).is_err());
    }
}
