//! Adding a version: what is asked is looked at beside the newest version, while nobody else adds one.

use std::sync::Arc;

use super::{Catalogs, CatalogsError, Version};
use crate::{
    domain::account::Micros,
    ledger::{CatalogHead, LedgerError, NewCatalog, NewestCatalog},
    pricing::{
        Catalog, Mistakes,
        diff::{Change, diff},
        warnings,
    },
};

/// A catalog to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its text.
    pub yaml: String,
    /// When it takes effect; absent: now.
    pub effective_at: Option<Micros>,
    /// The newest version that the caller knows, 0 for none; absent: any.
    pub expected: Option<u64>,
    /// Who asks.
    pub applied_by: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The version with this text. Where it was only looked at, as it would be, without a hash.
    pub head: CatalogHead,
    /// A version was added.
    pub added: bool,
    /// What differs from the newest version before.
    pub changes: Vec<Change>,
    /// What somebody will meet.
    pub warnings: Vec<String>,
}

/// It cannot be applied. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// All that is wrong in it.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// Another version is the newest.
    #[error("the newest version is {newest}")]
    Overtaken {
        /// That one.
        newest: u64,
    },
    /// Before now.
    #[error("it is {now}, and nothing takes effect in the past")]
    Past {
        /// The clock's instant.
        now: Micros,
    },
    /// Before the newest version takes effect.
    #[error("version {} takes effect later", .0.version)]
    BeforeNewest(CatalogHead),
    /// Versions cannot be had or compared.
    #[error(transparent)]
    Catalogs(#[from] CatalogsError),
    /// A catalog cannot be written out to be compared, which none is.
    #[error("a catalog cannot be compared: {0}")]
    Compare(#[from] serde_json::Error),
}

impl From<LedgerError> for ApplyError {
    fn from(error: LedgerError) -> Self {
        Self::Catalogs(error.into())
    }
}

impl Catalogs {
    /// Adds a version, unless the newest has this text already, or only looks at what would become of it. Once it answers, this
    /// process uses the version. `now` is asked while nobody else adds one.
    ///
    /// # Errors
    /// It cannot be applied, or a store does not answer: then the same again finds out.
    pub async fn apply<E: From<ApplyError> + From<LedgerError>>(
        &self,
        asked: Application,
        only_look: bool,
        now: impl Future<Output = Result<Micros, E>>,
    ) -> Result<Applied, E> {
        let catalog = Catalog::read(&asked.yaml).map_err(ApplyError::from)?;
        let catalog = Arc::new(catalog);
        let mut applied = None;
        let decide = |newest: NewestCatalog| {
            let (looked, new) = look(&asked, &catalog, newest)?;
            let new = new.filter(|_| !only_look);
            applied = Some(Applied {
                added: new.is_some(),
                ..looked
            });
            Ok(new)
        };
        let heads = self.ledger.add_catalog(now, decide).await?;
        let mut applied = applied.ok_or_else(|| LedgerError::Bug("nothing was decided".into()))?;
        let last = heads.last().filter(|_| applied.added).cloned();
        self.known(|known| {
            if !known.learn(0, heads.clone()) {
                known.replace(heads);
            }
            if let Some(head) = last {
                known.keep(&head, catalog);
                applied.head = head;
            }
        });
        Ok(applied)
    }
}

/// What would become of it, and what to add for that.
fn look(
    asked: &Application,
    catalog: &Catalog,
    newest: NewestCatalog,
) -> Result<(Applied, Option<NewCatalog>), ApplyError> {
    let NewestCatalog { version, now } = newest;
    let (last, text) = version.unzip();
    // Looked at first: a call that is sent again finds its own version, which it could not expect, perhaps in force since long ago.
    if let (Some(head), true) = (&last, text.as_ref() == Some(&asked.yaml)) {
        let applied = Applied {
            head: head.clone(),
            added: false,
            changes: Vec::new(),
            warnings: Vec::new(),
        };
        return Ok((applied, None));
    }
    let number = last.as_ref().map_or(0, |head| head.version);
    if asked.expected.is_some_and(|expected| expected != number) {
        return Err(ApplyError::Overtaken { newest: number });
    }
    let effective_at = asked.effective_at.unwrap_or(now);
    if effective_at < now {
        return Err(ApplyError::Past { now });
    }
    if let Some(head) = last
        .as_ref()
        .filter(|head| effective_at < head.effective_at)
    {
        return Err(ApplyError::BeforeNewest(head.clone()));
    }
    // What a newer program applied can still be followed; only what differs cannot be said.
    let (changes, warnings) = match text.map(|text| Catalog::read(&text)) {
        None => (diff(None, catalog)?, Vec::new()),
        Some(Ok(old)) => (diff(Some(&old), catalog)?, warnings(&old, catalog)),
        Some(Err(_)) => {
            let unread = format!("version {number} cannot be read here: what differs is not known");
            (Vec::new(), vec![unread])
        }
    };
    let new = NewCatalog {
        yaml: asked.yaml.clone(),
        effective_at,
        applied_by: asked.applied_by.clone(),
        applied_at: now,
    };
    let head = CatalogHead {
        version: number + 1,
        effective_at,
        sha256: String::new(),
        applied_by: asked.applied_by.clone(),
        applied_at: now,
    };
    let applied = Applied {
        head,
        added: false,
        changes,
        warnings,
    };
    Ok((applied, Some(new)))
}

impl Version {
    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.head.version
    }
}
