//! The contract of the chat service, reached three ways, against the simulated upstream.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};
use grok2api_chat::Deps;
use grok2api_kit::{
    egress::{Endpoints, Gateway},
    lifecycle::Tasks,
    runtime::Runtime,
    settings::Settings,
};
use grok2api_proto::{
    Error, Kind, Result,
    chat::{
        self, Attachment, Chat, ChatEvent, ChatRequest, Drawing, Finish, ListModelsRequest, Message, Part,
        Role, attachment, chat_event::Kind as Event, part,
    },
    config::RuntimeConfig,
    pool::Outcome,
};
use grok2api_testkit::{FakeMediaCache, FakePool, Reach, reach, runtime_config};
use grok2api_upstream_sim::{Sim, SimConfig};
use rstest::rstest;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

struct World {
    chat: Arc<dyn Chat>,
    pool: Arc<FakePool>,
    media: Arc<FakeMediaCache>,
    sim: Sim,
    tasks: Tasks,
}

impl World {
    async fn new(how: Reach) -> Self {
        Self::with(how, runtime_config(), None).await
    }

    /// `upstream` takes the simulator's place.
    async fn with(how: Reach, config: RuntimeConfig, upstream: Option<String>) -> Self {
        let tasks = Tasks::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sim = grok2api_upstream_sim::start(listener, SimConfig::default(), &tasks).await.unwrap();
        let url = upstream.unwrap_or_else(|| sim.url());
        let upstream = ["G2A_UPSTREAM_URL", "G2A_ASSETS_URL"].map(|name| (name.to_owned(), url.clone()));
        let settings = Settings::load(None, upstream).unwrap();
        let runtime = Runtime::fixed(config);
        let pool = FakePool::of(&["sim-basic-1", "sim-basic-2", "sim-basic-3", "sim-basic-4"]);
        let media = Arc::new(FakeMediaCache::default());
        let service = grok2api_chat::start(Deps {
            pool: pool.clone(),
            media: media.clone(),
            egress: Gateway::new(Endpoints::from(&settings.upstream), runtime.clone()),
            runtime,
            allow_private_images: false,
            tasks: tasks.clone(),
        });
        let chat = reach(how, service.unwrap(), chat::server, chat::client, &tasks).await;
        Self { chat, pool, media, sim, tasks }
    }

    async fn events(&self, request: ChatRequest) -> Result<Vec<ChatEvent>> {
        let batches: Vec<_> = self.chat.complete(request).await?.try_collect().await?;
        Ok(batches.into_iter().flat_map(|batch| batch.events).collect())
    }

    async fn refusal(&self, request: ChatRequest) -> Error {
        self.chat.complete(request).await.err().unwrap()
    }

    async fn outcomes(&self, count: usize) -> Vec<(Outcome, bool)> {
        self.pool.settled(count).await.iter().map(|ended| (ended.outcome(), ended.charged)).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.shutdown().stop();
    }
}

fn ask(model: &str, text: &str) -> ChatRequest {
    let parts = vec![Part { kind: Some(part::Kind::Text(text.to_owned())) }];
    let message = Message { role: Role::User.into(), parts, ..Message::default() };
    ChatRequest {
        request_id: "req-1".into(),
        model: model.into(),
        messages: vec![message],
        ..ChatRequest::default()
    }
}

fn with_attachment(data: &'static [u8]) -> ChatRequest {
    let mut request = ask("grok-3-fast", "x");
    let attachment = Attachment {
        source: Some(attachment::Source::Data(data.into())),
        media_type: "image/svg+xml".into(),
        param: "messages[0].content[1].image_url.url".into(),
        ..Attachment::default()
    };
    request.messages[0].parts.push(Part { kind: Some(part::Kind::Attachment(attachment)) });
    request
}

fn text(events: &[ChatEvent]) -> String {
    let texts = events.iter().filter_map(|event| match &event.kind {
        Some(Event::Text(text)) => Some(text.text.as_str()),
        _ => None,
    });
    texts.collect()
}

#[rstest]
#[tokio::test]
async fn a_turn_begins_with_started_and_ends_with_end(
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let world = World::new(how).await;
    let events = world.events(ask("grok-4-fast", "[[sim:say=你好 🌕]]")).await.unwrap();
    let Some(Event::Started(started)) = &events[0].kind else { panic!("{events:?}") };
    assert!(started.attempts == 1 && !started.conversation_id.is_empty());
    assert_eq!((started.tried.len(), started.tried[0].outcome.as_str()), (1, ""));
    assert_eq!(events[1].kind, Some(Event::Charge(chat::Charge { units: 1 })));
    let Some(Event::End(end)) = &events.last().unwrap().kind else { panic!("{events:?}") };
    assert_eq!((end.finish(), text(&events).as_str()), (Finish::Stop, "你好 🌕"));
    assert_eq!(world.outcomes(1).await, [(Outcome::Success, true)]);
    let lease = &world.pool.leases()[0];
    assert_eq!(
        (lease.class.as_str(), lease.rate_limit_name.as_str()),
        ("normal", "grok-4-mini-thinking-tahoe")
    );
    assert_eq!(lease.cost, 1);
}

