//! One test, three ways to reach the service.

/// Makes a module per function, with a test per way to reach the service.
macro_rules! three_ways {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[rstest::rstest]
            #[case::direct(grok2api_testkit::Reach::Direct)]
            #[case::wired(grok2api_testkit::Reach::Wired)]
            #[case::tcp(grok2api_testkit::Reach::Tcp)]
            #[tokio::test]
            async fn by(#[case] how: grok2api_testkit::Reach) {
                super::$name(&crate::support::Started::reached(how).await).await;
            }
        }
    )* };
}
