//! An agent asks about a task of ours: where it stands, what came of it, or that it is not wanted any more.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::{
    base::{ids::CallTaskId, unprinted::Unprinted},
    domain::{
        approvals::{
            Approval, ApprovalState, CallTask, TaskState,
            store::{self, Settled, tasks},
        },
        audit::{self, Entry, Unrecorded},
    },
    flow::{
        decision::ServerFacts,
        fault::{ActionError, ActionResult},
        proxy::{
            self,
            admit::Admitted,
            approve::QUESTION,
            ask::{Answer, AnswerBody, Ask},
            gateway::Gateway,
            judge,
            record::{self, Recorded},
            refusal::{Refusal, Refused},
            reply,
            route::Call,
            tasks::{
                made,
                shown::{self, Questions, Shown},
                stand::{Found, Stand},
                wait::wait,
            },
        },
    },
    io::db::Tx,
    protocol::mcp::{
        error::Code,
        headers,
        message::{self, Message, Request},
        method::Method,
        splice::Edits,
        strict::Limits,
        version::Era,
    },
};

const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// An agent asks about a task of its own.
#[derive(Debug)]
pub struct Poll {
    pub(super) ask: Ask,
    pub(super) admitted: Admitted,
    pub(super) server: Arc<ServerFacts>,
    pub(super) task: CallTaskId,
    pub(super) era: Era,
    /// The task's id as the agent wrote it.
    handle: String,
    /// The id of the request as it was written.
    pub(super) id: String,
    wish: Wish,
}

/// What an agent wants to know or have.
#[derive(Debug)]
enum Wish {
    /// Where it stands.
    Get,
    /// What came of it, as soon as something did.
    Result,
    /// To answer what it was asked.
    Update(Vec<(String, Unprinted<String>)>),
    /// To have it called off.
    Cancel,
}

impl Wish {
    fn of(request: &Request<'_>) -> Result<Self, Refusal> {
        Ok(match request.method() {
            Method::TasksResult => Self::Result,
            Method::TasksCancel => Self::Cancel,
            Method::TasksUpdate => {
                let said = request.params.input_responses();
                let said = said.map_err(|bad| Refusal::BadParams { what: bad.to_string() })?;
                let said = said.iter().flat_map(|all| all.members()).filter_map(|member| {
                    Some((member.key.string()?.into_owned(), member.value.text().to_owned().into()))
                });
                Self::Update(said.collect())
            }
            _ => Self::Get,
        })
    }
}

/// Judges and records that an agent asks about a task of ours.
///
/// # Errors
/// Why it may not.
pub async fn polled(
    gateway: &Gateway,
    ask: &Ask,
    admitted: &Admitted,
    call: Call<'_>,
    task: CallTaskId,
) -> Result<Recorded, Box<Refused>> {
    let permit = judge::judge(admitted, ask, call)?;
    let call = permit.call();
    let refused = |refusal| call.refused(admitted, refusal);
    let request = call.request().ok_or_else(|| refused(Refusal::HandleUnknown))?;
    let wish = Wish::of(request).map_err(refused)?;
    let handle = request.params.task_id().ok().flatten().ok_or_else(|| refused(Refusal::HandleUnknown))?;
    let answered = record::answered(gateway, ask, admitted, request.method(), call.client.as_ref()).await;
    if let Some(stale) = answered.map_err(refused)? {
        return Ok(stale);
    }
    Ok(Recorded::Polled(Box::new(Poll {
        ask: ask.clone(),
        admitted: admitted.clone(),
        server: Arc::clone(&call.server),
        task,
        era: call.era,
        handle: handle.into_owned(),
        id: request.id.raw().text().to_owned(),
        wish,
    })))
}

/// Answers an agent that asks about a task of ours. It is looked after to its end also where the agent hangs up: a call that
/// was claimed and not made would be taken for lost.
pub async fn answer(gateway: &Arc<Gateway>, poll: Poll) -> Answer {
    let (replica, ask) = (Arc::clone(gateway), poll.ask.clone());
    let answered = gateway.tasks.spawn(async move { poll.answer(&replica).await });
    answered.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a task could not be looked after");
        reply::busy(&ask)
    })
}

impl Poll {
    async fn answer(self, gateway: &Arc<Gateway>) -> Answer {
        let came = match &self.wish {
            Wish::Get => self.get(gateway).await,
            Wish::Update(said) => self.update(gateway, said).await,
            Wish::Cancel => self.cancel(gateway).await,
            Wish::Result => return wait(gateway, self).await,
        };
        came.unwrap_or_else(|error| self.away(gateway, &error))
    }

