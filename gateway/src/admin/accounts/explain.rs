//! Who would serve a key and model now, and why not the others.

use axum::{Json, extract::State};
use grok2api_proto::{
    Error, Kind, Result,
    chat::{ListModelsRequest, Model},
    keys::{GetRequest, Key},
    pool::{ExplainRequest, ExplainResponse, Reason},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    admin::{
        Console,
        extract::Params,
        keys::{Status, status},
        words::{at, some, tier, word},
    },
    openai::error::Failure,
};

const VERDICTS: u32 = 20;
const MOST_VERDICTS: u32 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    model: String,
    key: Option<String>,
    limit: Option<u32>,
}

pub(crate) async fn explain(
    State(console): State<Console>,
    Params(asked): Params<Asked>,
) -> Result<Json<Value>, Failure> {
    let models = console.deps.chat.list_models(ListModelsRequest {}).await?.models;
    let missing = || {
        let message = format!("the model {:?} does not exist", asked.model);
        Error::new(Kind::NotFound, "model_not_found", message).at("model")
    };
    let model = models.iter().find(|model| model.id == asked.model).ok_or_else(missing)?;
    let key = match asked.key.clone().and_then(some) {
        Some(id) => Some(console.services.keys.get(GetRequest { id }).await?),
        None => None,
    };
    let request = ExplainRequest {
        class: model.class.clone(),
        cost: model.cost,
        minimum_tier: crate::admin::words::read_tier(&model.minimum_tier)?.into(),
        tags: key
            .as_ref()
            .and_then(|key| key.spec.as_ref())
            .map_or_else(Vec::new, |spec| spec.account_tags.clone()),
        limit: asked.limit.unwrap_or(VERDICTS).clamp(1, MOST_VERDICTS),
        ..ExplainRequest::default()
    };
    let explained = console.services.pool.explain(request).await?;
    let refusal = key.as_ref().and_then(|key| refusal(key, model, console.deps.client_keys.now_ms()));
    Ok(Json(shown(model, explained, refusal)))
}

/// Why a key may not ask the model at all.
fn refusal(key: &Key, model: &Model, now_ms: i64) -> Option<String> {
    let spec = key.spec.clone().unwrap_or_default();
    match status(key, now_ms) {
        Status::Active if spec.models.is_empty() || spec.models.contains(&model.id) => None,
        Status::Active => Some(format!("the key may not use the model {:?}", model.id)),
        other => Some(format!("the key is {}", other.name())),
    }
}

fn shown(model: &Model, explained: ExplainResponse, key_refusal: Option<String>) -> Value {
    let reasons = explained.reasons.iter().map(
        |count| json!({"reason": word(count.reason().as_str_name(), "REASON_"), "accounts": count.accounts}),
    );
    let verdicts = explained.verdicts.iter().map(|verdict| {
        let reason = verdict.reason();
        json!({
            "account_id": verdict.account_id,
            "token": verdict.masked_token,
            "tier": tier(verdict.tier()),
            "priority": verdict.priority,
            "reason": (reason != Reason::Unspecified).then(|| word(reason.as_str_name(), "REASON_")),
            "until": at(verdict.until),
            "available": verdict.available,
            "in_flight": verdict.in_flight,
            "cause": verdict.cause,
        })
    });
    let refusal = (!explained.refusal_code.is_empty()).then(|| {
        let wait = Some(explained.retry_after_ms).filter(|wait| *wait > 0);
        json!({"code": explained.refusal_code, "message": explained.refusal, "retry_after_ms": wait})
    });
    json!({
        "model": model.id,
        "class": model.class,
        "cost": model.cost,
        "minimum_tier": model.minimum_tier,
        "accounts": explained.accounts,
        "eligible": explained.eligible,
        "refusal": refusal,
        "key_refusal": key_refusal,
        "reasons": reasons.collect::<Vec<_>>(),
        "verdicts": verdicts.collect::<Vec<_>>(),
    })
}
