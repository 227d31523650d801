//! `POST /rest/app-chat/conversations/new` and `/conversations/{id}/responses`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use bytes::Bytes;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    account::{Account, Exhausted},
    config::StreamDefaults,
    fault::{Effect, FaultCall, LiveRule, Scope, TOO_MANY},
    ids::Kind,
    journal::Visit,
    markers::Markers,
    models::Choice,
    player::Player,
    reply::Reply,
    scenario::FaultRule,
    script::{Act, Plan, Script, TurnIds, Wish},
    world::World,
};

/// What is read of the payload (reference 2.1); everything else is ignored.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChatRequest {
    message: String,
    model_name: Option<String>,
    model_mode: Option<String>,
    mode_id: Option<String>,
    temporary: Option<bool>,
    file_attachments: Option<Vec<String>>,
    disable_search: Option<bool>,
    enable_image_generation: Option<bool>,
    image_generation_count: Option<u32>,
    tool_overrides: Option<ToolOverrides>,
    response_id: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolOverrides {
    video_gen: Option<bool>,
    image_gen: Option<bool>,
}

/// An answer that is ready to be played.
struct Ready {
    script: Script,
    style: StreamDefaults,
    seed: u64,
}

pub(crate) async fn create(
    State(world): State<Arc<World>>,
    visit: Visit,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    turn(world, visit, &headers, None, body).await
}

pub(crate) async fn carry_on(
    State(world): State<Arc<World>>,
    visit: Visit,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    turn(world, visit, &headers, Some(id), body).await
}

async fn turn(
    world: Arc<World>,
    visit: Visit,
    headers: &HeaderMap,
    conversation: Option<String>,
    body: Bytes,
) -> Response {
    visit.carried(&body);
    match prepare(&world, &visit, headers, conversation.as_deref(), &body).await {
        Ok(Ready { script, style, seed }) => {
            Player::new(script, style, seed, visit, Arc::clone(&world.shutdown)).into_response()
        }
        Err(reply) => visit.answer(Err(reply)),
    }
}

async fn prepare(
    world: &World,
    visit: &Visit,
    headers: &HeaderMap,
    conversation: Option<&str>,
    body: &[u8],
) -> Result<Ready, Reply> {
    let account = world.enter(visit, headers)?;
    let request = ChatRequest::read(body)?;
    let (markers, prompt) = Markers::take(&request.message).map_err(Reply::invalid)?;
    let asked = markers.fault.and_then(|call| due(world, &account, call, &request.message));
    let call = world.gate(visit, Scope::Chat, &account, asked).await?;
    let choice = request.choice(&account)?;
    let ids = turn_ids(world, &account, conversation)?;
    let attachments = attachments(world, &account, request.file_attachments.as_deref().unwrap_or_default())?;
    let wish = request.wish(&choice, &markers, prompt, attachments);
    let mut plan = wish.plan(ids, request.temporary.unwrap_or(false), request.response_id.clone());
    let seed = u64::from_le_bytes(plan.ids.answer.as_bytes()[..8].try_into().unwrap_or_default());
    let ready = |script| Ready { script, style: style(world, &markers), seed };
    let effect = call.map(|call| (&call.fault.effect, call.param));
    if let Some((Effect::ErrorLine, code)) = effect {
        return Ok(ready(Script::error(&plan.ids, code)));
    }
    if let Some((Effect::Answer { stage, .. }, number)) = effect {
        stage(&mut plan, number);
    }
    let mut script = pay(world, &account, choice, &plan)?;
    if let Some((Effect::Answer { edit, .. }, number)) = effect {
        edit(&mut script, number);
    }
    Ok(ready(script))
}

impl ChatRequest {
    fn read(body: &[u8]) -> Result<Self, Reply> {
        let request: Self =
            serde_json::from_slice(body).map_err(|error| Reply::invalid(error.to_string()))?;
        if request.message.trim().is_empty() {
            return Err(Reply::invalid("message is empty"));
        }
        Ok(request)
    }

