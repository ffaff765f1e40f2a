//! Which prices hold: the versions of the catalog, in every process, and how one more is added.
//!
//! Owns what this process knows of the versions in the ledger: when each takes effect, and the catalogs that were read from their
//! texts. A version never changes, so what is known of one is exact; that there is a new one is seen by asking the ledger every
//! `ASK_INTERVAL`. What prices mean is `pricing`'s, whose account is charged is not known here.

mod apply;
mod known;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

pub use self::apply::{Application, Applied, ApplyError};
use self::known::Known;
use crate::{
    domain::account::Micros,
    ledger::{CatalogHead, Ledger, LedgerError},
    pricing::{Catalog, Mistakes},
};

/// How often a process asks for new versions, and so the longest that it prices by an old one while the ledger answers.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// One version of the catalog.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its number, when it takes effect, who applied it.
    pub head: CatalogHead,
    /// What it says.
    pub catalog: Arc<Catalog>,
}

/// A version cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CatalogsError {
    /// There is none of this number.
    #[error("the catalog has no version {0}")]
    Unknown(u64),
    /// None is in force yet; the first one that will be, if there is one.
    #[error("no version of the catalog is in force")]
    NotYet(Option<CatalogHead>),
    /// This program cannot read what is in the ledger: a newer one applied it.
    #[error("version {0} of the catalog cannot be read by this program:\n{1}")]
    Unreadable(u64, Mistakes),
    /// The ledger does not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The versions of the catalog. A cheap handle; clones share what is known.
#[derive(Clone)]
pub struct Catalogs {
    ledger: Ledger,
    known: Arc<Mutex<Known>>,
}

impl Catalogs {
    /// Reads what there is.
    ///
    /// # Errors
    /// The ledger does not answer.
    pub async fn open(ledger: Ledger) -> Result<Self, LedgerError> {
        let catalogs = Self {
            ledger,
            known: Arc::default(),
        };
        catalogs.step().await?;
        Ok(catalogs)
    }

    /// Asks for new versions until the flag is raised.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let ask = async {
            loop {
                tokio::time::sleep(ASK_INTERVAL).await;
                if let Err(error) = self.step().await {
                    tracing::warn!(%error, "new versions of the catalog are not seen");
                }
            }
        };
        tokio::select! {
            () = ask => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// The ledger does not answer.
    pub async fn step(&self) -> Result<(), LedgerError> {
        let from = self.known(|known| known.newest());
        let heads = self.ledger.catalogs_from(from).await?;
        if !self.known(|known| known.learn(from, heads)) {
            // The ledger went back to an older copy, and its versions may now be others.
            let heads = self.ledger.catalogs_from(0).await?;
            self.known(|known| known.replace(heads));
        }
        // Read before anybody asks, so that they are there when they take effect and the ledger is not.
        for head in self.known(|known| known.to_read()) {
            match self.read(head).await {
                Ok(_) => {}
                Err(CatalogsError::Ledger(error)) => return Err(error),
                Err(error) => tracing::error!(%error, "a version of the catalog is of no use here"),
            }
        }
        Ok(())
    }

    /// The version in force at an instant, as far as this process knows.
    ///
    /// # Errors
    /// None is, or it cannot be had.
    pub async fn at(&self, now: Micros) -> Result<Version, CatalogsError> {
        self.read(self.head_at(now)?).await
    }

    /// The same, and when another takes its place, as far as this process knows.
    ///
    /// # Errors
    /// None is, or it cannot be had.
    pub async fn in_force(&self, now: Micros) -> Result<(Version, Option<Micros>), CatalogsError> {
        let found = self.known(|known| known.in_force(now).ok_or_else(|| known.first()));
        let (head, until) = found.map_err(CatalogsError::NotYet)?;
        Ok((self.read(head).await?, until))
    }

    /// The same as `at`, but for what it says.
    ///
    /// # Errors
    /// None is in force.
    pub fn head_at(&self, now: Micros) -> Result<CatalogHead, CatalogsError> {
        let found = self.known(|known| known.at(now).ok_or_else(|| known.first()));
        found.map_err(CatalogsError::NotYet)
    }

    /// The number of the version in force at an instant, as far as this process knows; 0: none is.
    #[must_use]
    pub fn number_at(&self, now: Micros) -> u64 {
        self.known(|known| known.number_at(now))
    }

    /// What is known of a version, but for what it says.
    ///
    /// # Errors
    /// None of this number is known.
    pub fn head(&self, number: u64) -> Result<CatalogHead, CatalogsError> {
        let found = self.known(|known| known.numbered(number));
        found.ok_or(CatalogsError::Unknown(number))
    }

    /// A version by its number.
    ///
    /// # Errors
    /// There is none, or it cannot be had.
    pub async fn version(&self, number: u64) -> Result<Version, CatalogsError> {
        if number > self.newest() {
            self.step().await?;
        }
        self.read(self.head(number)?).await
    }

    /// The newest number; 0: there is none.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.known(|known| known.newest())
    }

    /// The text of a version.
    ///
    /// # Errors
    /// There is none, or the ledger does not answer.
    pub async fn text(&self, number: u64) -> Result<String, CatalogsError> {
        let text = self.ledger.catalog_text(number).await?;
        text.ok_or(CatalogsError::Unknown(number))
    }

    async fn read(&self, head: CatalogHead) -> Result<Version, CatalogsError> {
        let number = head.version;
        if let Some(catalog) = self.known(|known| known.catalog(number)) {
            return Ok(Version { head, catalog });
        }
        let text = self.text(number).await?;
        let catalog =
            Catalog::read(&text).map_err(|mistakes| CatalogsError::Unreadable(number, mistakes))?;
        let catalog = Arc::new(catalog);
        self.known(|known| known.keep(&head, Arc::clone(&catalog)));
        Ok(Version { head, catalog })
    }

    /// Never held while anything is awaited. Nothing in it can be half done, so a panic elsewhere is no reason to stop.
    fn known<T>(&self, with: impl FnOnce(&mut Known) -> T) -> T {
        with(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
