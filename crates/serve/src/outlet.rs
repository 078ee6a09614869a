//! What a running program writes, on its way to whoever listens: one thread puts in, any number of tasks take out.
//!
//! A listener that is slow slows the program down, as a full pipe would, unless something is being written to the
//! program: a writer waits for the program, which may wait for its output to be read, so then the output is held here.
//! A listener for whom too much is held is cut off. What nobody listens to is dropped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Bytes held for a listener before the program has to wait.
const FULL: usize = 1 << 20;
/// Bytes held for a listener at most.
const MOST: usize = 16 << 20;

/// Something that takes room.
pub(crate) trait Weigh: Clone {
    /// Its bytes, about.
    fn weight(&self) -> usize;
}

pub(crate) struct Outlet<T> {
    shelf: Mutex<Shelf<T>>,
    /// Rung when there may be room again.
    room: Condvar,
}

struct Shelf<T> {
    lines: BTreeMap<u64, Line<T>>,
    next: u64,
    writers: usize,
    closed: bool,
}

struct Line<T> {
    items: VecDeque<T>,
    bytes: usize,
    cut: bool,
    bell: Arc<Notify>,
}

/// Too slow: not all of the output was kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cut;

/// Who takes out.
pub(crate) struct Listener<T> {
    outlet: Arc<Outlet<T>>,
    number: u64,
    bell: Arc<Notify>,
}

/// As long as it lives, something is being written to the program.
pub(crate) struct Writing<T>(Arc<Outlet<T>>);

impl<T: Weigh> Outlet<T> {
    pub(crate) fn new() -> Arc<Self> {
        let shelf = Shelf { lines: BTreeMap::new(), next: 0, writers: 0, closed: false };
        Arc::new(Outlet { shelf: Mutex::new(shelf), room: Condvar::new() })
    }

    /// Hands something to all who listen, and waits until they have room for more.
    pub(crate) fn put(&self, item: T) {
        let mut shelf = self.shelf();
        let weight = item.weight();
        for line in shelf.lines.values_mut().filter(|line| !line.cut) {
            line.bytes += weight;
            if line.bytes > MOST {
                line.items = VecDeque::new();
                line.bytes = 0;
                line.cut = true;
            } else {
                line.items.push_back(item.clone());
            }
            line.bell.notify_one();
        }
        while !shelf.closed && shelf.writers == 0 && shelf.lines.values().any(|line| line.bytes > FULL) {
            shelf = self.room.wait(shelf).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Says that nothing comes any more.
    pub(crate) fn close(&self) {
        let mut shelf = self.shelf();
        shelf.closed = true;
        shelf.lines.values().for_each(|line| line.bell.notify_one());
        drop(shelf);
        self.room.notify_all();
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.shelf().closed
    }

    /// Begins to listen.
    pub(crate) fn listen(self: &Arc<Self>) -> Listener<T> {
        let mut shelf = self.shelf();
        let (number, bell) = (shelf.next, Arc::new(Notify::new()));
        shelf.next += 1;
        let line = Line { items: VecDeque::new(), bytes: 0, cut: false, bell: Arc::clone(&bell) };
        shelf.lines.insert(number, line);
        Listener { outlet: Arc::clone(self), number, bell }
    }

    /// Begins to write to the program.
    pub(crate) fn writing(self: &Arc<Self>) -> Writing<T> {
        self.shelf().writers += 1;
        self.room.notify_all();
        Writing(Arc::clone(self))
    }
}

impl<T> Outlet<T> {
    fn shelf(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Writing<T> {
    fn drop(&mut self) {
        self.0.shelf().writers -= 1;
    }
}

impl<T: Weigh> Listener<T> {
    /// The next thing; `None` when nothing comes any more. May be dropped while it waits: nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<T>, Cut> {
        loop {
            {
                let mut shelf = self.outlet.shelf();
                let closed = shelf.closed;
                let Some(line) = shelf.lines.get_mut(&self.number) else { return Ok(None) };
                if line.cut {
                    return Err(Cut);
                }
                if let Some(item) = line.items.pop_front() {
                    line.bytes -= item.weight();
                    self.outlet.room.notify_all();
                    return Ok(Some(item));
                }
                if closed {
                    return Ok(None);
                }
            }
            self.bell.notified().await;
        }
    }
}

impl<T> Drop for Listener<T> {
    fn drop(&mut self) {
        self.outlet.shelf().lines.remove(&self.number);
        self.outlet.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weigh for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn everyone_who_listens_gets_everything_from_then_on() {
        let outlet = Outlet::new();
        outlet.put(1usize);
        let mut one = outlet.listen();
        outlet.put(2);
        let mut two = outlet.listen();
        outlet.put(3);
        outlet.close();
        run(async {
            assert_eq!((one.next().await, one.next().await, one.next().await), (Ok(Some(2)), Ok(Some(3)), Ok(None)));
            assert_eq!((two.next().await, two.next().await), (Ok(Some(3)), Ok(None)));
        });
    }

    #[test]
    fn a_slow_listener_holds_the_program_up_until_it_takes_or_goes() {
        let outlet = Outlet::new();
        let mut slow = outlet.listen();
        let program = std::thread::spawn({
            let outlet = Arc::clone(&outlet);
            move || {
                (0..10).for_each(|_| outlet.put(FULL));
                outlet.close();
            }
        });
        run(async {
            assert_eq!(slow.next().await, Ok(Some(FULL)));
        });
        assert!(!program.is_finished());
        drop(slow);
        program.join().unwrap();
    }

    #[test]
    fn while_something_is_written_nobody_waits_and_too_much_cuts_off() {
        let outlet = Outlet::new();
        let mut slow = outlet.listen();
        let writing = outlet.writing();
        (0..100).for_each(|_| outlet.put(FULL));
        drop(writing);
        assert_eq!(run(slow.next()), Err(Cut));
        assert!(outlet.shelf().lines.values().all(|line| line.items.is_empty()));
    }
}
