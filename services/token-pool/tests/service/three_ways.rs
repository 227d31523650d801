//! One test, three ways to reach the service, every store, and its hot state in memory and in Redis.

/// Makes a module per function, with a test per way to reach the service.
macro_rules! three_ways {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[rstest::rstest]
            #[case::direct(grok2api_testkit::Ground::Direct, false)]
            #[case::wired(grok2api_testkit::Ground::Wired, false)]
            #[case::tcp(grok2api_testkit::Ground::Tcp, false)]
            #[case::redis(grok2api_testkit::Ground::Direct, true)]
            #[case::tcp_mariadb(grok2api_testkit::Ground::TcpMariaDb, true)]
            #[case::tcp_redis(grok2api_testkit::Ground::TcpRedis, true)]
            #[tokio::test]
            async fn by(#[case] ground: grok2api_testkit::Ground, #[case] redis: bool) {
                super::$name(&crate::support::Started::reached(ground, redis).await).await;
            }
        }
    )* };
}
