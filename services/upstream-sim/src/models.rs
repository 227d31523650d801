//! Which models and modes exist, who may use them and what a turn costs (reference 2.2, 4.2, 7.1 to 7.4).

use crate::account::{Pool, Tier};

/// What a media model makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Images,
    Video,
}

/// The shape of the answer's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Era {
    /// 2025: addressed by `modelName`.
    #[default]
    E1,
    /// 2026: addressed by `modeId`.
    E3,
}

/// A model or mode a request has chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) era: Era,
    pub(crate) pool: Pool,
    pub(crate) cost: u32,
    pub(crate) thinking: bool,
    pub(crate) media: Option<Media>,
}

/// Why a selector is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Neither `modelName` nor `modeId`.
    Missing,
    /// No such model, mode or model mode.
    Unknown(String),
    /// It exists, but not for this tier.
    Tier(&'static str),
}

struct Model {
    name: &'static str,
    pool: Pool,
    cost: u32,
    thinking: bool,
    media: Option<Media>,
}

struct ModelMode {
    name: &'static str,
    cost: u32,
    thinking: Option<bool>,
}

/// Low effort costs one credit, high effort four.
const LOW: u32 = 1;
const HIGH: u32 = 4;
/// An answer with pictures costs this much in all (seed readme).
pub(crate) const DRAWING: u32 = 4;

const MODELS: &[Model] = &[
    Model { name: "grok-3", pool: Pool::Credits, cost: LOW, thinking: false, media: None },
    Model { name: "grok-4-mini-thinking-tahoe", pool: Pool::Credits, cost: LOW, thinking: true, media: None },
    Model { name: "grok-4", pool: Pool::Credits, cost: HIGH, thinking: true, media: None },
    Model { name: "grok-4-heavy", pool: Pool::Heavy, cost: 1, thinking: true, media: None },
    Model {
        name: "grok-4-1-non-thinking-w-tool",
        pool: Pool::Credits,
        cost: LOW,
        thinking: false,
        media: None,
    },
    Model { name: "grok-4-1-thinking-1108b", pool: Pool::Credits, cost: LOW, thinking: true, media: None },
    Model { name: "grok-4-1-thinking-1129", pool: Pool::Credits, cost: HIGH, thinking: true, media: None },
    Model { name: "grok-420", pool: Pool::Credits, cost: LOW, thinking: true, media: None },
    Model {
        name: "imagine-image-edit",
        pool: Pool::Credits,
        cost: DRAWING,
        thinking: false,
        media: Some(Media::Images),
    },
    Model {
        name: "imagine-video-gen",
        pool: Pool::Credits,
        cost: HIGH,
        thinking: false,
        media: Some(Media::Video),
    },
];

const MODEL_MODES: &[ModelMode] = &[
    ModelMode { name: "MODEL_MODE_FAST", cost: LOW, thinking: None },
    ModelMode { name: "MODEL_MODE_AUTO", cost: LOW, thinking: None },
    ModelMode { name: "MODEL_MODE_EXPERT", cost: HIGH, thinking: Some(true) },
    ModelMode { name: HEAVY_MODE, cost: 1, thinking: Some(true) },
    ModelMode { name: "MODEL_MODE_GROK_3", cost: LOW, thinking: None },
    ModelMode { name: "MODEL_MODE_GROK_3_MINI_THINKING", cost: LOW, thinking: Some(true) },
    ModelMode { name: "MODEL_MODE_GROK_3_THINKING", cost: LOW, thinking: Some(true) },
    ModelMode { name: "MODEL_MODE_GROK_4", cost: LOW, thinking: None },
    ModelMode { name: "MODEL_MODE_GROK_4_THINKING", cost: LOW, thinking: Some(true) },
    ModelMode { name: "MODEL_MODE_GROK_4_MINI_THINKING", cost: LOW, thinking: Some(true) },
    ModelMode { name: "MODEL_MODE_GROK_4_1", cost: LOW, thinking: Some(false) },
    ModelMode { name: "MODEL_MODE_GROK_4_1_MINI_THINKING", cost: LOW, thinking: Some(true) },
    ModelMode { name: "MODEL_MODE_GROK_4_1_THINKING", cost: HIGH, thinking: Some(true) },
    ModelMode { name: "MODEL_MODE_GROK_420", cost: LOW, thinking: None },
];
const HEAVY_MODE: &str = "MODEL_MODE_HEAVY";

const MODES: &[Model] = &[
    Model { name: "auto", pool: Pool::Auto, cost: 1, thinking: true, media: None },
    Model { name: "fast", pool: Pool::Fast, cost: 1, thinking: false, media: None },
    Model { name: "expert", pool: Pool::Expert, cost: 1, thinking: true, media: None },
    Model { name: "heavy", pool: Pool::Heavy, cost: 1, thinking: true, media: None },
    Model { name: "grok-420-computer-use-sa", pool: Pool::ComputerUse, cost: 1, thinking: true, media: None },
];

