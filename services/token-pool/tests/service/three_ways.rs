//! One test, three ways to reach the service, and its hot state in memory and in Redis.

/// Makes a module per function, with a test per way to reach the service.
macro_rules! three_ways {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[rstest::rstest]
            #[case::direct(grok2api_testkit::Reach::Direct, false)]
            #[case::wired(grok2api_testkit::Reach::Wired, false)]
            #[case::tcp(grok2api_testkit::Reach::Tcp, false)]
            #[case::redis(grok2api_testkit::Reach::Direct, true)]
            #[case::tcp_redis(grok2api_testkit::Reach::Tcp, true)]
            #[tokio::test]
            async fn by(#[case] how: grok2api_testkit::Reach, #[case] redis: bool) {
                super::$name(&crate::support::Started::reached(how, redis).await).await;
            }
        }
    )* };
}
