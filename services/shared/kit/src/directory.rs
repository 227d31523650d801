//! Directories that the product makes.

use std::{fs::DirBuilder, io, os::unix::fs::DirBuilderExt as _, path::Path};

/// Makes the directory and those above it where they are missing, for this user only: what lies there is nobody else's.
/// A directory that is there keeps its mode.
///
/// # Errors
/// What the file system says.
pub fn private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::private;

    #[test]
    fn what_is_made_is_private_and_what_was_there_stays_as_it_was() {
        let there = tempfile::tempdir().unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(there.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let made = there.path().join("a/b");
        private(&made).unwrap();
        private(&made).unwrap();
        assert_eq!(
            (mode(there.path()), mode(made.parent().unwrap()), mode(made.as_path())),
            (0o755, 0o700, 0o700)
        );
    }
}
