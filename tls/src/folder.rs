//! Files that nobody else may read, written whole or not at all.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use tempfile::TempDir;

/// Of a folder: only its owner may look into it.
const FOLDER_MODE: u32 = 0o700;
/// Of a folder around one: others may go through it.
const PASSABLE_MODE: u32 = 0o711;
/// Of a file: only its owner may read it.
const FILE_MODE: u32 = 0o600;

/// Makes the folder if it is not there, closed to others. One that is there stays as it is: it may be of others, too.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_passable(parent)?;
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Ok(()) => sync(parent),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a folder in it that is closed to others, to be moved to its place when it is whole.
pub(crate) fn make_part(parent: &Path, prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(FOLDER_MODE))
        .tempdir_in(parent)
}

/// Makes a folder around it that is not there, whatever the umask: a database of another user may come to lie beside it.
fn make_passable(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_passable(parent)?;
    match fs::create_dir(folder) {
        Ok(()) => {
            fs::set_permissions(folder, Permissions::from_mode(PASSABLE_MODE)).and_then(|()| sync(parent))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts a file there, in place of the one that is there; whoever reads meanwhile reads one of the two. On the disk when this returns.
pub(crate) fn write(folder: &Path, name: &str, contents: &[u8]) -> io::Result<()> {
    let mut part = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(folder)?;
    part.write_all(contents)?;
    part.as_file().sync_all()?;
    part.persist(folder.join(name)).map_err(|error| error.error)?;
    sync(folder)
}

/// Brings the names in a folder to the disk.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Closes a key to others that was copied here with other rights.
pub(crate) fn close(file: &Path) -> io::Result<()> {
    if fs::metadata(file)?.permissions().mode() & 0o777 != FILE_MODE {
        fs::set_permissions(file, Permissions::from_mode(FILE_MODE))?;
    }
    Ok(())
}
