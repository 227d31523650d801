//! How many connections the process has files for.

const LIMITS: &str = "/proc/self/limits";

/// At most `wanted`, and at most half of the files that may be open: each request may need one more to the upstream.
pub(super) fn connections(wanted: usize) -> usize {
    let files = std::fs::read_to_string(LIMITS).ok().and_then(|text| soft(&text));
    let most = files.map_or(wanted, |files| (files / 2).clamp(1, wanted));
    if most < wanted {
        tracing::warn!(
            "http.max_connections: {most} instead of {wanted}, since the process may open only {} files (ulimit -n)",
            files.unwrap_or_default()
        );
    }
    most
}

/// The limit in force, of a text such as `Max open files  1024  4096  files`.
fn soft(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_in_force_is_the_first_number() {
        let text =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024     524288   files\n";
        assert_eq!(soft(text), Some(1024));
        assert_eq!(soft("Max open files  unlimited unlimited files"), None);
        assert_eq!(soft(""), None);
    }

    #[test]
    fn no_more_is_taken_than_is_wanted() {
        assert_eq!(connections(1), 1);
        assert!(connections(usize::MAX) >= 1);
    }
}