#[rstest]
#[tokio::test]
async fn failures_before_the_first_output_are_the_calls_own(
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let world = World::new(how).await;
    let error = world.refusal(ask("grok-3-fast", "[[sim:fault=500]]x")).await;
    assert_eq!((error.kind, error.code.as_ref()), (Kind::Upstream, "upstream_error"));
    assert_eq!(world.outcomes(3).await, [(Outcome::UpstreamFailed, false); 3]);
    let attempts: Vec<_> = error.attempts().iter().map(|one| (one.outcome.as_str(), one.units)).collect();
    assert_eq!(attempts, [("upstream_failed", 0); 3]);
    assert!(error.attempts().iter().all(|one| !one.account_id.is_empty() && !one.cause.is_empty()));
    let tried: Vec<_> = world.pool.leases().iter().map(|lease| lease.exclude_accounts.len()).collect();
    assert_eq!(tried, [0, 1, 2], "each attempt is told what was tried");
}

#[rstest]
#[tokio::test]
async fn a_failure_after_output_ends_the_stream_and_nobody_else_is_tried(
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let world = World::new(how).await;
    let cut = ask("grok-3-fast", "[[sim:fault=200-truncated-object]][[sim:say=a b c d]]");
    let mut stream = world.chat.complete(cut).await.unwrap();
    let mut events = Vec::new();
    let error = loop {
        match stream.next().await.unwrap() {
            Ok(batch) => events.extend(batch.events),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code, "upstream_stream_truncated");
    assert!(!text(&events).is_empty());
    assert!(!events.iter().any(|event| matches!(event.kind, Some(Event::End(_)))));
    assert!(stream.next().await.is_none());
    assert_eq!(world.outcomes(1).await, [(Outcome::TransportFailed, true)]);
    assert_eq!(world.pool.leases().len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_caller_that_leaves_is_nobodys_fault(
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let world = World::new(how).await;
    let endless = ask("grok-3-fast", "[[sim:tokens=100000]][[sim:delay_ms=5]]");
    let mut stream = world.chat.complete(endless).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    assert_eq!(world.outcomes(1).await, [(Outcome::ClientCancelled, true)]);
    world.sim.wait(|counters| counters.cancelled == 1).await;
}

#[rstest]
#[case::stop(&["three"], None, "one two ", Finish::Stop)]
#[case::length(&[], Some(2), "one two ", Finish::Length)]
#[tokio::test]
async fn a_turn_that_has_said_enough_ends_the_upstream_at_once(
    #[case] stop: &[&str],
    #[case] max_tokens: Option<u64>,
    #[case] said: &str,
    #[case] finish: Finish,
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let world = World::new(how).await;
    let mut request = ask("grok-3-fast", "[[sim:say=one two three four five six]][[sim:delay_ms=200]]");
    request.stop = stop.iter().map(|&stop| stop.to_owned()).collect();
    request.max_tokens = max_tokens;
    let events = world.events(request).await.unwrap();
    let Some(Event::End(end)) = &events.last().unwrap().kind else { panic!("{events:?}") };
    assert_eq!((text(&events).as_str(), end.finish()), (said, finish));
    assert_eq!(world.outcomes(1).await, [(Outcome::Success, true)]);
    world.sim.wait(|counters| counters.cancelled == 1).await;
}

#[rstest]
#[tokio::test]
async fn drawn_images_are_cached_and_cost_what_they_cost(
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let world = World::new(how).await;
    let events = world.events(ask("grok-3-fast", "draw a moon")).await.unwrap();
    let images = events.iter().filter(|event| matches!(event.kind, Some(Event::Image(_)))).count();
    assert_eq!((images, world.media.fetches().len()), (2, 2));
    assert!(world.media.fetches().iter().all(|fetch| fetch.token == "sim-basic-1"), "the owner's cookies");
    assert_eq!(world.pool.settled(1).await[0].units, Some(4));
}

#[rstest]
#[case::with_previews(true, 2)]
#[case::without(false, 0)]
#[tokio::test]
async fn a_drawing_gives_what_it_was_asked_for(
    #[case] wanted: bool,
    #[case] given: usize,
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let world = World::new(how).await;
    let mut request = ask("grok-3-fast", "a moon");
    request.drawing = Some(Drawing { count: 2, aspect_ratio: "3:2".into(), previews: wanted });
    let events = world.events(request.clone()).await.unwrap();
    let images = events.iter().filter(|event| matches!(event.kind, Some(Event::Image(_)))).count();
    let previews = events.iter().filter(|event| match &event.kind {
        Some(Event::ImageProgress(progress)) => progress.preview.is_some(),
        _ => false,
    });
    assert_eq!((images, previews.count()), (2, given));
    let (reserved, settled) = (world.pool.leases()[0].cost, world.pool.settled(1).await[0].units);
    assert_eq!((reserved, settled), (4, None), "what it costs was set aside, and nothing else is spent");
    request.messages[0].parts[0].kind = Some(part::Kind::Text("[[sim:say=I would rather not]]".into()));
    assert_eq!(world.events(request.clone()).await.unwrap_err().code, "upstream_image_missing");
    let settled = world.pool.settled(2).await;
    assert_eq!(settled[1].units, Some(1), "a turn that drew nothing costs what a turn costs");
    request.model = "grok-imagine-0.9".into();
    assert_eq!(world.refusal(request).await.param.as_deref(), Some("model"));
}

#[tokio::test]
async fn an_image_that_cannot_be_fetched_is_not_drawn_again() {
    let world = World::new(Reach::Direct).await;
    world.media.fail_fetches(Some(Error::new(Kind::Upstream, "asset_forbidden", "403")));
    let error = world.events(ask("grok-3-fast", "draw a moon")).await.unwrap_err();
    assert_eq!(error.code, "asset_forbidden");
    assert_eq!(world.outcomes(1).await, [(Outcome::Unknown, true)]);
    assert_eq!(world.pool.leases().len(), 1);
}

#[rstest]
#[case::model(ask("gpt-4", "x"), "model_not_found", "model")]
#[case::silence(ask("grok-3-fast", " \n"), "invalid_value", "messages")]
#[case::attachment(with_attachment(b"<svg/>"), "unsupported_image", "messages[0].content[1].image_url.url")]
#[tokio::test]
async fn bad_requests_cost_nothing_and_name_the_parameter(
    #[case] request: ChatRequest,
    #[case] code: &str,
    #[case] param: &str,
    #[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach,
) {
    let world = World::new(how).await;
    let error = world.refusal(request).await;
    assert_eq!((error.code.as_ref(), error.param.as_deref()), (code, Some(param)));
    assert!(world.pool.leases().is_empty() && world.sim.requests().is_empty());
}

#[rstest]
#[case::unknown_result("200-empty-body", 1)]
#[case::unknown_result("502-html", 1)]
#[case::unknown_result("reset-mid", 1)]
#[case::refused("429", 3)]
#[tokio::test]
async fn a_video_that_may_have_been_begun_is_not_begun_again(#[case] fault: &str, #[case] attempts: usize) {
    let world = World::new(Reach::Direct).await;
    let failed = world.events(ask("grok-imagine-0.9", &format!("[[sim:fault={fault}]]x"))).await;
    assert!(failed.is_err());
    assert_eq!(world.pool.leases().len(), attempts);
}

#[rstest]
#[tokio::test]
async fn the_models_are_listed(#[values(Reach::Direct, Reach::Wired, Reach::Tcp)] how: Reach) {
    let world = World::new(how).await;
    let models = world.chat.list_models(ListModelsRequest {}).await.unwrap().models;
    assert_eq!(models.len(), 6);
    assert!(models.iter().all(|model| model.created > 0 && !model.upstream_name.is_empty()));
}

/// An upstream that answers everything with these lines and then neither ends its answer nor closes; it counts those
/// who left.
async fn lingering(lines: &'static str, tasks: &Tasks) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn_background("lingering", async move {
        let mut open = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = [0; 4096];
            assert!(socket.read(&mut head).await.unwrap() > 0);
            let size = lines.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{lines}\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
            open.push(socket);
        }
    });
    url
}

