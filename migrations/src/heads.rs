//! Remembers beside the database how far each chain had come, so that a database that lost its
//! newest commits, or was put back from a copy, does not pass for whole.
//!
//! **Invariant:** a head is written only after its COMMIT, so the list is never ahead of what was
//! durable; it is not synced, so it may lag, and a torn last line is no fault.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

/// How far one chain has come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Which chain, such as `ledger` or `order:0190…`; no spaces.
    pub chain: String,
    /// The number of its newest entry.
    pub n: u64,
    /// The digest of that entry.
    pub hash: [u8; 32],
}

/// The list of heads, in a file or in memory.
#[derive(Debug)]
pub struct Heads {
    file: Option<(PathBuf, File)>,
    newest: BTreeMap<String, (u64, Head)>,
    lines: u64,
}

impl Heads {
    /// A list that lives as long as the database in memory.
    pub fn in_memory() -> Self {
        Self { file: None, newest: BTreeMap::new(), lines: 0 }
    }

    /// Reads the list in `path`, or starts one; damaged lines are left out.
    ///
    /// # Errors
    /// When the file cannot be read or made.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let mut heads = Self::in_memory();
        let text = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(e),
        };
        for line in text.split(|byte| *byte == b'\n') {
            if let Some(head) = parse(line) {
                heads.keep(head);
            }
        }
        let torn = text.last().is_some_and(|byte| *byte != b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.lock_shared()?;
        if torn {
            file.write_all(b"\n")?;
        }
        heads.file = Some((path, file));
        Ok(heads)
    }

    /// The newest head of each chain that is still listed.
    pub fn newest(&self) -> impl Iterator<Item = &Head> {
        self.newest.values().map(|(_, head)| head)
    }

    /// Adds heads after their COMMIT.
    ///
    /// # Errors
    /// When the file cannot be written; what was committed stays committed.
    pub fn append(&mut self, heads: Vec<Head>) -> io::Result<()> {
        let mut text = String::new();
        for head in heads {
            text.push_str(&line(&head));
            self.keep(head);
        }
        match &mut self.file {
            Some((_, file)) if !text.is_empty() => file.write_all(text.as_bytes()),
            _ => Ok(()),
        }
    }

    /// Forgets everything: the database was restored and starts anew.
    ///
    /// # Errors
    /// When the file cannot be emptied.
    pub fn clear(&mut self) -> io::Result<()> {
        self.newest.clear();
        self.lines = 0;
        match &mut self.file {
            Some((_, file)) => file.set_len(0),
            None => Ok(()),
        }
    }

    /// Writes the list anew with the newest heads only, if it has grown and nobody else uses it.
    ///
    /// # Errors
    /// When the new file cannot be written; the old one stays.
    pub fn compact(&mut self) -> io::Result<()> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        if self.lines < COMPACT_AT_LINES {
            return Ok(());
        }
        file.unlock()?;
        if file.try_lock().is_err() {
            return file.lock_shared();
        }
        let mut order: Vec<_> = self.newest.values().collect();
        order.sort();
        let text: String = order.iter().map(|(_, head)| line(head)).collect();
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, text)?;
        File::open(&fresh)?.sync_all()?;
        std::fs::rename(&fresh, &*path)?;
        *file = OpenOptions::new().append(true).open(&*path)?;
        file.lock_shared()?;
        self.lines = self.newest.len() as u64;
        Ok(())
    }

    fn keep(&mut self, head: Head) {
        self.lines += 1;
        match self.newest.get(&head.chain) {
            Some((_, known)) if known.n > head.n => {}
            _ => {
                self.newest.insert(head.chain.clone(), (self.lines, head));
            }
        }
        // The commits that get lost are the newest ones, so old orders need no anchor for ever.
        if self.newest.len() >= 2 * CHAINS_MAX {
            let mut lines: Vec<u64> = self.newest.values().map(|(line, _)| *line).collect();
            lines.sort_unstable();
            let from = lines[lines.len() - CHAINS_MAX];
            self.newest.retain(|_, (line, _)| *line >= from);
        }
    }
}

/// Chains that are remembered at least.
pub const CHAINS_MAX: usize = 2048;
const COMPACT_AT_LINES: u64 = 4 * CHAINS_MAX as u64;

fn line(head: &Head) -> String {
    let hash: String = head.hash.iter().map(|b| format!("{b:02x}")).collect();
    let content = format!("{} {} {hash}", head.chain, head.n);
    format!("{content} {:08x}\n", crc32(content.as_bytes()))
}

fn parse(line: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(line).ok()?;
    let (content, sum) = text.rsplit_once(' ')?;
    if u32::from_str_radix(sum, 16).ok()? != crc32(content.as_bytes()) {
        return None;
    }
    let mut parts = content.split(' ');
    let (chain, n, hex) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Head { chain: chain.to_owned(), n, hash })
}

/// The checksum of IEEE 802.3, bit by bit: lines are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(chain: &str, n: u64) -> Head {
        Head { chain: chain.to_owned(), n, hash: [n as u8; 32] }
    }

    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn p8_a_torn_last_line_is_left_out_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.log");
        let mut heads = Heads::open(path.clone()).unwrap();
        heads.append(vec![head("ledger", 1), head("order:a", 0), head("ledger", 2)]).unwrap();
        drop(heads);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 20);
        std::fs::write(&path, &bytes).unwrap();
        let mut again = Heads::open(path.clone()).unwrap();
        assert_eq!(
            again.newest().cloned().collect::<Vec<_>>(),
            [head("ledger", 1), head("order:a", 0)]
        );
        again.append(vec![head("ledger", 3)]).unwrap();
        let third = Heads::open(path).unwrap();
        assert!(third.newest().any(|h| *h == head("ledger", 3)));
    }

    #[test]
    fn at_twice_the_limit_the_oldest_chains_are_dropped() {
        let mut heads = Heads::in_memory();
        for n in 0..2 * CHAINS_MAX as u64 {
            heads.append(vec![head(&format!("order:{n}"), 0)]).unwrap();
        }
        assert_eq!(heads.newest().count(), CHAINS_MAX);
        assert!(heads.newest().all(|h| h.chain != "order:0"));
    }

    #[test]
    fn a_grown_list_is_written_anew_and_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.log");
        let mut heads = Heads::open(path.clone()).unwrap();
        for n in 0..COMPACT_AT_LINES {
            heads.append(vec![head("ledger", n)]).unwrap();
        }
        heads.compact().unwrap();
        heads.append(vec![head("ledger", COMPACT_AT_LINES)]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }
}
