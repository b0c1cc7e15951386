//! Compressed files, unpacked as they are read: gzip, and the frames of Zstandard and LZ4.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder as Lz4Decoder;
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
    /// LZ4.
    Lz4,
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
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            _ => Self::Plain,
        }
    }

    /// The program that packs so.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Plain | Self::Gzip => "gzip",
        }
    }

    /// What looks whether such a file is whole.
    #[must_use]
    pub fn test(self) -> &'static str {
        match self {
            Self::Zstd => "zstd -t",
            Self::Lz4 => "lz4 -t",
            Self::Plain | Self::Gzip => "gzip -t",
        }
    }
}

/// A file that is unpacked.
pub enum Unpacking<R: Read> {
    /// As it is.
    Plain(R),
    /// Of gzip.
    Gzip(Box<MultiGzDecoder<R>>),
    /// Of Zstandard.
    Zstd(Box<Frames<R>>),
    /// Of LZ4.
    Lz4(Box<Lz4Frames<R>>),
}

impl<R: BufRead> Unpacking<R> {
    /// Reads from its beginning.
    pub fn new(packing: Packing, source: R) -> Self {
        match packing {
            Packing::Plain => Self::Plain(source),
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(source))),
            Packing::Zstd => Self::Zstd(Box::new(Frames::new(source))),
            Packing::Lz4 => Self::Lz4(Box::new(Lz4Frames::new(source))),
        }
    }
}

impl<R: BufRead> Read for Unpacking<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(out),
            Self::Gzip(source) => source.read(out),
            Self::Zstd(source) => source.read(out),
            Self::Lz4(source) => source.read(out),
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

/// The frames of an LZ4 file, one after the other.
pub struct Lz4Frames<R: Read> {
    state: Lz4State<R>,
}

enum Lz4State<R: Read> {
    Between(Ending<R>),
    /// Each frame has a decoder of its own: one for all keeps the sizes of the first.
    Within(Box<Lz4Decoder<Ending<R>>>),
    Failed,
}

/// A source that keeps in mind whether somebody wanted more than it had: the decoder takes a frame that ends between two
/// blocks for whole.
struct Ending<R> {
    source: R,
    has_ended: bool,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(out)?;
        self.has_ended |= read == 0 && !out.is_empty();
        Ok(read)
    }
}

impl<R: BufRead> Lz4Frames<R> {
    /// Begins to read them.
    pub fn new(source: R) -> Self {
        Self { state: Lz4State::Between(Ending { source, has_ended: false }) }
    }
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !out.is_empty() {
            match &mut self.state {
                Lz4State::Failed => return Err(io::ErrorKind::UnexpectedEof.into()),
                Lz4State::Between(source) => {
                    if source.source.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                }
                Lz4State::Within(decoder) => match decoder.read(out)? {
                    0 if decoder.get_ref().has_ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                    0 => {}
                    read => return Ok(read),
                },
            }
            self.state = match std::mem::replace(&mut self.state, Lz4State::Failed) {
                Lz4State::Between(source) => Lz4State::Within(Box::new(Lz4Decoder::new(source))),
                Lz4State::Within(decoder) => Lz4State::Between(decoder.into_inner()),
                Lz4State::Failed => Lz4State::Failed,
            };
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{FrameEncoder, FrameInfo};

    use super::*;

    fn packed(text: &[u8], info: FrameInfo) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(text).expect("packed");
        encoder.finish().expect("packed")
    }

    fn unpacked(packed: &[u8]) -> io::Result<Vec<u8>> {
        assert_eq!(Packing::of(packed), Packing::Lz4);
        let mut all = Vec::new();
        Unpacking::new(Packing::Lz4, packed).read_to_end(&mut all).map(|_| all)
    }

    #[test]
    fn lz4_files_are_read_as_a_whole_or_not_at_all() {
        let text: Vec<u8> = (0..60_000_u32).flat_map(u32::to_le_bytes).collect();
        for info in [FrameInfo::new(), FrameInfo::new().content_checksum(true)] {
            let one = packed(&text, info.clone());
            assert_eq!(unpacked(&one).expect("whole"), text);
            // lz4's own files may have several frames, empty ones among them.
            let three = [packed(&text, info.clone()), packed(b"", info), one.clone()].concat();
            assert_eq!(unpacked(&three).expect("whole"), [&text[..], &text].concat());
            for end in (4..one.len()).step_by(9_973).chain(one.len() - 9..one.len()) {
                assert!(unpacked(&one[..end]).is_err(), "{end} of {} bytes were taken for all", one.len());
            }
        }
    }
}