const ANSWER: &str = r#"{"result":{"response":{"token":"hello","isThinking":false}}}
{"result":{"response":{"modelResponse":{"message":"hello"}}}}
"#;
const DONE: &str = r#"data: {"result":{"response":{"token":"hello","isThinking":false}}}

data: [DONE]

"#;

#[rstest]
#[case::finished_message(ANSWER)]
#[case::done(DONE)]
#[tokio::test]
async fn a_whole_answer_is_whole_although_its_connection_lingers(#[case] lines: &'static str) {
    let tasks = Tasks::new();
    let config = RuntimeConfig { stream_chunk_timeout: 3600, stream_total_timeout: 3600, ..runtime_config() };
    let world = World::with(Reach::Direct, config, Some(lingering(lines, &tasks).await)).await;
    let events = world.events(ask("grok-3-fast", "x")).await.unwrap();
    assert_eq!(text(&events), "hello");
    assert!(matches!(events.last().unwrap().kind, Some(Event::End(_))));
    assert_eq!(world.outcomes(1).await, [(Outcome::Success, true)]);
    tasks.shutdown().stop();
}

#[tokio::test]
async fn a_client_that_never_reads_holds_nothing_beyond_the_total_timeout() {
    let config = RuntimeConfig { stream_total_timeout: 2, ..runtime_config() };
    let world = World::with(Reach::Direct, config, None).await;
    let flood = ask("grok-3-fast", "[[sim:tokens=200000]]");
    let unread = world.chat.complete(flood).await.unwrap();
    assert_eq!(world.outcomes(1).await, [(Outcome::TransportFailed, true)]);
    world.sim.wait(|counters| counters.in_flight == 0).await;
    drop(unread);
}