    async fn get(&self, gateway: &Arc<Gateway>) -> ActionResult<Answer> {
        let stand = self.stand(gateway).await?;
        self.show(gateway, stand).await
    }

    async fn show(&self, gateway: &Gateway, stand: Stand) -> ActionResult<Answer> {
        let shown = |task: &CallTask| Shown::of(task, &self.handle, self.era);
        let body = match &stand {
            Stand::Gone => return Ok(self.refused(gateway, Refusal::HandleUnknown)),
            Stand::Waits(task, approval) => {
                let page = self.page(gateway, approval);
                let takes_links = !task.is_led && self.takes_links();
                shown(task).waits(approval, &page, takes_links)
            }
            Stand::Runs(task) => shown(task).runs(),
            Stand::Asks(task, questions) => shown(task).asks(questions),
            Stand::Over(_, text) if let Some(theirs) = shown::task_of(text, self.era) => {
                return Ok(self.forward(gateway, &theirs).await);
            }
            Stand::Over(task, text) => shown(task).over(text),
            Stand::Canceled(task) => shown(task).canceled(),
        };
        Ok(self.result(&body))
    }

    fn page(&self, gateway: &Gateway, approval: &Approval) -> String {
        format!("{}/o/{}/approvals/{}", gateway.base_url, self.admitted.snapshot.slug, approval.id)
    }

    /// Whether the agent, as it says now, leads its person to an address.
    fn takes_links(&self) -> bool {
        let Ok(Message::Request(request)) = message::parse(&self.ask.body, &Limits::of(self.ask.body.len()))
        else {
            return false;
        };
        let said = request.params.meta(super::CAPABILITIES);
        self.era == Era::Modern && said.is_some_and(|said| said.reach(&["elicitation", "url"]).is_some())
    }

    /// Asks the server about the task that it made of the call, under the id that the agent knows.
    async fn forward(&self, gateway: &Gateway, theirs: &str) -> Answer {
        let mut ask = self.ask.clone();
        {
            let Ok(Message::Request(request)) =
                message::parse(&self.ask.body, &Limits::of(self.ask.body.len()))
            else {
                return self.refused(gateway, Refusal::HandleUnknown);
            };
            let mut edits = Edits::of(&self.ask.body);
            if let Some(place) = request.params.get("taskId") {
                edits.replace_string(place, theirs);
            }
            let Ok(body) = edits.apply() else { return self.refused(gateway, Refusal::HandleUnknown) };
            ask.body = Bytes::from(body);
        }
        if ask.headers.contains_key(NAME)
            && let Ok(value) = HeaderValue::from_str(&headers::encode(theirs))
        {
            ask.headers.insert(NAME, value);
        }
        let mut answer = Box::pin(proxy::go_on(gateway, &ask)).await;
        if let AnswerBody::Whole(body) = &mut answer.body {
            *body = shown::renamed(body, theirs, &self.handle);
        }
        answer
    }

