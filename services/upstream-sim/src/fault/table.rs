//! The fault matrix of reference 11.2 (and a few lines more), one line each.

use super::{Effect, Fault, Scope, effects as fx};
use crate::{
    reply::Reply,
    script::{Plan, Script},
};

const ANY: &[Scope] = &[Scope::Chat, Scope::Upload, Scope::Assets, Scope::RateLimits];
const CHAT: &[Scope] = &[Scope::Chat];
const UPLOAD: &[Scope] = &[Scope::Upload];
const ASSETS: &[Scope] = &[Scope::Assets];
const QUOTA: &[Scope] = &[Scope::RateLimits];
const CHAT_AND_QUOTA: &[Scope] = &[Scope::Chat, Scope::RateLimits];

pub(crate) const UNAUTHENTICATED: Reply =
    Reply::json(401, r#"{"code":16,"message":"unauthenticated: bad-credentials","details":[]}"#);
pub(crate) const JUST_A_MOMENT: Reply = Reply::html(
    403,
    "<!doctype html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>",
);
pub(crate) const TOO_MANY: Reply =
    Reply::json(429, r#"{"code":8,"message":"Too many requests","details":[]}"#);
const EDGE_401: Reply =
    Reply::html(401, "<!doctype html><title>401 Unauthorized</title><h1>Unauthorized</h1>");
const BLOCKED: Reply = Reply::json(
    403,
    r#"{"code":7,"message":"User is blocked [WKE=unauthorized:blocked-user]","details":[]}"#,
);
const ANTI_BOT: Reply =
    Reply::json(403, r#"{"error":{"code":7,"message":"Request rejected by anti-bot rules."}}"#);
const EMPTY_403: Reply = Reply::html(403, "");
const MODERATED: Reply = Reply::json(403, r#"{"error":{"code":"content-moderated","message":"rejected"}}"#);
const REJECTED: Reply = Reply::json(403, r#"{"message":"temporary rejection"}"#);
const INTERNAL: Reply = Reply::json(500, r#"{"code":13,"message":"internal error","details":[]}"#);
const MARKUP: Reply = Reply::json(
    500,
    r#"{"code":13,"message":"<img src=x onerror=alert(1)><script>window.hacked=1</script> failed","details":[]}"#,
);
const BAD_GATEWAY: Reply =
    Reply::html(502, "<!doctype html><title>502 Bad Gateway</title><h1>Bad gateway</h1>");
const ASSET_403: Reply = Reply::html(403, "<!doctype html><title>403 Forbidden</title>");
const ASSET_PAGE: Reply = Reply::html(200, "<!doctype html><title>Sign in</title><p>Please sign in.</p>");

static FAULTS: &[Fault] = &[
    refuse("401-json", UNAUTHENTICATED, "401 with the JSON that says the token is dead"),
    refuse("401-html", EDGE_401, "401 with a page of the edge network"),
    refuse("403-blocked", BLOCKED, "403 JSON: the account is banned; the session says blocked"),
    refuse("403-antibot-json", ANTI_BOT, "403 JSON: the session was taken for a bot"),
    refuse("403-html", JUST_A_MOMENT, "403 with the challenge page"),
    refuse("403-empty", EMPTY_403, "403 without a body"),
    refuse("403-moderation", MODERATED, "403 JSON: this request is refused"),
    refuse("403-unknown", REJECTED, "403 JSON that explains nothing"),
    refuse("429", TOO_MANY, "429 JSON, no Retry-After"),
    row("429+Retry-After", ANY, Effect::RefuseUntil(TOO_MANY), "429 JSON with Retry-After: N").number(5),
    refuse("500", INTERNAL, "500 JSON"),
    refuse("500-markup", MARKUP, "500 JSON whose message is HTML with scripts in it"),
    refuse("502-html", BAD_GATEWAY, "502 with a page of the edge network"),
    row("200-error-line-first", CHAT, Effect::ErrorLine, "one line, an error of code N (7 or 8)").number(8),
    edit("200-error-after-text", fx::error_after_text, "half the text, an error of code N, EOF").number(8),
    edit("200-stream-errors", fx::stream_errors, "half the text, then only modelResponse.streamErrors"),
    edit("200-empty-body", fx::empty_body, "200 and no byte of body"),
    edit("200-only-whitespace", fx::only_whitespace, "blank lines, then EOF"),
    edit("200-only-conversation-line", fx::only_conversation, "the conversation line, then EOF"),
    edit("200-truncated-object", fx::truncated_object, "half the text, then EOF inside an object"),
    edit("200-bad-line-in-middle", fx::bad_line, "a balanced line that is not JSON in the middle"),
    row("stall-before-first-byte", ANY, Effect::Silence, "no status line until the client leaves"),
    edit("stall-after-headers", fx::stall_at_once, "status and headers, no byte of body"),
    edit("stall-mid", fx::stall_mid, "half the text, then nothing until the client leaves"),
    edit("reset-mid", fx::reset_mid, "half the text, then the TCP connection is reset"),
    stage("no-modelResponse", fx::no_message, "no modelResponse line"),
    edit("no-tokens-only-message", fx::no_tokens, "no text tokens; modelResponse has the text"),
    stage("message-shorter", fx::message_shorter, "modelResponse.message is a prefix of the tokens"),
    stage("message-longer", fx::message_longer, "modelResponse.message goes on after the tokens"),
    stage("message-different", fx::message_different, "modelResponse.message is another text"),
    edit("token-list", fx::token_list, "one token in the middle is an array"),
    edit("late-thinking", fx::late_thinking, "a thinking line in the middle of the text"),
    both("blank-tokens", fx::search, fx::blank_tokens, "blank tokens between search results and text"),
    both("tag-split", fx::search, fx::split_tags, "tool card and render tags in pieces"),
    stage("duplicate-citations", fx::cite_twice, "every citation tag comes twice in a row"),
    stage("image-moderated", fx::moderate_images, "the first N pictures are moderated (0: all)"),
    stage("image-preview-only", fx::only_previews, "previews at 50 percent, never a final picture"),
    stage("image-limit", fx::image_limit, "a usage-limit error beside an image card"),
    stage("video-100-first", fx::video_at_once, "the first progress line is 100, with the URL"),
    stage("video-repeat-progress", fx::video_repeats, "every progress line three times"),
    stage("video-url-early", fx::video_url_early, "the URL comes at 50, not at 100"),
    stage("video-only-fileAttachments", fx::video_attached, "the path is in modelResponse only"),
    row("upload-terminal-error", UPLOAD, Effect::TerminalError, "200 with a terminalError; nothing stored"),
    row("asset-403-then-200", ASSETS, Effect::RefuseFresh(ASSET_403), "a path's first N requests: 403")
        .number(1),
    row("asset-html-200", ASSETS, Effect::Refuse(ASSET_PAGE), "200 with a page instead of the media"),
    row("quota-zero", CHAT_AND_QUOTA, Effect::Drain, "the account's windows are emptied first"),
    row("quota-endpoint-500", QUOTA, Effect::Refuse(INTERNAL), "500 JSON from the quota endpoint"),
];

/// The whole fault table.
pub fn faults() -> &'static [Fault] {
    FAULTS
}

/// The line of this name; letter case does not matter, and `-` may stand for `+`.
pub(super) fn find(name: &str) -> Option<&'static Fault> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('+', "-");
    FAULTS.iter().find(|fault| plain(fault.name) == plain(name))
}

const fn row(name: &'static str, scopes: &'static [Scope], effect: Effect, about: &'static str) -> Fault {
    Fault { name, scopes, about, default: 0, effect }
}

const fn refuse(name: &'static str, reply: Reply, about: &'static str) -> Fault {
    row(name, ANY, Effect::Refuse(reply), about)
}

const fn stage(name: &'static str, stage: fn(&mut Plan, u32), about: &'static str) -> Fault {
    both(name, stage, |_, _| {}, about)
}

const fn edit(name: &'static str, edit: fn(&mut Script, u32), about: &'static str) -> Fault {
    both(name, |_, _| {}, edit, about)
}

const fn both(
    name: &'static str,
    stage: fn(&mut Plan, u32),
    edit: fn(&mut Script, u32),
    about: &'static str,
) -> Fault {
    row(name, CHAT, Effect::Answer { stage, edit }, about)
}

impl Fault {
    /// Sets the number that stands for N when none is given.
    const fn number(mut self, default: u32) -> Self {
        self.default = default;
        self
    }
}
