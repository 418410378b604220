//! A file outside the database that only grows: signed lines which whoever alters the database cannot take back.
//!
//! Invariant: after a crash the file has no torn line in its middle; a torn end is cut before the next line is added.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

/// Where the lines go.
#[derive(Clone, Debug)]
pub struct AnchorFile(PathBuf);

impl AnchorFile {
    /// The file at this path; it is made with the first line.
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Appends whole lines and waits until the disk has them. `head` goes before them where the file is empty.
    ///
    /// # Errors
    /// When the file cannot be opened, written or synced.
    pub async fn append(&self, head: Vec<u8>, lines: Vec<u8>) -> io::Result<()> {
        let path = self.0.clone();
        tokio::task::spawn_blocking(move || {
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
            cut_torn_end(&mut file)?;
            if file.metadata()?.len() == 0 {
                file.write_all(&head)?;
            }
            file.write_all(&lines)?;
            file.sync_data()
        })
        .await
        .map_err(io::Error::other)?
    }
}

fn cut_torn_end(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let mut all = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut all)?;
    let whole = all.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(whole as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_added_and_a_torn_end_is_cut() {
        let name =
            format!("portreeve-anchors-{}", uuid::Uuid::from_bytes(crate::base::crypto::random::bytes()));
        let path = std::env::temp_dir().join(name);
        let file = AnchorFile::at(path.clone());
        file.append(b"head\n".to_vec(), b"one\n".to_vec()).await.expect("appended");
        file.append(b"head\n".to_vec(), b"two\n".to_vec()).await.expect("appended");
        std::fs::write(&path, b"head\none\ntwo\nthr").expect("written");
        file.append(b"head\n".to_vec(), b"four\n".to_vec()).await.expect("appended");
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::remove_file(&path).ok();
        assert_eq!(text, "head\none\ntwo\nfour\n");
    }
}
