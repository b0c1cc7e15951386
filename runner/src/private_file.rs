//! Whether a folder and the files in it are ours: nobody else can put something in their place, read them, or have us
//! write through them to somewhere else.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::Error;
use crate::human;

/// The files of a run; a directory is one of ours where it has the first.
const FILES: [&str; 7] = [
    "journal.jsonl",
    "plan.json",
    "plan.json.new",
    "log.jsonl",
    "report.json",
    "report.html",
    "announced.json",
];

/// Opens a file of ours to add to it; a new one is for its owner alone.
///
/// # Errors
/// When it is a link or anything but a plain file, belongs to somebody else, or cannot be opened.
pub(crate) fn append(path: &Path) -> Result<File, Error> {
    open(path, OpenOptions::new().create(true).append(true))
}

/// Opens a file of ours to read it.
///
/// # Errors
/// As [`append`].
pub(crate) fn read(path: &Path) -> Result<File, Error> {
    open(path, OpenOptions::new().read(true))
}

/// Makes a new file of ours; one that a killed process left is removed.
///
/// # Errors
/// As [`append`].
pub(crate) fn create(path: &Path) -> Result<File, Error> {
    // A link itself goes, not what it leads to.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { what: format!("replace {}", path.display()), error })
        }
        _ => open(path, OpenOptions::new().create_new(true).write(true)),
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> Result<File, Error> {
    let failed = |error| Error::File { what: format!("open {}", path.display()), error };
    let no_link = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let opened = options.mode(0o600).custom_flags(no_link.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        // ELOOP for a link, ENXIO for a pipe that nobody reads: the words are those of a look at it.
        Err(error) => return Err(look(path).err().unwrap_or_else(|| failed(error))),
    };
    let about = file.metadata().map_err(failed)?;
    plain(path, &about)?;
    if about.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(file)
}

fn refused(what: String, next: impl IntoIterator<Item = String>) -> Error {
    Error::Refused { what, next: next.into_iter().collect() }
}

const ANOTHER: &str = "or name another directory with --work-dir";

/// Refuses what is no plain file of ours.
fn plain(path: &Path, about: &Metadata) -> Result<(), Error> {
    let shown = path.display();
    let remove = || format!("look at it, and remove it if it is nothing of yours: ls -l {}", word(path));
    if about.file_type().is_symlink() {
        let to = std::fs::read_link(path).unwrap_or_default();
        return Err(refused(
            format!(
                "{shown} is a symbolic link (to {}): the files of a work directory are files",
                to.display()
            ),
            [remove(), ANOTHER.to_owned()],
        ));
    }
    if !about.is_file() {
        return Err(refused(format!("{shown} is no plain file"), [remove(), ANOTHER.to_owned()]));
    }
    if about.uid() != uid() {
        return Err(refused(
            format!("{shown} belongs to user {}, not to you ({})", about.uid(), uid()),
            [remove(), ANOTHER.to_owned()],
        ));
    }
    Ok(())
}

fn look(path: &Path) -> Result<(), Error> {
    match std::fs::symlink_metadata(path) {
        Ok(about) => plain(path, &about),
        Err(_) => Ok(()),
    }
}

/// The effective user.
pub(crate) fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A path as a word of a command.
pub(crate) fn word(path: &Path) -> String {
    tsmigrate_analyzer::quote::shell_file(&path.to_string_lossy())
}

/// Looks at the folder, what is in it, and those above it. True where it exists.
///
/// # Errors
/// When it is not ours, or somebody else could change it.
pub(crate) fn directory(path: &Path) -> Result<bool, Error> {
    let failed = |error| Error::File { what: format!("look at {}", path.display()), error };
    // Without a slash at its end, for behind one a link is followed.
    let path: PathBuf = path.components().collect();
    above(&path)?;
    let about = match std::fs::symlink_metadata(&path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    let shown = path.display();
    if about.file_type().is_symlink() {
        let to = std::fs::read_link(&path).unwrap_or_default();
        return Err(refused(
            format!("the work directory {shown} is a symbolic link (to {})", to.display()),
            ["name the directory itself with --work-dir".to_owned()],
        ));
    }
    if !about.is_dir() {
        return Err(refused(
            format!("the work directory {shown} is no directory"),
            ["name another one with --work-dir".to_owned()],
        ));
    }
    if about.uid() != uid() {
        return Err(refused(
            format!("the work directory {shown} belongs to user {}, not to you ({})", about.uid(), uid()),
            ["name another one with --work-dir".to_owned()],
        ));
    }
    let mode = about.permissions().mode();
    if mode & 0o022 != 0 {
        // One with the sticky bit, such as /tmp, is everybody's.
        let next = if mode & 0o1000 == 0 {
            vec![format!("look at what is in it, then: chmod 700 {}", word(&path)), ANOTHER.to_owned()]
        } else {
            vec!["name another directory with --work-dir".to_owned()]
        };
        return Err(refused(
            format!("others can write into the work directory {shown} (its mode is {:04o})", mode & 0o7777),
            next,
        ));
    }
    contents(&path)?;
    Ok(true)
}

/// The files of a run, or nothing.
fn contents(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::File { what: format!("look into {}", path.display()), error };
    let mut others = Vec::new();
    let mut is_run = false;
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        is_run |= name == FILES[0];
        if FILES.contains(&name.as_ref()) {
            look(&path.join(name.as_ref()))?;
        } else {
            others.push(name.into_owned());
        }
    }
    // Beside a run's journal a person may keep what they like.
    if is_run || others.is_empty() {
        return Ok(());
    }
    others.sort();
    Err(refused(
        format!(
            "the work directory {} has files that are of no run of tsmigrate: {}",
            path.display(),
            human::first(&others, 3)
        ),
        ["name an empty directory, or one that does not exist, with --work-dir".to_owned()],
    ))
}

