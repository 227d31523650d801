//! Compiles the `.proto` files with protox, so that no protoc is needed.

use std::{env, error::Error, path::PathBuf};

const FILES: [&str; 12] = [
    "grok2api/admin/v1/admin.proto",
    "grok2api/capture/v1/capture.proto",
    "grok2api/chat/v1/chat.proto",
    "grok2api/config/v1/config.proto",
    "grok2api/idempotency/v1/idempotency.proto",
    "grok2api/ledger/v1/ledger.proto",
    "grok2api/keys/v1/keys.proto",
    "grok2api/live/v1/live.proto",
    "grok2api/media/v1/media.proto",
    "grok2api/pool/v1/pool.proto",
    "grok2api/response/v1/response.proto",
    "grok2api/video/v1/video.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=grok2api");
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(FILES)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .bytes(".")
        .type_attribute(
            ".grok2api.config.v1.RuntimeConfig",
            "#[derive(serde::Serialize, serde::Deserialize)] #[serde(deny_unknown_fields)]",
        )
        .type_attribute(".grok2api.chat.v1.Attempts", "#[derive(Eq)]")
        .skip_debug([
            ".grok2api.capture.v1.Body",
            ".grok2api.pool.v1.AccountFilter",
            ".grok2api.pool.v1.LeaseGrant",
            ".grok2api.pool.v1.NewAccount",
            ".grok2api.pool.v1.RemoveAccountsRequest",
            ".grok2api.pool.v1.ClearAccountsRequest",
            ".grok2api.pool.v1.ChangeAccountsRequest",
            ".grok2api.pool.v1.ImportAccountsRequest",
            ".grok2api.pool.v1.ExportAccountsRequest",
            ".grok2api.pool.v1.ExportedAccount",
            ".grok2api.pool.v1.RefreshAccountsRequest",
            ".grok2api.media.v1.FetchRequest",
            ".grok2api.config.v1.RuntimeConfig",
            ".grok2api.config.v1.UpdateRequest",
            ".grok2api.keys.v1.CreateResponse",
            ".grok2api.idempotency.v1.Recorded",
            ".grok2api.response.v1.Response",
            ".grok2api.admin.v1.LoginRequest",
            ".grok2api.admin.v1.LoginResponse",
            ".grok2api.admin.v1.ChangePasswordRequest",
            ".grok2api.admin.v1.CreateRequest",
            ".grok2api.admin.v1.UpdateRequest",
        ])
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
