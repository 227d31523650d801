//! A configuration for tests.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use grok2api_kit::runtime::Runtime;
use grok2api_proto::{
    Error, Result, Stream,
    config::{
        Config, GetRequest, ListParametersRequest, ListParametersResponse, Revision, RuntimeConfig,
        UpdateRequest, WatchRequest,
    },
};

/// The parameters at values that suit tests: no proxy, short timeouts, caches of a megabyte.
pub fn runtime_config() -> RuntimeConfig {
    RuntimeConfig {
        admin_username: "admin".into(),
        admin_password: "admin".into(),
        log_level: "INFO".into(),
        image_mode: "url".into(),
        image_cache_max_size_mb: 1,
        video_cache_max_size_mb: 1,
        stream_chunk_timeout: 5,
        stream_first_response_timeout: 5,
        stream_total_timeout: 20,
        filtered_tags: "xaiartifact,xai:tool_usage_card,grok:render".into(),
        temporary: true,
        user_agent: "Mozilla/5.0 (test)".into(),
        thinking_mode: "reasoning_content".into(),
        max_attempts: 3,
        account_concurrency: 8,
        disable_memory: true,
        ..Default::default()
    }
}

/// A config service whose only revision never changes.
pub struct FixedConfig(pub RuntimeConfig);

impl FixedConfig {
    /// What a service holds of it.
    pub fn runtime(config: RuntimeConfig) -> Runtime {
        Runtime::fixed(config)
    }

    fn revision(&self) -> Revision {
        Revision { number: 0, config: Some(self.0.clone()), author: "test".into(), created_at: 0 }
    }
}

#[tonic::async_trait]
impl Config for FixedConfig {
    async fn get(&self, _: GetRequest) -> Result<Revision> {
        Ok(self.revision())
    }

    async fn update(&self, _: UpdateRequest) -> Result<Revision> {
        Err(Error::internal("this configuration never changes"))
    }

    async fn watch(&self, _: WatchRequest) -> Result<Stream<Revision>> {
        Ok(stream::iter([Ok(self.revision())]).chain(stream::pending()).boxed())
    }

    async fn list_parameters(&self, _: ListParametersRequest) -> Result<ListParametersResponse> {
        Ok(ListParametersResponse::default())
    }
}

impl From<RuntimeConfig> for FixedConfig {
    fn from(config: RuntimeConfig) -> Self {
        Self(config)
    }
}

impl FixedConfig {
    /// As the trait object that callers hold.
    pub fn shared(config: RuntimeConfig) -> Arc<dyn Config> {
        Arc::new(Self(config))
    }
}
