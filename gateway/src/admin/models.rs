//! The models, for pickers.

use axum::{Json, extract::State};
use grok2api_proto::chat::ListModelsRequest;
use serde_json::{Value, json};

use super::Console;
use crate::openai::error::Failure;

pub(super) async fn list(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let models = console.deps.chat.list_models(ListModelsRequest {}).await?.models;
    let items = models.into_iter().map(|model| {
        json!({
            "id": model.id,
            "display_name": model.display_name,
            "description": model.description,
            "video": model.video,
            "class": model.class,
            "cost": model.cost,
            "minimum_tier": model.minimum_tier,
        })
    });
    Ok(Json(json!({"items": items.collect::<Vec<_>>()})))
}
