//! Addresses of peers as an operator writes them.

use std::{net::SocketAddr, str::FromStr};

use http::Uri;

/// Where the replicas of a role are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `http://host:port[,http://host:port…]`: each of them is a replica.
    Listed(Vec<Uri>),
    /// `dns://host:port`: every address of that name is one.
    Named {
        /// What is looked up.
        host: String,
        /// The port of every replica.
        port: u16,
    },
}

impl Address {
    /// Whether calls go to these addresses encrypted; nothing for a name, which does not say.
    pub(super) fn is_https(&self) -> Option<bool> {
        match self {
            Self::Listed(uris) => uris.first().map(|uri| uri.scheme_str() == Some("https")),
            Self::Named { .. } => None,
        }
    }
}

/// The address of one replica that a name stands for.
pub(super) fn replica(scheme: &str, at: SocketAddr) -> Option<Uri> {
    format!("{scheme}://{at}").parse().ok()
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("dns://") {
            let (host, port) = name.trim_end_matches('/').rsplit_once(':').ok_or("the port is missing")?;
            let port = port.parse().map_err(|_| format!("{port:?} is not a port"))?;
            let plain = !host.is_empty() && !host.contains(['/', ',', ':', '[']);
            return if plain { Ok(Self::Named { host: host.to_owned(), port }) } else { Err(wrong(text)) };
        }
        let uris: Vec<Uri> = text.split(',').map(|one| listed(one.trim())).collect::<Result<_, _>>()?;
        let mixed = uris.iter().any(|uri| uri.scheme() != uris[0].scheme());
        if mixed {
            Err(format!("{text:?}: either all are https, or none is"))
        } else {
            Ok(Self::Listed(uris))
        }
    }
}

fn listed(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| wrong(text))?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
    if known && bare && uri.port_u16().is_some() { Ok(uri) } else { Err(wrong(text)) }
}

fn wrong(text: &str) -> String {
    format!(
        "{text:?} is not of the form http://host:port, dns://host:port or a list of the first with commas"
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://chat:50051", 1)]
    #[case("https://chat:50051/", 1)]
    #[case("http://10.0.0.1:1, http://[::1]:2", 2)]
    fn lists_are_read(#[case] text: &str, #[case] count: usize) {
        let Ok(Address::Listed(uris)) = text.parse() else { panic!("{text}") };
        assert_eq!(uris.len(), count);
    }

    #[test]
    fn names_are_read() {
        let named = Address::Named { host: "chat.ns.svc".into(), port: 50051 };
        assert_eq!("dns://chat.ns.svc:50051".parse(), Ok(named));
    }

    #[rstest]
    fn the_rest_is_refused(
        #[values(
            "chat",
            "http://chat",
            "dns://chat",
            "dns://:1",
            "dns://chat:port",
            "dns://a:1,dns://b:2",
            "http://a:1,dns://b:2",
            "http://a:1,",
            "http://a:1,https://b:1",
            "http://a:1/path",
            "ftp://a:1"
        )]
        text: &str,
    ) {
        assert!(text.parse::<Address>().is_err());
    }
}
