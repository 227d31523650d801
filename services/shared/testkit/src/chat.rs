//! A chat service that plays scripts.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use grok2api_proto::{
    Error, Result, Stream,
    chat::{
        Attempt, Charge, Chat, ChatBatch, ChatEvent, ChatRequest, End, Finish, ListModelsRequest,
        ListModelsResponse, Model, Started, Text, Usage, chat_event::Kind,
    },
};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// One step of a turn after its commit.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends a batch.
    Batch(Vec<Kind>),
    /// Says nothing for a while.
    Wait(Duration),
    /// Says nothing until the test lets it go on.
    Until(Arc<Notify>),
    /// Ends the stream with an error.
    Fail(Error),
    /// Says nothing for ever.
    Hang,
    /// Panics.
    Panic,
}

/// What one call of `complete` does.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// How long the turn needs until it is committed.
    pub commit_after: Duration,
    /// Fails instead of being committed.
    pub refusal: Option<Error>,
    /// What the stream does; it ends when the steps do.
    pub steps: Vec<Step>,
}

impl Turn {
    /// A whole turn in one batch: started, the text, usage, end.
    pub fn answer(text: &str) -> Self {
        Self::of([Step::Batch(vec![
            Kind::Started(Started {
                conversation_id: "conversation".into(),
                attempts: 1,
                tried: vec![Attempt { account_id: "account-1".into(), ..Attempt::default() }],
            }),
            Kind::Charge(Charge { units: 1 }),
            Kind::Text(Text { text: text.into() }),
            Kind::Usage(Usage {
                prompt_tokens: 3,
                completion_tokens: 2,
                reasoning_tokens: 0,
                estimated: true,
            }),
            Kind::End(End { finish: Finish::Stop.into() }),
        ])])
    }

    /// A committed turn of these steps.
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), ..Self::default() }
    }

    /// A turn that fails before its commit.
    pub fn refused(error: Error) -> Self {
        Self { refusal: Some(error), ..Self::default() }
    }

    /// The same turn, committed later.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.commit_after = wait;
        self
    }
}

/// Plays one scripted turn per call, records the requests, and counts the streams that are open.
pub struct FakeChat {
    /// Answers of `list_models`.
    pub models: Vec<Model>,
    turns: Mutex<VecDeque<Turn>>,
    requests: Mutex<Vec<ChatRequest>>,
    open: watch::Sender<usize>,
}

impl Default for FakeChat {
    fn default() -> Self {
        Self {
            models: vec![Model {
                id: "grok-4-fast".into(),
                display_name: "Grok 4 Fast".into(),
                description: "Fast reasoning".into(),
                upstream_name: "grok-4-mini-thinking-tahoe".into(),
                created: 1_735_689_600,
                default_max_output_tokens: 8192,
                max_output_tokens: 131_072,
                default_temperature: 1.0,
                default_top_p: 0.95,
                video: false,
                class: "normal".into(),
                cost: 1,
                minimum_tier: "basic".into(),
            }],
            turns: Mutex::default(),
            requests: Mutex::default(),
            open: watch::channel(0).0,
        }
    }
}

impl FakeChat {
    /// Plays these turns in order; after the last one every call answers "Hello".
    pub fn playing(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self { turns: Mutex::new(turns.into_iter().collect()), ..Self::default() }
    }

    /// The same, with a model that makes videos.
    #[must_use]
    pub fn filming(mut self) -> Self {
        let film = Model { id: "grok-imagine-0.9".into(), video: true, ..self.models[0].clone() };
        self.models.push(film);
        self
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.requests.lock().clone()
    }

    /// Calls and streams that have neither ended nor been dropped.
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Resolves when no call and no stream is open.
    pub async fn closed(&self) {
        let mut open = self.open.subscribe();
        while *open.borrow_and_update() > 0 && open.changed().await.is_ok() {}
    }
}

/// Counts a call from its start to the end of its stream.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(open: &watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

#[tonic::async_trait]
impl Chat for FakeChat {
    async fn complete(&self, request: ChatRequest) -> Result<Stream<ChatBatch>> {
        let counted = Counted::new(&self.open);
        self.requests.lock().push(request);
        let turn = self.turns.lock().pop_front().unwrap_or_else(|| Turn::answer("Hello"));
        if !turn.commit_after.is_zero() {
            tokio::time::sleep(turn.commit_after).await;
        }
        if let Some(error) = turn.refusal {
            return Err(error);
        }
        Ok(stream::unfold((turn.steps.into_iter(), counted), |(mut steps, counted)| async move {
            let reply = play(&mut steps).await?;
            Some((reply, (steps, counted)))
        })
        .boxed())
    }

    async fn list_models(&self, _: ListModelsRequest) -> Result<ListModelsResponse> {
        Ok(ListModelsResponse { models: self.models.clone() })
    }
}

/// The next thing the stream says.
#[expect(clippy::panic, reason = "a script may ask for it")]
async fn play(steps: &mut std::vec::IntoIter<Step>) -> Option<Result<ChatBatch>> {
    loop {
        match steps.next()? {
            Step::Batch(kinds) => {
                return Some(Ok(ChatBatch { events: kinds.into_iter().map(ChatEvent::from).collect() }));
            }
            Step::Wait(wait) => tokio::time::sleep(wait).await,
            Step::Until(gate) => gate.notified().await,
            Step::Fail(error) => return Some(Err(error)),
            Step::Hang => std::future::pending().await,
            Step::Panic => panic!("the script says so"),
        }
    }
}
