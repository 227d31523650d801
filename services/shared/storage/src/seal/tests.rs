use std::{fs, os::unix::fs::PermissionsExt as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

fn settings(key: &str, key_file: &str) -> settings::Seal {
    settings::Seal { key: key.into(), key_file: key_file.into(), old_keys: String::new() }
}

#[test]
fn what_is_sealed_opens_and_never_looks_the_same_twice() {
    let sealer = Sealer::new([7; 32]);
    let (first, second) = (sealer.seal(b"row", b"secret").unwrap(), sealer.seal(b"row", b"secret").unwrap());
    assert_ne!(first, second);
    assert_eq!(sealer.open(b"row", &first).unwrap(), b"secret");
    assert!(!first.windows(6).any(|part| part == b"secret"));
}

#[test]
fn a_wrong_key_is_named() {
    let sealed = Sealer::new([1; 32]).seal(b"row", b"secret").unwrap();
    let error = Sealer::new([2; 32]).open(b"row", &sealed).unwrap_err().to_string();
    assert!(error.contains("sealed with key") && error.contains("seal.key"), "{error}");
}

#[test]
fn any_changed_or_missing_byte_is_noticed() {
    let sealer = Sealer::new([1; 32]);
    let sealed = sealer.seal(b"row", b"secret").unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(sealer.open(b"row", &changed).is_err(), "byte {at}");
        assert!(sealer.open(b"row", &sealed[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_value_moved_to_another_row_does_not_open() {
    let sealer = Sealer::new([1; 32]);
    let sealed = sealer.seal(b"row one", b"secret").unwrap();
    assert!(sealer.open(b"row two", &sealed).is_err());
}

#[test]
fn the_settings_win_over_the_file_and_the_file_over_the_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    fs::write(&file, format!("{}\n", BASE64_STANDARD.encode([2; 32]))).unwrap();
    let file = file.to_str().unwrap();
    let both = Sealer::load(&settings(&BASE64_STANDARD.encode([1; 32]), file), dir.path()).unwrap();
    assert_eq!(both.current(), Sealer::new([1; 32]).current());
    assert_eq!(
        Sealer::load(&settings("", file), dir.path()).unwrap().current(),
        Sealer::new([2; 32]).current()
    );
    assert!(!dir.path().join(source::KEY_FILE).exists());
}

#[test]
fn a_made_key_stays_and_is_readable_by_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let made = Sealer::load(&settings("", ""), &data).unwrap();
    assert_eq!(made.current(), Sealer::load(&settings("", ""), &data).unwrap().current());
    let mode = fs::metadata(data.join(source::KEY_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_bad_key_is_refused_without_being_shown() {
    let error = Sealer::load(&settings("not-a-key", ""), Path::new("/")).unwrap_err().to_string();
    assert!(error.starts_with("seal.key:") && !error.contains("not-a-key"), "{error}");
    let error = Sealer::load(&settings("", "/nowhere/key"), Path::new("/")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/key"), "{error}");
}

#[test]
fn a_new_key_comes_first_and_the_old_ones_still_open() {
    let dir = tempfile::tempdir().unwrap();
    let sealer = Sealer::load(&settings("", ""), dir.path()).unwrap();
    let sealed = sealer.seal(b"row", b"secret").unwrap();
    let old = sealer.current();
    let new = sealer.make_key().unwrap().unwrap();
    assert_eq!(sealer.keys(), [new, old]);
    assert_eq!(sealer.open(b"row", &sealed).unwrap(), b"secret");
    let fresh = sealer.rewrap(b"row", &sealed).unwrap().unwrap();
    assert_eq!((KeyId::of(&fresh), sealer.rewrap(b"row", &fresh).unwrap()), (Some(new), None));
    assert_eq!(Sealer::load(&settings("", ""), dir.path()).unwrap().keys(), [new, old]);
    let mode = fs::metadata(dir.path().join(source::KEY_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!dir.path().join("master.key.draft").exists());
}

#[test]
fn of_two_who_make_a_key_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let load = || Sealer::load(&settings("", ""), dir.path()).unwrap();
    let (one, other) = (load(), load());
    one.make_key().unwrap().unwrap();
    let text = other.make_key().unwrap_err().to_string();
    assert!(text.contains("somebody else"), "{text}");
    assert_eq!(load().keys(), one.keys());
}

#[test]
fn old_keys_of_the_settings_open_and_never_seal() {
    let keys = [1, 2, 3].map(|byte| BASE64_STANDARD.encode([byte; 32]));
    let mut given = settings(&keys[0], "");
    given.old_keys = format!("{}, {}", keys[1], keys[2]);
    let sealer = Sealer::load(&given, Path::new("/")).unwrap();
    for byte in [1, 2, 3] {
        let sealed = Sealer::new([byte; 32]).seal(b"row", b"secret").unwrap();
        assert_eq!(sealer.open(b"row", &sealed).unwrap(), b"secret");
    }
    assert_eq!(sealer.current(), Sealer::new([1; 32]).current());
    assert_eq!(sealer.make_key().unwrap(), None, "the settings' key is not ours to change");
    given.old_keys = "nonsense".to_owned();
    let text = Sealer::load(&given, Path::new("/")).unwrap_err().to_string();
    assert!(text.starts_with("seal.old_keys:") && !text.contains("nonsense"), "{text}");
}

/// All of them meet the new key at once: one reads the file, and the others must not give up meanwhile.
#[test]
fn those_who_wait_while_the_keys_are_read_again_try_them() {
    const OPENERS: usize = 16;
    let dir = tempfile::tempdir().unwrap();
    let running = Sealer::load(&settings("", ""), dir.path()).unwrap();
    let other = Sealer::load(&settings("", ""), dir.path()).unwrap();
    other.make_key().unwrap().unwrap();
    let sealed = other.seal(b"row", b"secret").unwrap();
    // So many keys that reading them takes a while.
    let file = dir.path().join(source::KEY_FILE);
    let more = (0..20_000_u32).map(|number| {
        let mut key = [1; KEY_BYTES];
        key[..4].copy_from_slice(&number.to_le_bytes());
        BASE64_STANDARD.encode(key) + "\n"
    });
    let text = fs::read_to_string(&file).unwrap() + &more.collect::<String>();
    fs::write(&file, text).unwrap();
    // As if they had not been looked for a while.
    *running.0.looked.lock() = Instant::now().checked_sub(LOOK).unwrap();
    let together = std::sync::Barrier::new(OPENERS);
    std::thread::scope(|scope| {
        let open = || {
            together.wait();
            running.open(b"row", &sealed).map_err(|error| error.to_string())
        };
        let openers: Vec<_> = (0..OPENERS).map(|_| scope.spawn(open)).collect();
        for opener in openers {
            assert_eq!(opener.join().unwrap().as_deref(), Ok(&b"secret"[..]));
        }
    });
}
