//! The threads of a run: workers carry steps out, one thread leads, one tells people, one watches that the leader moves.
//!
//! The leader alone chooses, records, and obeys the guardian. A worker whose step was given up is left behind: what it
//! still brings is not recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use meliora_domain::{Cost, Event, FinishReason, Timestamp};

use crate::approval::Shared;
use crate::error::EvolveError;
use crate::evolution::{Ended, Evolution, Next};
use crate::guardian::{Act, Sight, is_stalled, paused, watch};
use crate::journal::Journal;
use crate::lineage::CAGE_FAILED;
use crate::port::{Alert, Delivery, Herald};
use crate::promotion::rollback;
use crate::standing::{Look, Looked, Reexamination};
use crate::work::{Outcome, Workshop};

/// How long the leader waits for a worker before it looks around again.
const TICK: Duration = Duration::from_millis(200);

/// What somebody carries out.
struct Job {
    ticket: u64,
    task: Task,
}

enum Task {
    /// A step.
    Step(Shared),
    /// Whether what was promoted still stands as it should.
    Look(Box<Look>),
}

struct Done {
    ticket: u64,
    came: Came,
}

/// What came of a task.
enum Came {
    Outcome(Box<Result<Outcome, EvolveError>>),
    Looked(Result<Looked, EvolveError>),
}

/// A step that has not come back.
struct UnderWay {
    errand: Shared,
    since: Timestamp,
}

/// What the leader works with.
struct Shift<'s> {
    jobs: mpsc::Sender<Job>,
    done: mpsc::Receiver<Done>,
    alerts: mpsc::Sender<Alert>,
    told: mpsc::Receiver<Event>,
    /// Rules that somebody is just being told of.
    telling: BTreeSet<String>,
    under_way: BTreeMap<u64, UnderWay>,
    /// The look at what stands that has not come back, and since when.
    looking: Option<(u64, Timestamp)>,
    tickets: u64,
    /// Gets one more worker, in the place of one that was left behind.
    hire: &'s dyn Fn(),
    pulse: &'s Pulse,
}

impl Shift<'_> {
    /// How many workers are at it.
    fn busy(&self) -> usize {
        self.under_way.len() + usize::from(self.looking.is_some())
    }

    fn hand_out(&mut self, task: Task) -> Result<u64, EvolveError> {
        self.tickets += 1;
        let ticket = self.tickets;
        self.jobs.send(Job { ticket, task }).map_err(|_| EvolveError::Worker)?;
        Ok(ticket)
    }
}

/// A sign of life of the leader.
pub(crate) struct Pulse {
    beat: AtomicU64,
    over: AtomicBool,
}

impl Pulse {
    pub(crate) fn new(now: Timestamp) -> Self {
        Pulse { beat: AtomicU64::new(now.0), over: AtomicBool::new(false) }
    }