    fn choice(&self, account: &Account) -> Result<Choice, Reply> {
        let (name, mode, id) =
            (self.model_name.as_deref(), self.model_mode.as_deref(), self.mode_id.as_deref());
        Ok(Choice::of(account.tier, name, mode, id)?)
    }

    fn wish<'a>(
        &self,
        choice: &'a Choice,
        markers: &'a Markers,
        prompt: String,
        attachments: Option<String>,
    ) -> Wish<'a> {
        let tools = self.tool_overrides.unwrap_or_default();
        Wish {
            choice,
            markers,
            prompt,
            attachments,
            may_search: !self.disable_search.unwrap_or(false),
            may_draw: self.enable_image_generation.unwrap_or(true),
            image_count: self.image_generation_count.unwrap_or(2).clamp(1, 10),
            image_tool: tools.image_gen.unwrap_or(false),
            video_tool: tools.video_gen.unwrap_or(false),
        }
    }
}

/// Whether a fault asked for by a prompt strikes this attempt. One that acts on another endpoint is set on the
/// account instead, for its next request there.
fn due(world: &World, account: &Account, call: FaultCall, message: &str) -> Option<FaultCall> {
    if !call.fault.scopes.contains(&Scope::Chat) {
        let rule = FaultRule { first: Some(call.first.unwrap_or(1)), ..FaultRule::new(call) };
        account.arm(LiveRule::new(rule));
        return None;
    }
    let limit = call.first.unwrap_or(u32::MAX);
    (limit == u32::MAX || world.attempt(&[b"prompt", message.as_bytes()]) <= limit).then_some(call)
}

fn turn_ids(world: &World, account: &Account, conversation: Option<&str>) -> Result<TurnIds, Reply> {
    let mint = world.settings().mint;
    let known = |id: &str| {
        let id = Uuid::parse_str(id).ok().filter(|id| mint.owned(Kind::Conversation, account.user, *id));
        id.ok_or_else(|| Reply::not_found("conversation not found"))
    };
    let conversation = conversation.map(known).transpose()?;
    Ok(TurnIds::new(mint, account.user, conversation, account.next_number()))
}

/// What the answer says about the attached files, all of which must be the account's own.
fn attachments(world: &World, account: &Account, ids: &[String]) -> Result<Option<String>, Reply> {
    if ids.is_empty() {
        return Ok(None);
    }
    let uploads = world.uploads.lock();
    let describe = |id: &String| {
        let upload = Uuid::parse_str(id).ok().and_then(|id| uploads.get(account.user, id));
        let upload = upload.ok_or_else(|| Reply::invalid(format!("file attachment not found: {id}")))?;
        Ok(upload.description())
    };
    let seen = ids.iter().map(describe).collect::<Result<Vec<_>, Reply>>()?;
    Ok(Some(format!("I can see {} attachment(s): {}", seen.len(), seen.join("; "))))
}

/// Charges the turn, then writes it; an empty window says so instead.
fn pay(world: &World, account: &Account, choice: Choice, plan: &Plan) -> Result<Script, Reply> {
    let choice = if matches!(plan.act, Act::Draw { .. }) { choice.drawing() } else { choice };
    if account.charge(choice.pool, choice.cost, world.clock.now_ms()) {
        return Ok(plan.script());
    }
    match account.exhausted().unwrap_or(world.settings().exhausted) {
        Exhausted::Status => Err(TOO_MANY),
        Exhausted::InBand => Ok(Script::error(&plan.ids, 8)),
    }
}

fn style(world: &World, markers: &Markers) -> StreamDefaults {
    let base = world.settings().stream;
    StreamDefaults {
        framing: markers.framing.unwrap_or(base.framing),
        split: markers.split.unwrap_or(base.split),
        token_delay: markers.delay.unwrap_or(base.token_delay),
        first_delay: markers.first_delay.unwrap_or(base.first_delay),
    }
}
