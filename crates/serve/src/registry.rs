//! All sandboxes: who may have how many, who may see which, and when they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::fault::{Answer, Kind, fault};
use crate::guest::{Guest, Wishes, no_sandbox};

/// Whose a sandbox is: the place of a key, or everyone's where no key is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner(usize);

/// The keys that are accepted, as digests: comparing them takes the same time whatever is in them.
pub(crate) struct Keys(Vec<[u8; 32]>);

impl Keys {
    pub(crate) fn new(keys: &[String]) -> Self {
        Keys(keys.iter().map(|key| Sha256::digest(key.as_bytes()).into()).collect())
    }

    /// Whether none is asked for.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose key it is.
    ///
    /// # Errors
    /// If there is none, or it is unknown.
    pub(crate) fn owner(&self, key: Option<&str>) -> Answer<Owner> {
        let refused = |message: &str| Err(fault(Kind::Unauthenticated, message));
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            return refused("no key: set E2B_API_KEY, which is sent as X-API-KEY");
        };
        if self.is_open() {
            return Ok(Owner(0));
        }
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        match self.0.iter().position(|known| *known == digest) {
            Some(place) => Ok(Owner(place)),
            None => {
                refused("this key is not known here: E2B_API_KEY must be one of the keys that the service was given")
            }
        }
    }
}

/// All sandboxes that are open, by id.
pub(crate) struct Registry {
    guests: Mutex<Guests>,
    /// Sandboxes of one owner.
    most: usize,
}

#[derive(Default)]
struct Guests {
    open: HashMap<String, Arc<Guest>>,
    /// Places taken for sandboxes that are just being opened.
    opening: HashMap<usize, usize>,
}

/// A place for a sandbox that is being opened; given back when dropped.
pub(crate) struct Place {
    registry: Arc<Registry>,
    owner: Owner,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(count) = self.registry.guests().opening.get_mut(&self.owner.0) {
            *count -= 1;
        }
    }
}

impl Registry {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Registry { guests: Mutex::default(), most })
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for one more.
    ///
    /// # Errors
    /// If the owner has as many as allowed.
    pub(crate) fn place(self: &Arc<Self>, owner: Owner) -> Answer<Place> {
        let mut guests = self.guests();
        let open = guests.open.values().filter(|guest| guest.owner == owner).count();
        let opening = guests.opening.entry(owner.0).or_default();
        if open + *opening >= self.most {
            let message = format!(
                "this key has {} sandboxes already, as many as it may; end one (kill) or start the service with a higher \
                 --max-sandboxes",
                open + *opening
            );
            return Err(fault(Kind::TooMany, message));
        }
        *opening += 1;
        drop(guests);
        Ok(Place { registry: Arc::clone(self), owner })
    }

    /// Adds one that has been opened.
    pub(crate) fn add(&self, guest: Guest, place: Place) -> Arc<Guest> {
        let guest = Arc::new(guest);
        self.guests().open.insert(guest.id.clone(), Arc::clone(&guest));
        drop(place);
        guest
    }

    /// One that its owner made before with the same idempotency key.
    pub(crate) fn same(&self, owner: Owner, wishes: &Wishes) -> Option<Arc<Guest>> {
        let key = wishes.idempotency.as_ref()?;
        let same = |guest: &&Arc<Guest>| guest.owner == owner && guest.wishes.idempotency.as_ref() == Some(key);
        self.guests().open.values().find(same).cloned()
    }

    /// Those of an owner, the oldest first.
    pub(crate) fn of(&self, owner: Owner) -> Vec<Arc<Guest>> {
        let mut guests: Vec<_> = self.guests().open.values().filter(|guest| guest.owner == owner).cloned().collect();
        guests.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
        guests
    }

    /// One of an owner.
    pub(crate) fn get(&self, owner: Owner, id: &str) -> Answer<Arc<Guest>> {
        let found = self.guests().open.get(id).filter(|guest| guest.owner == owner).cloned();
        found.ok_or_else(|| fault(Kind::NotFound, format!("sandbox \"{}\" was not found", id.escape_debug())))
    }

    /// One, by the id that a data plane's request names.
    pub(crate) fn find(&self, id: &str) -> Answer<Arc<Guest>> {
        self.guests().open.get(id).cloned().ok_or_else(no_sandbox)
    }

    /// The first for which something holds.
    pub(crate) fn search(&self, holds: impl Fn(&Guest) -> bool) -> Option<Arc<Guest>> {
        self.guests().open.values().find(|guest| holds(guest)).cloned()
    }

    /// Ends one. Everything in it is gone when this returns.
    pub(crate) fn end(&self, id: &str) {
        let guest = self.guests().open.remove(id);
        if let Some(guest) = guest {
            guest.end();
        }
    }

    /// Ends all.
    pub(crate) fn end_all(&self) {
        let all = std::mem::take(&mut self.guests().open);
        all.values().for_each(|guest| guest.end());
    }

    /// Ends, or pauses where that was wished, those whose time is over. A paused one stays, for `longest` after its start.
    pub(crate) fn sweep(&self, now: SystemTime, longest: Duration) {
        let all: Vec<_> = self.guests().open.values().cloned().collect();
        for guest in all {
            let life = guest.life();
            let too_old = now.duration_since(guest.started).is_ok_and(|age| age >= longest);
            let over = life.until <= now && !life.paused;
            if too_old || over && !(guest.wishes.auto_pause && guest.pause(true).is_ok()) {
                self.end(&guest.id);
            }
        }
    }
}
