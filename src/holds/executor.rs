//! The executor of a partition: whatever waits goes out as one batch as soon as the one before has answered.
//!
//! Owns the order of calls and their batching. One fsync of Redis serves a batch, so batching is what makes `appendfsync always`
//! affordable; an idle executor sends at once. It does not retry: a lost answer is "unknown", and the caller sends the call again.

use tokio::sync::{mpsc, oneshot, watch};

use super::{
    HoldsError, Observer,
    connection::Connection,
    era::Era,
    keys::Keys,
    operation::Operation,
    program::{BatchReply, Program},
    reply::Reply,
};

/// Rounds in which the script may ask for further keys before the batch is given up.
const KEY_ROUNDS: usize = 8;

/// What an executor needs to know.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most operations in a batch.
    pub batch_max: usize,
    /// Most operations waiting; more are refused at once.
    pub queue_max: usize,
    /// Packed settings for the script.
    pub settings: Vec<u8>,
    /// What goes out are replays.
    pub replays: bool,
}

/// An operation and where its answer goes.
struct Job {
    operation: Operation,
    answer: oneshot::Sender<Result<Reply, HoldsError>>,
}

/// The sending end.
#[derive(Clone)]
pub struct Executor {
    jobs: mpsc::Sender<Job>,
}

impl Executor {
    /// Starts the executor of a partition, whose calls name the latest `era`; it stops when its last handle is dropped.
    #[must_use]
    pub fn start(
        keys: Keys,
        connection: Connection,
        limits: Limits,
        era: watch::Receiver<Era>,
        observe: Observer,
    ) -> Self {
        let (jobs, waiting) = mpsc::channel(limits.queue_max);
        tokio::spawn(run(keys, connection, limits, era, waiting, observe));
        Self { jobs }
    }

    /// Runs one operation.
    ///
    /// # Errors
    /// The queue is full, or the store failed.
    pub async fn run(&self, operation: Operation) -> Result<Reply, HoldsError> {
        let (answer, answered) = oneshot::channel();
        self.jobs
            .try_send(Job { operation, answer })
            .map_err(|_| HoldsError::Unavailable("too many calls are waiting".into()))?;
        answered
            .await
            .map_err(|_| HoldsError::Unavailable("the service is stopping".into()))?
    }
}

async fn run(
    keys: Keys,
    mut connection: Connection,
    limits: Limits,
    era: watch::Receiver<Era>,
    mut waiting: mpsc::Receiver<Job>,
    observe: Observer,
) {
    let mut batch = Vec::with_capacity(limits.batch_max);
    while waiting.recv_many(&mut batch, limits.batch_max).await > 0 {
        observe(batch.len());
        let operations: Vec<&Operation> = batch.iter().map(|job| &job.operation).collect();
        let current = era.borrow().clone();
        let outcome = execute(&keys, &mut connection, &limits, &current, &operations).await;
        match outcome {
            Ok(replies) => batch
                .drain(..)
                .zip(replies)
                .for_each(|(job, reply)| drop(job.answer.send(reply))),
            Err(error) => batch
                .drain(..)
                .for_each(|job| drop(job.answer.send(Err(error.clone())))),
        }
    }
}

/// One batch, with the keys that the script asks for on the way.
async fn execute(
    keys: &Keys,
    connection: &mut Connection,
    limits: &Limits,
    era: &Era,
    operations: &[&Operation],
) -> Result<Vec<Result<Reply, HoldsError>>, HoldsError> {
    let mut asked = Vec::new();
    for _ in 0..KEY_ROUNDS {
        let call = Program::get().call(keys, era, limits, operations, &asked);
        match connection.run(call).await? {
            BatchReply::Done {
                position,
                ledger_n,
                replies,
            } if replies.len() == operations.len() => {
                return Ok(replies
                    .iter()
                    .map(|bytes| Reply::read(bytes, position, ledger_n))
                    .collect());
            }
            BatchReply::Done { replies, .. } => {
                return Err(HoldsError::Bug(format!(
                    "{} answers to {} operations",
                    replies.len(),
                    operations.len()
                )));
            }
            BatchReply::Keys(more) => asked.extend(more),
            BatchReply::Fenced {
                epoch: theirs,
                open,
            } => {
                return Err(HoldsError::Fenced(format!(
                    "{era:?} was named, Redis is at epoch {theirs:?}, open {open:?}"
                )));
            }
            BatchReply::CutShort(why) => return Err(HoldsError::CutShort(why)),
            BatchReply::Failed(why) => return Err(HoldsError::Bug(why)),
        }
    }
    Err(HoldsError::Unavailable(
        "an account has too much that is due at once".into(),
    ))
}
