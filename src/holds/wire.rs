//! Bytes of the packed forms: big-endian integers of named widths, NUL-ended strings, length-prefixed blobs.
//!
//! Owns how a value is laid down; what the values mean stands with whoever packs them.

/// Why packed bytes cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packed form ends early or holds {0}")]
pub struct Malformed(pub String);

/// Reads from the front.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        if self.0.len() < count {
            return Err(Malformed(format!("{} of {count} bytes", self.0.len())));
        }
        let (head, tail) = self.0.split_at(count);
        self.0 = tail;
        Ok(head)
    }

    /// A signed integer of `width` bytes, at most 8.
    pub fn int(&mut self, width: usize) -> Result<i64, Malformed> {
        let bytes = self.take(width)?;
        let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) {
            -1_i64
        } else {
            0
        };
        Ok(bytes
            .iter()
            .fold(sign, |value, b| (value << 8) | i64::from(*b)))
    }

    /// An unsigned integer of `width` bytes, at most 7.
    pub fn uint(&mut self, width: usize) -> Result<u64, Malformed> {
        Ok(self
            .take(width)?
            .iter()
            .fold(0, |value, b| (value << 8) | u64::from(*b)))
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    /// Four bytes, unsigned.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for byte in self.take(4)? {
            value = (value << 8) | u32::from(*byte);
        }
        Ok(value)
    }

    /// A string up to its NUL.
    pub fn text(&mut self) -> Result<String, Malformed> {
        let end = self
            .0
            .iter()
            .position(|b| *b == 0)
            .ok_or_else(|| Malformed("a string without end".into()))?;
        let bytes = self.take(end)?;
        self.take(1)?;
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Malformed("a string that is not UTF-8".into()))
    }

    /// A blob behind its length of two bytes.
    pub fn blob(&mut self) -> Result<&'a [u8], Malformed> {
        let count = self.byte()? as usize * 256 + self.byte()? as usize;
        self.take(count)
    }

    /// Nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends to a buffer.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// A signed integer of `width` bytes; the caller has bounded it.
    pub fn int(&mut self, width: usize, value: i64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes()[8 - width..]);
        self
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// A string and its NUL; ids and labels hold none.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.0.extend_from_slice(value.as_bytes());
        self.byte(0)
    }

    /// A blob behind its length of four bytes.
    pub fn long_blob(&mut self, value: &[u8]) -> &mut Self {
        self.int(4, i64::try_from(value.len()).unwrap_or(i64::MAX));
        self.0.extend_from_slice(value);
        self
    }

    /// A blob of at most 65,535 bytes behind its length.
    pub fn blob(&mut self, value: &[u8]) -> &mut Self {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(&value[..usize::from(length)]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut w = Writer::default();
        w.int(7, -1)
            .int(7, 9_000_000_000_000_000)
            .byte(3)
            .text("job-1")
            .blob(b"xyz")
            .int(4, 70_000);
        let mut r = Reader(&w.0);
        assert_eq!(
            (r.int(7), r.int(7), r.byte()),
            (Ok(-1), Ok(9_000_000_000_000_000), Ok(3))
        );
        assert_eq!(
            (r.text(), r.blob(), r.u32()),
            (Ok("job-1".into()), Ok(&b"xyz"[..]), Ok(70_000))
        );
        assert!(r.is_empty());
        assert!(r.byte().is_err());
    }
}
