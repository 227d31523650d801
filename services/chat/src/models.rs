//! The model table: data in `models.toml`, read once.

use std::sync::LazyLock;

use grok2api_proto::{Error, Kind, Result, chat, pool::Tier};
use serde::Deserialize;

/// One public model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described in models.toml")]
pub struct Model {
    pub id: String,
    pub display_name: String,
    pub description: String,
    pub upstream_name: String,
    pub mode: String,
    pub class: String,
    pub rate_limit_name: String,
    pub cost: u32,
    pub image_cost: u32,
    pub minimum_tier: MinimumTier,
    pub kind: Product,
    pub max_output_tokens: u32,
    #[serde(default)]
    pub effort: Vec<Sibling>,
}

/// The model that takes another's place for some efforts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is described in models.toml")]
pub struct Sibling {
    pub of: Vec<String>,
    pub model: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alias {
    id: String,
    model: String,
}

/// The lowest tier that may use a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum MinimumTier {
    Basic,
    Super,
}

/// What a turn on the model gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Product {
    Chat,
    Video,
}

#[derive(Deserialize)]
struct Table {
    model: Vec<Model>,
    alias: Vec<Alias>,
}

/// The seed's release, shown as every model's creation time.
const CREATED: i64 = 1_729_555_200;
const MAX_SUPPORTED_OUTPUT_TOKENS: u32 = 131_072;

#[expect(clippy::panic, reason = "the table is part of the binary; a test reads it")]
static TABLE: LazyLock<Table> =
    LazyLock::new(|| match toml::from_str::<Table>(include_str!("../models.toml")) {
        Ok(table) => table,
        Err(error) => panic!("models.toml: {error}"),
    });

/// All models, in the table's order.
pub fn all() -> &'static [Model] {
    &TABLE.model
}

/// The model a client asked for, by its id or an alias.
///
/// # Errors
/// `model_not_found` naming the model.
pub fn find(id: &str) -> Result<&'static Model> {
    let named = |id: &str| all().iter().find(|model| model.id == id);
    let alias = || TABLE.alias.iter().find(|alias| alias.id == id).and_then(|alias| named(&alias.model));
    named(id).or_else(alias).ok_or_else(|| {
        Error::new(Kind::NotFound, "model_not_found", format!("the model {id:?} does not exist")).at("model")
    })
}

/// The model a client asked for, or the sibling that stands for that effort; an empty effort is none.
///
/// # Errors
/// `model_not_found` naming the model.
pub fn find_for(id: &str, effort: &str) -> Result<&'static Model> {
    let model = find(id)?;
    let sibling = model.effort.iter().find(|sibling| sibling.of.iter().any(|known| known == effort));
    sibling.map_or(Ok(model), |sibling| find(&sibling.model))
}

impl From<MinimumTier> for Tier {
    fn from(tier: MinimumTier) -> Self {
        match tier {
            MinimumTier::Basic => Tier::Basic,
            MinimumTier::Super => Tier::Super,
        }
    }
}

impl From<&Model> for chat::Model {
    fn from(model: &Model) -> Self {
        Self {
            id: model.id.clone(),
            display_name: model.display_name.clone(),
            description: model.description.clone(),
            upstream_name: model.upstream_name.clone(),
            created: CREATED,
            default_max_output_tokens: model.max_output_tokens,
            max_output_tokens: MAX_SUPPORTED_OUTPUT_TOKENS,
            default_temperature: 1.0,
            default_top_p: 0.95,
            video: model.kind == Product::Video,
            class: model.class.clone(),
            cost: model.cost,
            minimum_tier: match model.minimum_tier {
                MinimumTier::Basic => "basic",
                MinimumTier::Super => "super",
            }
            .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_six_models_of_the_seed() {
        let ids: Vec<&str> = all().iter().map(|model| model.id.as_str()).collect();
        let seed = [
            "grok-3-fast",
            "grok-4-fast",
            "grok-4-fast-expert",
            "grok-4-expert",
            "grok-4-heavy",
            "grok-imagine-0.9",
        ];
        assert_eq!(ids, seed);
    }

    #[test]
    fn aliases_and_siblings_are_models_of_the_table() {
        let ids: Vec<&str> = all().iter().map(|model| model.id.as_str()).collect();
        for alias in &TABLE.alias {
            assert!(ids.contains(&alias.model.as_str()) && !ids.contains(&alias.id.as_str()), "{alias:?}");
        }
        for sibling in all().iter().flat_map(|model| &model.effort) {
            assert!(ids.contains(&sibling.model.as_str()), "{sibling:?}");
        }
    }

    #[test]
    fn an_effort_may_choose_a_sibling() {
        let found = |id, effort| find_for(id, effort).unwrap().id.as_str();
        assert_eq!(found("grok-4-fast", ""), "grok-4-fast");
        assert_eq!(found("grok-4-fast", "medium"), "grok-4-fast");
        for effort in ["high", "xhigh", "max"] {
            assert_eq!(found("grok-4-fast", effort), "grok-4-fast-expert");
        }
        assert_eq!(found("grok-4-fast-expert", "low"), "grok-4-fast");
        assert_eq!(found("grok-3-fast", "high"), "grok-3-fast");
        assert_eq!(found("grok-4-fast-high", ""), "grok-4-fast-expert");
    }

    #[test]
    fn an_unknown_model_is_named_in_the_error() {
        let error = find("gpt-4").unwrap_err();
        assert_eq!((error.code.as_ref(), error.param.as_deref()), ("model_not_found", Some("model")));
        assert!(error.message.contains("gpt-4"));
    }
}
