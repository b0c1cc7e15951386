//! Compressed files, unpacked as they are read: gzip, and Zstandard's frames.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Packing {
    /// So many of the first bytes tell it.
    pub const MAGIC: usize = 4;

    /// Tells it by the first bytes.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or one that is to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// What looks whether such a file is whole.
    #[must_use]
    pub fn test(self) -> &'static str {
        match self {
            Self::Zstd => "zstd -t",
            Self::Plain | Self::Gzip => "gzip -t",
        }
    }
}

/// A file that is unpacked.
pub enum Unpacking<R> {
    /// As it is.
    Plain(R),
    /// Of gzip.
    Gzip(MultiGzDecoder<R>),
    /// Of Zstandard.
    Zstd(Box<Frames<R>>),
}

impl<R: BufRead> Unpacking<R> {
    /// Reads from its beginning.
    pub fn new(packing: Packing, source: R) -> Self {
        match packing {
            Packing::Plain => Self::Plain(source),
            Packing::Gzip => Self::Gzip(MultiGzDecoder::new(source)),
            Packing::Zstd => Self::Zstd(Box::new(Frames::new(source))),
        }
    }
}

impl<R: BufRead> Read for Unpacking<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(out),
            Self::Gzip(source) => source.read(out),
            Self::Zstd(source) => source.read(out),
        }
    }
}

/// Bytes that are unpacked at a time.
const CHUNK: usize = 256 << 10;

/// The frames of a Zstandard file, one after the other.
pub struct Frames<R> {
    decoder: FrameDecoder,
    source: R,
    is_within: bool,
}

impl<R: BufRead> Frames<R> {
    /// Begins to read them.
    pub fn new(source: R) -> Self {
        Self { decoder: FrameDecoder::new(), source, is_within: false }
    }

    /// Begins the next frame. False where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.source.by_ref().take(length.into());
                    if io::copy(&mut skipped, &mut io::sink())? < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_within {
                if !self.begin()? {
                    return Ok(0);
                }
                self.is_within = true;
            }
            if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let some = BlockDecodingStrategy::UptoBytes(CHUNK);
                self.decoder
                    .decode_blocks(&mut self.source, some)
                    .map_err(|error| io::Error::other(error.to_string()))?;
            }
            match self.decoder.read(out)? {
                0 if out.is_empty() => return Ok(0),
                0 if self.decoder.is_finished() => {
                    let sums =
                        (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
                    if let (Some(written), Some(read)) = sums
                        && written != read
                    {
                        return Err(io::Error::other("the checksum is another"));
                    }
                    self.is_within = false;
                }
                0 => {}
                length => return Ok(length),
            }
        }
    }
}
