//! The parameters as the seed's console asks for them: two tables of names and values.

use std::collections::BTreeMap;

use axum::{Extension, Json, extract::State};
use grok2api_proto::{Error, Kind, config::GetRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{known, update};
use crate::{
    admin::{Console, extract::Body, session::Who},
    openai::error::Failure,
};

#[derive(Deserialize)]
pub(crate) struct Tables {
    #[serde(default)]
    global_config: BTreeMap<String, Value>,
    #[serde(default)]
    grok_config: BTreeMap<String, Value>,
}

pub(crate) async fn all(State(console): State<Console>) -> Result<Json<Value>, Failure> {
    let known = known(&console, console.services.config.get(GetRequest {}).await?).await?;
    let table = |scope: &str| {
        let inside = known.parameters.iter().filter(|parameter| parameter.scope == scope);
        inside.map(|parameter| (parameter.name.clone(), known.masked(parameter))).collect::<Map<_, _>>()
    };
    Ok(Json(json!({"success": true, "data": {"global": table("global"), "grok": table("grok")}})))
}

pub(crate) async fn change(
    State(console): State<Console>,
    Extension(who): Extension<Who>,
    Body(tables): Body<Tables>,
) -> Result<Json<Value>, Failure> {
    let before = known(&console, console.services.config.get(GetRequest {}).await?).await?;
    let mut changes = BTreeMap::new();
    for (scope, table) in [("global", tables.global_config), ("grok", tables.grok_config)] {
        for (name, value) in table {
            let found = before.parameter(&name).filter(|parameter| parameter.scope == scope);
            if found.is_none() {
                let message = format!("there is no parameter {name:?} in {scope:?}");
                return Err(Error::new(Kind::InvalidRequest, "unknown_parameter", message).at(name).into());
            }
            changes.insert(name, value);
        }
    }
    update(&console, &who, &before, changes, None).await?;
    Ok(Json(json!({"success": true, "message": "settings saved"})))
}
