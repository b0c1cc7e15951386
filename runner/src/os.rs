//! What Unix and Windows have different calls for: places in files, permissions, and which file one is.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use self::system::Stream;

#[cfg(unix)]
mod system {
    use std::fs::{File, Metadata, Permissions};
    use std::io;
    pub(super) use std::os::fd::AsFd as Stream;
    use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt};
    use std::path::Path;

    /// Device and number of a file.
    pub(super) type Id = (u64, u64);

    fn id(metadata: &Metadata) -> Id {
        (metadata.dev(), metadata.ino())
    }

    pub(super) fn id_of(file: &File) -> io::Result<Id> {
        file.metadata().map(|metadata| id(&metadata))
    }

    /// It is not opened: whoever may not read a file would not know which one it is.
    pub(super) fn id_at(path: &Path) -> io::Result<Id> {
        path.metadata().map(|metadata| id(&metadata))
    }

    pub(super) fn duplicate(stream: &impl Stream) -> io::Result<File> {
        stream.as_fd().try_clone_to_owned().map(File::from)
    }

    pub(super) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
        file.read_at(out, at)
    }

    pub(super) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        file.write_at(bytes, at)
    }

    pub(super) fn holds_bytes(stream: &File) -> bool {
        let kind = stream.metadata().map(|metadata| metadata.file_type());
        kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket() || kind.is_file())
    }

    pub(super) fn mode(metadata: &Metadata) -> u32 {
        metadata.mode() & 0o777
    }

    pub(super) fn set_mode(builder: &mut tempfile::Builder<'_, '_>, mode: u32) {
        builder.permissions(Permissions::from_mode(mode));
    }
}

#[cfg(windows)]
mod system {
    use std::fs::{File, Metadata};
    use std::io::{self, IsTerminal};
    use std::os::windows::fs::FileExt;
    pub(super) use std::os::windows::io::AsHandle as Stream;
    use std::path::Path;

    use same_file::Handle;

    /// Volume and index of a file, as long as it is open.
    pub(super) type Id = Handle;

    /// What a read behind the end of a file is answered with.
    const ERROR_HANDLE_EOF: i32 = 38;

    pub(super) fn id_of(file: &File) -> io::Result<Id> {
        file.try_clone().and_then(Handle::from_file)
    }

    pub(super) fn id_at(path: &Path) -> io::Result<Id> {
        Handle::from_path(path)
    }

    pub(super) fn duplicate(stream: &impl Stream) -> io::Result<File> {
        stream.as_handle().try_clone_to_owned().map(File::from)
    }

    pub(super) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
        match file.seek_read(out, at) {
            Err(error) if error.raw_os_error() == Some(ERROR_HANDLE_EOF) => Ok(0),
            read => read,
        }
    }

    pub(super) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        file.seek_write(bytes, at)
    }

    /// The system tells nothing of a pipe but that it is no terminal.
    pub(super) fn holds_bytes(stream: &File) -> bool {
        !stream.is_terminal()
    }

    /// Permissions come from a file's directory.
    pub(super) fn mode(_: &Metadata) -> u32 {
        0o666
    }

    pub(super) fn set_mode(_: &mut tempfile::Builder<'_, '_>, _: u32) {}
}

/// Which file it is: equal for all names of a file, and for all that have it open.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity(system::Id);

impl Identity {
    /// Of a file that is open; `None` of what is no file, such as a pipe.
    #[must_use]
    pub fn of(file: &File) -> Option<Self> {
        file.metadata().ok().filter(Metadata::is_file)?;
        system::id_of(file).ok().map(Self)
    }

    /// Of the file that has this name; `None` where there is none.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        path.metadata().ok().filter(Metadata::is_file)?;
        system::id_at(path).ok().map(Self)
    }
}

/// A standard stream as a file, whose bytes nothing changes or keeps back.
///
/// # Errors
/// The system gives out no more open files.
pub fn duplicate(stream: &impl Stream) -> io::Result<File> {
    system::duplicate(stream)
}

/// True of a stream that somebody may have put a dump into: a file or a pipe, no terminal and no device.
#[must_use]
pub fn holds_bytes(stream: &File) -> bool {
    system::holds_bytes(stream)
}

/// Reads from a place of a file, at most as much as `out` holds. On Windows this moves the file's own position.
///
/// # Errors
/// Those of the system.
pub fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    system::read_at(file, out, at)
}

/// Fills `out` from a place of a file.
///
/// # Errors
/// Those of the system; [`io::ErrorKind::UnexpectedEof`] where the file ends before.
pub fn read_exact_at(file: &File, mut out: &mut [u8], mut at: u64) -> io::Result<()> {
    while !out.is_empty() {
        match read_at(file, out, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                out = out.get_mut(read..).unwrap_or_default();
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes` at a place of a file.
///
/// # Errors
/// Those of the system.
pub fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match system::write_at(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                at += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Who may read, write and start a file, as Unix counts it.
#[must_use]
pub fn mode(metadata: &Metadata) -> u32 {
    system::mode(metadata)
}

/// Has a temporary file created with these permissions, where the system has such.
pub fn set_mode(builder: &mut tempfile::Builder<'_, '_>, mode: u32) {
    system::set_mode(builder, mode);
}
