//! Plays the story of `script` against a running service and tells it line by line.
//!
//! Every run has its own accounts. Each answer is compared with the script, so the story is also a test: it ends at the
//! first step that the service answers otherwise. It does not audit; its caller does.

mod ask;
mod script;
mod tell;

use std::io::{self, Write};

use tonic::{Status, transport::Channel};
use uuid::Uuid;

use self::{ask::Asker, script::Scene, tell::Teller};
use super::{client::Services, refusal::Refusal, totals};

/// The story did not go as the rules say.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A step was answered otherwise.
    #[error("scenario: {account}: {step}: {what} is {got}, not {expected}")]
    Otherwise {
        /// Whose story.
        account: String,
        /// Verb and what.
        step: String,
        /// What was compared.
        what: &'static str,
        /// By the script.
        expected: String,
        /// By the service.
        got: String,
    },
    /// A call failed in a way that no step expects.
    #[error("scenario: {account}: {step}: {refusal}")]
    Failed {
        /// Whose story.
        account: String,
        /// Verb and what.
        step: String,
        /// The status, boxed because it is large and rare.
        refusal: Box<Refusal>,
    },
    /// The lines could not be written.
    #[error("scenario: cannot write: {0}")]
    Output(#[from] io::Error),
}

/// Plays the story with accounts of its own. `colour` when `out` is a terminal.
pub async fn play(
    channel: Channel,
    out: &mut impl Write,
    colour: bool,
) -> Result<(), ScenarioError> {
    let services = Services::over(channel);
    let mut teller = Teller { out, colour };
    let run = Uuid::new_v4().simple().to_string();
    let account_ids: Vec<(String, Scene)> = script::SCENES
        .into_iter()
        .map(|scene| (format!("{}-{}", scene.account, &run[..8]), scene))
        .collect();
    for (account_id, scene) in &account_ids {
        play_scene(&services, &mut teller, account_id, scene).await?;
    }
    teller.totals_heading()?;
    for (account_id, scene) in &account_ids {
        let step = || (account_id.clone(), "totals".to_owned());
        let totals = totals::of_ledger(&services, account_id)
            .await
            .map_err(|status| failed(step(), status))?;
        teller.totals(account_id, &totals)?;
        let got = totals
            .named()
            .map(|(_, amount)| amount.normalize().to_string());
        compare(step(), "ledger", &scene.totals.join(" "), &got.join(" "))?;
    }
    Ok(())
}

async fn play_scene(
    services: &Services,
    teller: &mut Teller<'_, impl Write>,
    account_id: &str,
    scene: &Scene,
) -> Result<(), ScenarioError> {
    let mut asker = Asker::new(services.clone(), account_id);
    teller.scene_heading(scene.title, account_id)?;
    for (act, answer, balance) in scene.steps {
        let (verb, what) = tell::act(*act);
        let step = || (account_id.to_owned(), format!("{verb} {what}"));
        let got = asker
            .ask(*act)
            .await
            .map_err(|status| failed(step(), status))?;
        teller.step(verb, &what, &got)?;
        compare(step(), "answer", answer, &got.answer)?;
        let balance_after = [&*got.free, &*got.held, &*got.debt].join(" ");
        compare(
            step(),
            "free, held, debt",
            &balance.join(" "),
            &balance_after,
        )?;
    }
    Ok(())
}

fn failed((account, step): (String, String), status: Status) -> ScenarioError {
    ScenarioError::Failed {
        account,
        step,
        refusal: Box::new(status.into()),
    }
}

fn compare(
    (account, step): (String, String),
    what: &'static str,
    expected: &str,
    got: &str,
) -> Result<(), ScenarioError> {
    if expected == got {
        return Ok(());
    }
    Err(ScenarioError::Otherwise {
        account,
        step,
        what,
        expected: expected.to_owned(),
        got: got.to_owned(),
    })
}