/// The folders on the way, links in it followed one by one: who can write into one of them, or owns it, can put another
/// folder in the place of ours. Where only the owner of an entry may rename it (the sticky bit, as in /tmp), others cannot.
fn above(path: &Path) -> Result<(), Error> {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let Some(parent) = whole.parent() else { return Ok(()) };
    let mut at = PathBuf::from("/");
    folder(&at, path)?;
    let mut steps: Vec<OsString> = names(parent);
    let mut links = 0;
    while let Some(step) = steps.pop() {
        if step == ".." {
            at.pop();
            continue;
        }
        let next = at.join(step);
        // What is missing will be ours.
        let Ok(about) = std::fs::symlink_metadata(&next) else { break };
        if !about.file_type().is_symlink() {
            at = next;
            folder(&at, path)?;
            continue;
        }
        links += 1;
        let to = std::fs::read_link(&next).unwrap_or_default();
        if !trusted(about.uid()) || links > LINKS {
            return Err(refused(
                format!(
                    "{} on the way to the work directory is a symbolic link of user {} (to {})",
                    next.display(),
                    about.uid(),
                    to.display()
                ),
                ["name a directory with --work-dir that no link of others leads to".to_owned()],
            ));
        }
        if to.is_absolute() {
            at = PathBuf::from("/");
        }
        steps.extend(names(&to));
    }
    Ok(())
}

/// So many links are followed, as Linux does.
const LINKS: u32 = 40;

/// The names of a path, the last first.
fn names(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

/// Us, root, and who owns the root folder, which is another number where root has none (in a container without it).
fn trusted(owner: u32) -> bool {
    [0, uid()].contains(&owner) || std::fs::metadata("/").is_ok_and(|root| root.uid() == owner)
}

/// Refuses a folder on the way to `path` that somebody else can change.
fn folder(folder: &Path, path: &Path) -> Result<(), Error> {
    let Ok(about) = std::fs::symlink_metadata(folder) else { return Ok(()) };
    if !trusted(about.uid()) {
        return Err(refused(
            format!(
                "{} belongs to user {}, who can put another directory in the place of {}",
                folder.display(),
                about.uid(),
                path.display()
            ),
            ["name a directory with --work-dir that lies in folders of yours or of root's".to_owned()],
        ));
    }
    let mode = about.permissions().mode();
    let open = mode & 0o002 != 0 || mode & 0o020 != 0 && !is_private_group(about.gid());
    if open && mode & 0o1000 == 0 {
        return Err(refused(
            format!(
                "others can write into {} (its mode is {:04o}), and so put another directory in the place of {}",
                folder.display(),
                mode & 0o7777,
                path.display()
            ),
            [
                format!("chmod go-w {}", word(folder)),
                "or name a directory with --work-dir that only you can reach".to_owned(),
            ],
        ));
    }
    Ok(())
}

/// A group of one's own, as many systems give everybody: it has the number and the name of its user.
fn is_private_group(gid: u32) -> bool {
    let uid = uid();
    if uid == 0 || gid != rustix::process::getegid().as_raw() {
        return false;
    }
    let name_of = |file: &str, number: u32, field: usize| {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.split(':').nth(2) == Some(number.to_string().as_str()))?;
        Some((line.split(':').next()?.to_owned(), line.split(':').nth(field).unwrap_or_default().to_owned()))
    };
    let (Some((user, _)), Some((group, members))) =
        (name_of("/etc/passwd", uid, 0), name_of("/etc/group", gid, 3))
    else {
        return false;
    };
    user == group && members.split(',').all(|member| member.is_empty() || member == user)
}
