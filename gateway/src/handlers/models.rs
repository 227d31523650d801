//! `GET /v1/models`, `GET /v1/models/{id}`.

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::PathRejection},
};
use grok2api_proto::{
    Error, Kind,
    chat::{ListModelsRequest, Model},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Caller, Deps,
    openai::error::Failure,
    openapi::{AllFailures, Answers, words},
};

#[derive(Serialize, ToSchema)]
#[schema(as = ModelList)]
pub(crate) struct List {
    #[schema(schema_with = words::list)]
    object: &'static str,
    data: Vec<Item>,
}

/// OpenAI's fields, then the seed's.
#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(crate) struct Item {
    id: String,
    #[schema(schema_with = words::model)]
    object: &'static str,
    created: i64,
    owned_by: &'static str,
    display_name: String,
    description: String,
    raw_model_path: String,
    default_temperature: f64,
    default_max_output_tokens: u32,
    supported_max_output_tokens: u32,
    default_top_p: f64,
}

impl From<Model> for Item {
    fn from(model: Model) -> Self {
        Self {
            raw_model_path: format!("xai/{}", model.upstream_name),
            id: model.id,
            object: "model",
            created: model.created,
            owned_by: "x-ai",
            display_name: model.display_name,
            description: model.description,
            default_temperature: model.default_temperature,
            default_max_output_tokens: model.default_max_output_tokens,
            supported_max_output_tokens: model.max_output_tokens,
            default_top_p: model.default_top_p,
        }
    }
}

/// Lists the models that the key may use.
#[utoipa::path(get, path = "/models", tag = "Models", operation_id = "listModels",
    responses((status = 200, description = "The models.", body = List), AllFailures))]
pub(crate) async fn list(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<List>, Failure> {
    let models = models(&deps, &caller).await?;
    Ok(Json(List { object: "list", data: models.into_iter().map(Item::from).collect() }))
}

/// What there is for this caller; other models do not exist for it.
async fn models(deps: &Deps, caller: &Caller) -> Result<Vec<Model>, Failure> {
    let mut models = deps.chat.list_models(ListModelsRequest {}).await?.models;
    models.retain(|model| caller.may_ask(&model.id).is_ok());
    Ok(models)
}

/// Tells of one model.
#[utoipa::path(get, path = "/models/{id}", tag = "Models", operation_id = "retrieveModel",
    params(("id" = String, Path, description = "The model's id.", example = "grok-4-fast")),
    responses((status = 200, description = "The model.", body = Item), Answers))]
pub(crate) async fn one(
    State(deps): State<Deps>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Item>, Failure> {
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let models = models(&deps, &caller).await?;
    let found = models.into_iter().find(|model| model.id == id);
    let unknown = || {
        Error::new(Kind::NotFound, "model_not_found", format!("the model {id:?} does not exist")).at("model")
    };
    Ok(Json(found.ok_or_else(unknown)?.into()))
}
