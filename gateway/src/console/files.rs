//! The console's files, as `build.rs` found them.

/// One file of the console.
pub(super) struct File {
    /// Relative to `/manage/`.
    pub(super) name: &'static str,
    /// Strong validator, with its quotes.
    pub(super) tag: &'static str,
    pub(super) plain: &'static [u8],
    /// The same, packed; only text is.
    pub(super) br: Option<&'static [u8]>,
    pub(super) gzip: Option<&'static [u8]>,
}

impl File {
    pub(super) fn content_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "woff2" => "font/woff2",
            "json" => "application/json",
            "md" | "txt" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

/// In the order of their names; empty when the console was not built.
pub(super) static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/console_files.rs"));