impl Choice {
    /// Resolves the selector of a chat request. `modeId` wins over `modelName`, as in the web front end.
    pub(crate) fn of(
        tier: Tier,
        model_name: Option<&str>,
        model_mode: Option<&str>,
        mode_id: Option<&str>,
    ) -> Result<Self, Denial> {
        let choice = match (mode_id, model_name) {
            (Some(id), _) => Self::new(find(MODES, id)?, Era::E3),
            (None, Some(name)) => Self::new(find(MODELS, name)?, Era::E1).with_mode(model_mode)?,
            (None, None) => return Err(Denial::Missing),
        };
        choice.allowed(tier)
    }

    /// Resolves the `modelName` of a quota request, which is a model (2025) or a mode (2026).
    pub(crate) fn quota(tier: Tier, name: &str) -> Result<Self, Denial> {
        let choice = find(MODES, name).map(|mode| Self::new(mode, Era::E3));
        choice.or_else(|_| find(MODELS, name).map(|model| Self::new(model, Era::E1)))?.allowed(tier)
    }

    /// Makes an answer with pictures cost what the seed says. Modes are counted in queries and heavy has its own
    /// counter, so neither changes.
    pub(crate) fn drawing(mut self) -> Self {
        if self.pool == Pool::Credits {
            self.cost = DRAWING;
        }
        self
    }

    fn new(model: &Model, era: Era) -> Self {
        let Model { name, pool, cost, thinking, media } = *model;
        Self { name, era, pool, cost, thinking, media }
    }

    fn with_mode(mut self, model_mode: Option<&str>) -> Result<Self, Denial> {
        let Some(name) = model_mode else { return Ok(self) };
        let mode = MODEL_MODES.iter().find(|mode| mode.name == name);
        let mode = mode.ok_or_else(|| Denial::Unknown(name.to_owned()))?;
        if self.media.is_none() {
            self.thinking = mode.thinking.unwrap_or(self.thinking);
            self.cost = mode.cost;
        }
        if mode.name == HEAVY_MODE || self.pool == Pool::Heavy {
            (self.pool, self.cost) = (Pool::Heavy, 1);
        }
        Ok(self)
    }

    fn allowed(self, tier: Tier) -> Result<Self, Denial> {
        if tier.allowance(self.pool).is_some() { Ok(self) } else { Err(Denial::Tier(self.name)) }
    }
}

fn find(table: &'static [Model], name: &str) -> Result<&'static Model, Denial> {
    table.iter().find(|model| model.name == name).ok_or_else(|| Denial::Unknown(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("grok-3", "MODEL_MODE_FAST", Pool::Credits, 1, false)]
    #[case("grok-4-mini-thinking-tahoe", "MODEL_MODE_GROK_4_MINI_THINKING", Pool::Credits, 1, true)]
    #[case("grok-4-mini-thinking-tahoe", "MODEL_MODE_EXPERT", Pool::Credits, 4, true)]
    #[case("grok-4", "MODEL_MODE_EXPERT", Pool::Credits, 4, true)]
    #[case("grok-4-heavy", "MODEL_MODE_HEAVY", Pool::Heavy, 1, true)]
    #[case("grok-4", "MODEL_MODE_HEAVY", Pool::Heavy, 1, true)]
    fn the_six_seed_models(
        #[case] name: &str,
        #[case] mode: &str,
        #[case] pool: Pool,
        #[case] cost: u32,
        #[case] thinking: bool,
    ) {
        let choice = Choice::of(Tier::Super, Some(name), Some(mode), None).unwrap();
        assert_eq!((choice.pool, choice.cost, choice.thinking, choice.era), (pool, cost, thinking, Era::E1));
    }

    #[rstest]
    #[case(Tier::Basic, Some("grok-4-heavy"), None, Denial::Tier("grok-4-heavy"))]
    #[case(Tier::Basic, None, Some("expert"), Denial::Tier("expert"))]
    #[case(Tier::Super, Some("grok-9"), None, Denial::Unknown("grok-9".into()))]
    #[case(Tier::Super, None, None, Denial::Missing)]
    fn refused_selectors(
        #[case] tier: Tier,
        #[case] name: Option<&str>,
        #[case] mode: Option<&str>,
        #[case] denial: Denial,
    ) {
        assert_eq!(Choice::of(tier, name, None, mode), Err(denial));
    }

    #[test]
    fn a_drawing_costs_four_credits_but_one_query() {
        let cost = |name, mode| Choice::of(Tier::Super, name, None, mode).map(|choice| choice.drawing().cost);
        assert_eq!(cost(Some("grok-3"), None), Ok(4));
        assert_eq!(cost(Some("grok-4"), None), Ok(4));
        assert_eq!(cost(None, Some("fast")), Ok(1));
    }
}
