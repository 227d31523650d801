//! A disk of its own for a test, so small that it can be filled, and which can fail: a real ext4 in a file.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// What files are filled with, and how much of it at once: a block of the file system.
const BLOCK: [u8; 4096] = [7; 4096];

/// A mounted file system, taken away when it is dropped.
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// Makes and mounts one of that many megabytes.
    pub fn mount(megabytes: u64) -> Self {
        let disk = Self { dir: tempfile::tempdir().expect("a temporary directory") };
        let image = File::create(disk.image()).expect("a file");
        image.set_len(megabytes << 20).expect("its length");
        fs::create_dir(disk.path()).expect("a directory");
        // Nothing is kept for root, and no journal holds room back.
        privileged(&format!("mkfs.ext4 -q -F -m 0 -O ^has_journal {}", disk.image().display()));
        disk.attach("rw");
        privileged(&format!("chown {} {}", owner(disk.dir.path()), disk.path().display()));
        disk
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.ballast()).expect("a file");
        let full = loop {
            while file.write_all(&BLOCK).is_ok() {}
            // What was reserved to be written late comes free when it is.
            file.sync_all().expect("what was taken is there");
            if let Err(full) = file.write_all(&BLOCK) {
                break full;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }

    /// Gives the room back.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    /// As a disk with a fault: nothing can be written from now on, by whoever has files open either.
    pub fn fail(&self) {
        let point = self.path();
        privileged(&format!(
            "echo 1 > /sys/fs/ext4/$(basename $(findmnt -no SOURCE {}))/trigger_fs_error",
            point.display()
        ));
        File::create(point.join("probe")).expect_err("it cannot be written");
    }

    /// Runs a shell line where nothing but this disk can be written, as in a container with a read-only root.
    pub fn alone(&self, line: &str) -> Command {
        // Some of these may be no mounts of their own.
        let rest =
            "for place in /tmp /var/tmp /dev/shm; do mount -o remount,bind,ro $place 2>/dev/null; done";
        as_root(&format!("unshare --mount sh -c 'mount -o remount,bind,ro / && {{ {rest}; exec {line}; }}'"))
    }

    /// Checks it and mounts it again, to be written or not. Nobody may have a file open.
    pub fn mount_again(&self, writable: bool) {
        privileged(&format!("umount {}", self.path().display()));
        // 1 stands for faults that were mended.
        privileged(&format!("e2fsck -fy {} > /dev/null 2>&1 || test $? = 1", self.image().display()));
        self.attach(if writable { "rw" } else { "ro" });
    }

    fn attach(&self, how: &str) {
        let (image, point) = (self.image(), self.path());
        privileged(&format!("mount -o loop,{how},errors=remount-ro {} {}", image.display(), point.display()));
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file there keeps it until he ends.
        as_root(&format!("umount -l {}", self.path().display())).status().ok();
    }
}

/// Runs what only root may; a machine where that cannot be had cannot run the test.
fn privileged(script: &str) {
    let output = as_root(script).output().expect("sh, or sudo");
    assert!(
        output.status.success(),
        "{script}: {}\nthis test mounts a small disk: run it as root, or as one whom sudo asks for no password",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn as_root(script: &str) -> Command {
    let root = owner(Path::new("/proc/self")) == 0;
    let mut command = Command::new(if root { "sh" } else { "sudo" });
    if !root {
        command.args(["-n", "sh"]);
    }
    command.args(["-c", script]);
    command
}

fn owner(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").uid()
}
