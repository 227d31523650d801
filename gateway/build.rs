//! Writes down the console's files, so that they are built into the program. They come from `npm run build` in
//! `admin-web`; without them the program is built all the same, with a page that says so.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let dist = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../admin-web/dist");
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    if dist.is_dir() {
        println!("cargo:rerun-if-changed={}", dist.display());
        collect(&dist, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&dist)?.to_str().ok_or("a file's name is not UTF-8")?.replace('\\', "/");
        let content = fs::read(file)?;
        let (br, gzip) = (packed(file, "br"), packed(file, "gz"));
        let tag = format!("\"{:016x}\"", fingerprint(&content));
        writeln!(
            table,
            "    File {{ name: {name:?}, tag: {tag:?}, plain: include_bytes!({file:?}), br: {br}, gzip: {gzip} }},"
        )?;
    }
    table.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("console_files.rs"), table)?;
    Ok(())
}

/// Everything below but what is hidden, and the packed twins, which stand beside their files.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') || name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn packed(file: &Path, ending: &str) -> String {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    let twin = PathBuf::from(name);
    if twin.is_file() { format!("Some(include_bytes!({twin:?}))") } else { "None".into() }
}

/// FNV-1a: tells versions of a file apart, nothing more.
fn fingerprint(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