    /// Takes what an agent says to what it was asked. What nobody asked is passed over.
    async fn update(
        &self,
        gateway: &Arc<Gateway>,
        said: &[(String, Unprinted<String>)],
    ) -> ActionResult<Answer> {
        let now = gateway.clock.now();
        let mut tx = self.begin(gateway).await?;
        let Some(task) = tasks::find(&mut tx, self.of(), now).await? else {
            tx.done().await?;
            return Ok(self.refused(gateway, Refusal::HandleUnknown));
        };
        match task.state {
            TaskState::Waiting if said.iter().any(|(key, _)| key == QUESTION) => {
                tasks::lead(&mut tx, task.id, now).await?;
                audit::commit_unrecorded(tx, Unrecorded::Task).await?;
            }
            TaskState::Asking => {
                let text = self.open(gateway, &mut tx, &task).await?;
                let questions = Questions::of(&text, task.round);
                match questions.answers(said) {
                    // All are to be answered at once.
                    None => tx.done().await?,
                    Some(answers) => {
                        let again = questions.answered(Some(answers));
                        if let Found::Due(due) = self.claim(gateway, tx, task, Some(&again)).await? {
                            let (_, errand, ask) = *due;
                            made::make(gateway, errand, ask).await;
                        }
                    }
                }
            }
            TaskState::Over => {
                let text = self.open(gateway, &mut tx, &task).await?;
                tx.done().await?;
                if let Some(theirs) = shown::task_of(&text, self.era) {
                    return Ok(self.forward(gateway, &theirs).await);
                }
            }
            TaskState::Waiting | TaskState::Calling | TaskState::Canceled => tx.done().await?,
        }
        Ok(self.result(r#"{"resultType":"complete"}"#))
    }

    /// Calls the task off: what was not made is not made, and what nobody decided nobody need decide. A call that is being
    /// made is not stopped, but nobody is told what came of it.
    async fn cancel(&self, gateway: &Gateway) -> ActionResult<Answer> {
        let now = gateway.clock.now();
        let mut tx = self.begin(gateway).await?;
        let Some(task) = tasks::find(&mut tx, self.of(), now).await? else {
            tx.done().await?;
            return Ok(self.refused(gateway, Refusal::HandleUnknown));
        };
        if task.state == TaskState::Over {
            let text = self.open(gateway, &mut tx, &task).await?;
            tx.done().await?;
            return Ok(match shown::task_of(&text, self.era) {
                Some(theirs) => self.forward(gateway, &theirs).await,
                None => self.too_late(),
            });
        }
        if !tasks::cancel(&mut tx, task.id, now).await? {
            tx.done().await?;
            return Ok(self.too_late());
        }
        let to = Settled {
            state: ApprovalState::Withdrawn,
            is_single: true,
            valid_until: None,
            reason: "",
            by: None,
        };
        let approval = store::find(&mut tx, task.approval).await?;
        let is_waiting = task.state == TaskState::Waiting;
        if let Some(approval) =
            approval.filter(|one| is_waiting && one.state_at(now) == ApprovalState::Pending)
            && store::settle(&mut tx, approval.id, &to, now).await?
        {
            let who = self.admitted.known().who;
            let entry = Entry::admin("approval.withdrawn", &who);
            let entry = entry.target("approval", approval.id, &approval.tool);
            audit::commit(tx, now, vec![entry]).await?;
        } else {
            audit::commit_unrecorded(tx, Unrecorded::Task).await?;
        }
        Ok(match self.era {
            Era::Modern => self.result(r#"{"resultType":"complete"}"#),
            Era::Legacy => self.result(&Shown::of(&task, &self.handle, self.era).canceled()),
        })
    }

    /// The modern era only takes note of the wish; the one before says that there is nothing to call off.
    fn too_late(&self) -> Answer {
        match self.era {
            Era::Modern => self.result(r#"{"resultType":"complete"}"#),
            Era::Legacy => self.error(Code::InvalidParams, "The task is over already."),
        }
    }

    fn result(&self, result: &str) -> Answer {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, self.id);
        reply::json_answer(StatusCode::OK, body.into_bytes())
    }

    pub(super) fn error(&self, code: Code, message: &str) -> Answer {
        let error = serde_json::json!({ "code": code.number(), "message": message });
        let body = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, self.id);
        reply::json_answer(StatusCode::OK, body.into_bytes())
    }

    fn refused(&self, gateway: &Gateway, refusal: Refusal) -> Answer {
        let mut refused = self.admitted.refused(refusal);
        refused.id = Some(self.id.clone());
        refused.is_modern = self.era == Era::Modern;
        reply::refusal(gateway, &self.ask, &refused)
    }

    pub(super) fn away(&self, gateway: &Gateway, error: &ActionError) -> Answer {
        tracing::warn!(%error, "a task cannot be looked after");
        self.refused(gateway, Refusal::Away)
    }

    /// What came of the task, as the call itself would have been answered; none while nothing did.
    pub(super) async fn outcome(&self, gateway: &Arc<Gateway>) -> ActionResult<Option<Answer>> {
        Ok(match self.stand(gateway).await? {
            Stand::Gone => Some(self.refused(gateway, Refusal::HandleUnknown)),
            Stand::Waits(..) | Stand::Runs(_) | Stand::Asks(..) => None,
            Stand::Over(_, text) => match shown::task_of(&text, self.era) {
                Some(theirs) => Some(self.forward(gateway, &theirs).await),
                None => {
                    let body = shown::outcome(&text, &self.id, &self.handle);
                    Some(reply::json_answer(StatusCode::OK, body))
                }
            },
            Stand::Canceled(_) => {
                Some(self.error(Code::InvalidRequest, "The task was called off, and came to nothing."))
            }
        })
    }
}