    pub(crate) fn beat(&self, now: Timestamp) {
        self.beat.store(now.0, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// The canary: says once so whenever the leader, who is the guardian, has not moved for so many seconds.
pub(crate) fn canary(pulse: &Pulse, seconds: f64, clock: &dyn Fn() -> Timestamp, tell: &dyn Fn(Alert)) {
    if seconds <= 0.0 {
        return;
    }
    let limit = (seconds * 1000.0) as u64;
    let mut told = false;
    while !pulse.over.load(Ordering::Relaxed) {
        let silent = clock().0.saturating_sub(pulse.beat.load(Ordering::Relaxed));
        if silent > limit && !told {
            let message = format!(
                "the guardian has not moved for {:.0} s: the run may hang in its archive or its machine; look after it",
                silent as f64 / 1000.0
            );
            tell(Alert { rule: "silence".into(), message });
        }
        told = silent > limit;
        // Woken when the run is over.
        std::thread::park_timeout(Duration::from_millis((limit / 4).clamp(10, 5000)));
    }
}

/// Tells people, one alert after the other, until nobody sends any more.
fn herald(herald: &dyn Herald, alerts: &mpsc::Receiver<Alert>, told: &mpsc::Sender<Event>) {
    for Alert { rule, message } in alerts {
        let alert = Alert { rule, message };
        let mut deliveries = herald.tell(&alert);
        if deliveries.is_empty() {
            deliveries.push(Delivery { to: "journal".into(), failed: None });
        }
        for Delivery { to, failed } in deliveries {
            let (rule, message) = (alert.rule.clone(), alert.message.clone());
            if told.send(Event::Alerted { rule, message, to, failed }).is_err() {
                return;
            }
        }
    }
}

/// Tells people of a pause that nobody was told of, because a crash came in between. Nothing where they were.
///
/// # Errors
/// When the journal cannot be written.
pub fn tell_of_pause(journal: &mut Journal<'_>, ways: &dyn Herald) -> Result<(), EvolveError> {
    let untold = journal.lineage().watched.paused().filter(|pause| !pause.told).cloned();
    let Some(pause) = untold else { return Ok(()) };
    let ((alerts, alerted), (deliveries, told)) = (mpsc::channel(), mpsc::channel());
    let _ = alerts.send(Alert { rule: pause.rule, message: paused(&pause.reason) });
    drop(alerts);
    herald(ways, &alerted, &deliveries);
    drop(deliveries);
    journal.record(&told.into_iter().collect::<Vec<Event>>())?;
    Ok(())
}

fn work(workshop: &Workshop<'_>, inbox: &Mutex<mpsc::Receiver<Job>>, results: &mpsc::Sender<Done>) {
    loop {
        let job = inbox.lock().ok().and_then(|inbox| inbox.recv().ok());
        let Some(Job { ticket, task }) = job else { return };
        let came = match task {
            Task::Step(errand) => Came::Outcome(Box::new(workshop.carry_out(&errand))),
            Task::Look(look) => Came::Looked(workshop.look(&look)),
        };
        if results.send(Done { ticket, came }).is_err() {
            return;
        }
    }
}

impl Evolution<'_> {
    /// Runs with as many workers as there are jobs.
    pub(crate) fn together(&mut self) -> Result<Ended, EvolveError> {
        let (setup, workshop) = (self.setup, self.workshop());
        let (jobs, inbox) = mpsc::channel::<Job>();
        let inbox = Mutex::new(inbox);
        let (results, done) = mpsc::channel();
        let (alerts, alerted) = mpsc::channel();
        let (deliveries, told) = mpsc::channel();
        let pulse = Pulse::new((setup.clock)());
        std::thread::scope(|scope| {
            let (inbox, pulse) = (&inbox, &pulse);
            let hire = || {
                let (workshop, results) = (workshop.clone(), results.clone());
                scope.spawn(move || work(&workshop, inbox, &results));
            };
            for _ in 0..setup.jobs.max(1) {
                hire();
            }
            scope.spawn(move || herald(setup.herald, &alerted, &deliveries));
            let alarm = alerts.clone();
            let watcher = scope.spawn(move || {
                let tell = |alert| drop(alarm.send(alert));
                canary(pulse, setup.guardian.silence.seconds, &setup.clock, &tell);
            });
            let (telling, under_way) = (BTreeSet::new(), BTreeMap::new());
            let mut shift =
                Shift { jobs, done, alerts, told, telling, under_way, looking: None, tickets: 0, hire: &hire, pulse };
            let ended = self.lead(&mut shift);
            pulse.end();
            watcher.thread().unpark();
            let Shift { alerts, told, .. } = shift;
            drop(alerts);
            // What is still being told is waited for, so that the journal knows whether it arrived.
            for event in told {
                self.journal.record(&[event])?;
            }
            ended
        })
    }

    fn lead(&mut self, shift: &mut Shift<'_>) -> Result<Ended, EvolveError> {
        let mut ended = None;
        let mut broken = None;
        loop {
            if broken.is_none() {
                broken = self.look_around(shift).err();
            }
            while ended.is_none() && broken.is_none() && shift.busy() < self.setup.jobs.max(1) {
                match self.choose(shift.under_way.len()) {
                    Ok(Next::Errand(errand)) => self.send(shift, errand.into())?,
                    Ok(Next::Wait) => break,
                    Ok(Next::End(end)) => {
                        // What is under way may change the decision; without it, or stopped from outside, this is the end.
                        if shift.under_way.is_empty() || !matches!(end, Ended::Finished(_)) {
                            ended = Some(end);
                        }
                        break;
                    }
                    Err(e) => broken = Some(e),
                }
            }
            if shift.busy() == 0 {
                return broken.map_or(Ok(ended.unwrap_or(Ended::Finished(FinishReason::Exhausted))), Err);
            }
            match shift.done.recv_timeout(TICK) {
                Ok(done) => broken = self.take(shift, done).err().or(broken),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(EvolveError::Worker),
            }
        }
    }

    fn send(&self, shift: &mut Shift<'_>, errand: Shared) -> Result<(), EvolveError> {
        let ticket = shift.hand_out(Task::Step(errand.clone()))?;
        shift.under_way.insert(ticket, UnderWay { errand, since: (self.setup.clock)() });
        Ok(())
    }

    /// Takes what a worker brought.
    fn take(&mut self, shift: &mut Shift<'_>, done: Done) -> Result<(), EvolveError> {
        let outcome = match done.came {
            Came::Outcome(outcome) => *outcome,
            // One that was given up is not believed.
            Came::Looked(looked) => match shift.looking.take_if(|(ticket, _)| *ticket == done.ticket) {
                Some(_) => return self.looked_at(looked),
                None => return Ok(()),
            },
        };
        let Some(UnderWay { errand, .. }) = shift.under_way.remove(&done.ticket) else {
            // Its step was given up. The examinations that it had set aside for re-runs are given back.
            let extra = outcome.map_or(0, |outcome| outcome.extra_reserved);
            self.budget.settle(Cost::evals(extra), Cost::ZERO);
            return Ok(());
        };
        match outcome {
            Err(EvolveError::Sandbox(e)) if self.tries(errand.step) < self.setup.guardian.stall.restarts => {
                self.redo(shift, &errand, format!("{CAGE_FAILED}: {e}"))
            }
            outcome => self.settle(&errand, outcome),
        }
    }

    fn tries(&self, step: u64) -> u32 {
        self.journal.lineage().watched.restarts.get(&step).copied().unwrap_or(0)
    }

    /// Gives a step up and sends it out again. What its proposal may have cost stays charged, and is set aside anew.
    fn redo(&mut self, shift: &mut Shift<'_>, errand: &Shared, reason: String) -> Result<(), EvolveError> {
        let step = errand.step;
        let mut events = vec![Event::Restarted { step, reason }];
        let affordable = self.budget.reserve(errand.aside()).is_ok();
        if affordable && errand.aside() != Cost::ZERO {
            events.push(Event::Reserved { step, cost: errand.aside() });
        }
        self.journal.record(&events)?;
        if affordable {
            return self.send(shift, errand.clone());
        }
        // The budget ends the run; what was set aside for the examination goes back.
        self.budget.settle(Cost::evals(1), Cost::ZERO);
        Ok(())
    }

    /// Takes in what people said, journals whom the herald told, and obeys the guardian.
    fn look_around(&mut self, shift: &mut Shift<'_>) -> Result<(), EvolveError> {
        shift.pulse.beat((self.setup.clock)());
        while let Ok(event) = shift.told.try_recv() {
            if let Event::Alerted { rule, .. } = &event {
                shift.telling.remove(rule);
            }
            self.journal.record(&[event])?;
        }
        self.take_words()?;
        let under_way: Vec<(u64, Timestamp)> = shift.under_way.values().map(|u| (u.errand.step, u.since)).collect();
        let now = (self.setup.clock)();
        let sight = Sight { lineage: self.journal.lineage(), under_way: &under_way, looked: self.looked, now };
        for act in watch(&sight, self.setup.guardian) {
            self.obey(shift, act)?;
        }
        if let Some((_, since)) = shift.looking
            && is_stalled(since, now, self.setup.guardian)
        {
            // It is left behind as a step would be, and looked at anew when its time has come.
            shift.looking = None;
            (shift.hire)();
            let limit = meliora_domain::counted(self.setup.guardian.stall.minutes, "minute");
            tell(shift, "stall".into(), format!("the look at what stands has not come back within {limit}"));
        }
        if self.journal.lineage().watched.paused().is_some() {
            // Whoever stalls is not waited for.
            shift.under_way.retain(|_, u| !is_stalled(u.since, now, self.setup.guardian));
        }
        Ok(())
    }

    fn obey(&mut self, shift: &mut Shift<'_>, act: Act) -> Result<(), EvolveError> {
        match act {
            Act::Alert { rule, message } => tell(shift, rule, message),
            Act::Pause { rule, reason } => {
                if self.journal.lineage().watched.paused().is_none() {
                    tell(shift, rule.clone(), paused(&reason));
                    self.journal.record(&[Event::Paused { rule, reason }])?;
                }
            }
            Act::Restart { step, reason } => {
                let ticket = shift.under_way.iter().find(|(_, u)| u.errand.step == step).map(|(ticket, _)| *ticket);
                if let Some(left) = ticket.and_then(|ticket| shift.under_way.remove(&ticket)) {
                    (shift.hire)();
                    self.redo(shift, &left.errand, reason)?;
                }
            }
            Act::RollBack { reason } => {
                if !shift.telling.contains("degradation") {
                    let message = self.roll_back(&reason)?;
                    tell(shift, "degradation".into(), message);
                }
            }
            Act::Reexamine => self.look_at_what_stands(shift)?,
        }
        Ok(())
    }

    /// Undoes the newest promotion; a tree that cannot be touched is something that a person is told, and no end of the run.
    fn roll_back(&mut self, reason: &str) -> Result<String, EvolveError> {
        let by_hand = "`meliora rollback` undoes the promotion";
        let Some(target) = self.setup.target else {
            return Ok(format!(
                "the promoted variant got worse ({reason}), and nothing here may touch your tree; {by_hand}"
            ));
        };
        match rollback(&mut self.journal, self.setup.archive, target, None, &format!("automatic: {reason}")) {
            Ok((to, _)) => {
                Ok(format!("the promoted variant got worse and was rolled back to {}: {reason}", to.short()))
            }
            Err(e @ (EvolveError::Target(_) | EvolveError::NotAllowed { .. })) => {
                Ok(format!("the promoted variant got worse ({reason}), but cannot be rolled back: {e}; {by_hand}"))
            }
            Err(e) => Err(e),
        }
    }

    /// Has somebody examine what stands in the user's tree.
    fn look_at_what_stands(&mut self, shift: &mut Shift<'_>) -> Result<(), EvolveError> {
        let Some(target) = self.setup.target.filter(|_| shift.looking.is_none()) else { return Ok(()) };
        self.looked = (self.setup.clock)();
        match Look::at(self.journal.lineage(), self.setup.archive, target, self.setup.suite) {
            Ok(Ok(look)) => {
                shift.looking = Some((shift.hand_out(Task::Look(Box::new(look)))?, self.looked));
                Ok(())
            }
            // What cannot be looked at now is looked at later.
            Ok(Err(_)) | Err(EvolveError::Target(_)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Records what a look came to. A proven drop is rolled back at once; one whose rollback fails is journalled, and the
    /// guardian sees it.
    fn looked_at(&mut self, looked: Result<Looked, EvolveError>) -> Result<(), EvolveError> {
        let Some(target) = self.setup.target else { return Ok(()) };
        match looked.and_then(|looked| looked.record(&mut self.journal, self.setup.archive, target)) {
            Ok(Reexamination::RolledBack(to, _, why)) => {
                let message = format!("rolled back to {}: {why}", to.short());
                self.journal.record(&[Event::Warned { message }]).map(|_| ())
            }
            Ok(_) => Ok(()),
            Err(
                EvolveError::Target(_)
                | EvolveError::NotAllowed { .. }
                | EvolveError::Sandbox(_)
                | EvolveError::Model { .. },
            ) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

fn tell(shift: &mut Shift<'_>, rule: String, message: String) {
    if shift.telling.insert(rule.clone()) {
        // The herald lives as long as the shift.
        let _ = shift.alerts.send(Alert { rule, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the canary says while the clock goes a second further at each look and the leader moves as told.
    fn said(seconds: f64, looks: u64, moves: impl Fn(u64) -> bool) -> Vec<Alert> {
        let (pulse, time) = (Pulse::new(Timestamp(0)), AtomicU64::new(0));
        let said = Mutex::new(Vec::new());
        let clock = || {
            let now = time.fetch_add(1000, Ordering::Relaxed) + 1000;
            if moves(now / 1000) {
                pulse.beat(Timestamp(now));
            }
            if now / 1000 >= looks {
                pulse.end();
            }
            std::thread::current().unpark();
            Timestamp(now)
        };
        canary(&pulse, seconds, &clock, &|alert| said.lock().unwrap().push(alert));
        said.into_inner().unwrap()
    }

    #[test]
    fn a_guardian_that_falls_silent_is_itself_an_alarm_once_for_each_silence() {
        assert_eq!(said(3.0, 20, |_| true), Vec::new(), "it moved all the time");
        let alarms = said(3.0, 20, |_| false);
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(alarms[0].rule == "silence" && alarms[0].message.contains("has not moved for 4 s"), "{alarms:?}");
        assert_eq!(said(3.0, 20, |now| now == 10).len(), 2, "it moved once between two silences");
        assert_eq!(said(0.0, 20, |_| false), Vec::new(), "the rule is off");
    }

    struct Tells(Vec<Delivery>);

    impl Herald for Tells {
        fn tell(&self, _: &Alert) -> Vec<Delivery> {
            self.0.clone()
        }
    }

    #[test]
    fn every_way_of_telling_is_journalled_and_where_there_is_none_the_journal_alone_knows() {
        let heard = |ways: Vec<Delivery>| {
            let ((alerts, alerted), (deliveries, told)) = (mpsc::channel(), mpsc::channel());
            alerts.send(Alert { rule: "budget".into(), message: "spent".into() }).unwrap();
            drop(alerts);
            herald(&Tells(ways), &alerted, &deliveries);
            drop(deliveries);
            told.into_iter().collect::<Vec<Event>>()
        };
        let event = |to: &str, failed: Option<&str>| {
            let (to, failed) = (to.to_owned(), failed.map(str::to_owned));
            Event::Alerted { rule: "budget".into(), message: "spent".into(), to, failed }
        };
        let way = |to: &str, failed: Option<&str>| Delivery { to: to.into(), failed: failed.map(str::to_owned) };
        assert_eq!(
            heard(vec![way("terminal", None), way("webhook", Some("refused"))]),
            [event("terminal", None), event("webhook", Some("refused"))]
        );
        assert_eq!(heard(Vec::new()), [event("journal", None)]);
    }
}
