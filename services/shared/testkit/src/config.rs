//! A configuration for tests.

use grok2api_proto::config::RuntimeConfig;

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
        capacity_wait_ms: 500,
        quota_readings_per_minute: 60,
        resting_share_percent: 50,
        disable_memory: true,
        usage_retention_days: 90,
        usage_max_rows: 10_000_000,
        capture_max_body_kb: 4,
        capture_retention_hours: 24,
        capture_max_size_mb: 1,
        link_hours: 24,
        response_retention_hours: 24,
        response_max_size_mb: 1,
        ..Default::default()
    }
}