#[tokio::test]
async fn an_upload_has_time_of_its_own() {
    let config =
        RuntimeConfig { stream_first_response_timeout: 2, stream_total_timeout: 120, ..runtime_config() };
    let world = World::with(Reach::Direct, config, None).await;
    let mut request = ask("grok-3-fast", "[[sim:first_delay_ms=100]]x");
    let attachment = Attachment {
        source: Some(attachment::Source::Data(vec![b'x'; 30 << 20].into())),
        media_type: "text/plain".into(),
        ..Attachment::default()
    };
    request.messages[0].parts.push(Part { kind: Some(part::Kind::Attachment(attachment)) });
    // In a debug build, 30 MiB of base64 and JSON take longer than the answer may.
    let events = world.events(request).await.unwrap();
    assert!(text(&events).contains("1 attachment"), "{}", text(&events));
}

#[tokio::test]
async fn media_that_hangs_holds_back_no_text_and_no_turn() {
    let config = RuntimeConfig { stream_total_timeout: 2, ..runtime_config() };
    let world = World::with(Reach::Direct, config, None).await;
    world.media.hang_fetches();
    let mut stream = world.chat.complete(ask("grok-3-fast", "draw a moon")).await.unwrap();
    let mut events = Vec::new();
    let error = loop {
        match stream.next().await.unwrap() {
            Ok(batch) => events.extend(batch.events),
            Err(error) => break error,
        }
    };
    assert!(text(&events).contains("I generated images"), "the text was told before");
    assert_eq!(error.code, "upstream_total_timeout");
}

#[tokio::test]
async fn the_turns_of_one_conversation_ask_for_one_account() {
    let world = World::new(Reach::Direct).await;
    let mut request = ask("grok-3-fast", "hello");
    world.events(request.clone()).await.unwrap();
    let answer = Message { role: Role::Assistant.into(), ..request.messages[0].clone() };
    request.messages.extend([answer, request.messages[0].clone()]);
    world.events(request).await.unwrap();
    let asked: Vec<_> =
        world.pool.leases().into_iter().map(|lease| (lease.affinity, lease.affinity_begins)).collect();
    assert_eq!(asked[0].0, asked[1].0);
    assert_eq!((asked[0].1, asked[1].1, asked[0].0.is_empty()), (true, false, false));
}

#[tokio::test]
async fn an_account_that_is_named_is_asked_for_and_media_are_made_for_somebody() {
    let world = World::new(Reach::Wired).await;
    for (key, admin) in [("", ""), ("key-1", ""), ("", "anna")] {
        let mut request = ask("grok-3-fast", "draw a moon");
        request.account = "some-account".into();
        request.client_key = key.into();
        request.admin = admin.into();
        world.events(request).await.unwrap();
    }
    assert!(world.pool.leases().iter().all(|lease| lease.account == "some-account"));
    let mut owners: Vec<String> = world.media.fetches().into_iter().map(|fetch| fetch.owner).collect();
    owners.dedup();
    assert_eq!(owners, ["", "key:key-1", "admin:anna"]);
}

#[tokio::test]
async fn a_client_key_has_its_own_conversations_and_its_own_accounts() {
    let world = World::new(Reach::Wired).await;
    for key in ["one", "other"] {
        let mut request = ask("grok-3-fast", "hello");
        request.client_key = key.to_owned();
        request.account_tags = vec![format!("tag-{key}")];
        world.events(request).await.unwrap();
    }
    let leases = world.pool.leases();
    assert_ne!(leases[0].affinity, leases[1].affinity);
    assert_eq!(
        (&leases[0].tags, &leases[1].tags),
        (&vec!["tag-one".to_owned()], &vec!["tag-other".to_owned()])
    );
}
