//! A fleet on a simulated clock: many runs, a provider with a rate limit, faults and hanging calls, and the real
//! [`Book`] between them. Only the milliseconds in which something happens are simulated, so that days pass in seconds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::time::Duration;

use crate::book::{Book, Decision, Limits};
use crate::protocol::{Ask, Flow, Outcome};

/// How long calls take, in milliseconds: those for a README, and those for files.
const README: (u64, u64) = (15_000, 45_000);
const FILES: (u64, u64) = (30_000, 90_000);
/// A call that hangs is given up after this long.
const SILENCE: u64 = 600_000;
/// A rejection takes this long.
const REJECTION: u64 = 200;
/// The first wait after a rejection; it doubles up to a minute.
const BACKOFF: u64 = 1_000;
/// One of so many calls hangs, and one of so many breaks off half-way.
const HANGS: u64 = 100;
const BREAKS: u64 = 50;
/// The calls of a plan, one after the other.
const PLAN_CALLS: u32 = 3;

/// A fleet to be simulated.
#[derive(Clone, Copy, Debug)]
struct Fleet {
    environments: usize,
    tasks: u32,
    /// The runs at a time.
    jobs: usize,
    /// The calls of a run at a time.
    workers: u32,
    /// The rate limit of the provider, in calls.
    per_minute: u64,
    /// The provider accepts the calls of so many seconds at once, if none came before.
    burst: u64,
}

/// The result of a simulation. Times are in hours.
#[derive(Debug)]
struct Course {
    fleet: Fleet,
    calls: u64,
    rejected: u64,
    hours: f64,
    /// The shortest time in which the provider accepts these calls.
    bound: f64,
    most_in_flight: u32,
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fleet, calls, rejected, hours, bound, most_in_flight } = self;
        let Fleet { environments, jobs, per_minute, burst, .. } = fleet;
        let over = (hours / bound - 1.0) * 100.0;
        write!(
            f,
            "| {environments} | {per_minute} | {burst} s | {jobs} | {calls} | {rejected} | {most_in_flight} | {hours:.1} | {bound:.1} | {over:.0} % |"
        )
    }
}

/// What a run still has to ask.
#[derive(Debug, Default)]
struct Run {
    plans: u32,
    readmes: u32,
    /// READMEs are there whose files are not asked for.
    files: u32,
    unanswered: u32,
    busy: u32,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Plan,
    Readme,
    Files,
}

/// A call of a run, and the number of attempts at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    run: usize,
    kind: Kind,
    attempts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A call waits for its turn.
    Ask(Call),
    /// An attempt ends like this.
    End(u64, Call, End),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    Rejected,
    Hung,
    Broken,
}

struct World {
    fleet: Fleet,
    book: Book<Call>,
    /// By number. Those that have ended are gone.
    runs: BTreeMap<usize, Run>,
    started: usize,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// Events so far, which orders those of the same time.
    number: u64,
    /// What the provider accepts now, of which a call takes 60,000, and since when.
    bucket: (u64, u64),
    calls: u64,
    rejected: u64,
    in_flight: u32,
    most_in_flight: u32,
}

/// The course of a fleet.
fn play(fleet: Fleet) -> Course {
    let limits = Limits { max_cost: None, in_flight: u32::MAX, lease: Duration::from_mins(15) };
    let mut world = World {
        fleet,
        book: Book::new(limits),
        runs: BTreeMap::new(),
        started: 0,
        events: BinaryHeap::new(),
        number: 0,
        bucket: (0, 0),
        calls: 0,
        rejected: 0,
        in_flight: 0,
        most_in_flight: 0,
    };
    let mut now = 0;
    world.start_runs(now);
    while let Some(Reverse((at, _, event))) = world.events.pop() {
        now = at;
        world.happen(now, event);
    }
    assert!(world.runs.is_empty() && world.started == fleet.environments);
    Course {
        fleet,
        calls: world.calls,
        rejected: world.rejected,
        hours: hours(now),
        bound: hours(world.calls * 60_000 / fleet.per_minute),
        most_in_flight: world.most_in_flight,
    }
}

impl World {
    fn happen(&mut self, now: u64, event: Event) {
        match event {
            Event::Ask(call) => {
                let ask = Ask { run: format!("run {}", call.run), provider: "p".to_owned(), worst: 0.0 };
                self.book.ask(&ask, call);
            }
            Event::End(ticket, call, end) => self.end(now, ticket, call, end),
        }
        for (ticket, call, decision) in self.book.decide() {
            assert!(matches!(decision, Decision::Granted(_)), "there is no budget");
            self.send(now, ticket, call);
        }
    }

    /// Starts runs as long as there is room for another.
    fn start_runs(&mut self, now: u64) {
        while self.runs.len() < self.fleet.jobs && self.started < self.fleet.environments {
            let unanswered = PLAN_CALLS + 2 * self.fleet.tasks;
            self.runs.insert(self.started, Run { plans: PLAN_CALLS, unanswered, ..Run::default() });
            self.work(now, self.started);
            self.started += 1;
        }
    }

    /// Has the idle workers of a run ask.
    fn work(&mut self, now: u64, number: usize) {
        let Some(run) = self.runs.get_mut(&number) else { return };
        let mut asked = Vec::new();
        while run.busy < self.fleet.workers {
            let kind = if run.plans > 0 {
                // One after the other.
                if run.busy > 0 {
                    break;
                }
                Kind::Plan
            } else if run.files > 0 {
                run.files -= 1;
                Kind::Files
            } else if run.readmes > 0 {
                run.readmes -= 1;
                Kind::Readme
            } else {
                break;
            };
            run.busy += 1;
            asked.push(kind);
        }
        for kind in asked {
            self.add(now, Event::Ask(Call { run: number, kind, attempts: 0 }));
        }
    }

    /// Sends a call to the provider.
    fn send(&mut self, now: u64, ticket: u64, call: Call) {
        self.in_flight += 1;
        if !self.accepts(now) {
            self.rejected += 1;
            return self.add(now + REJECTION, Event::End(ticket, call, End::Rejected));
        }
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        self.calls += 1;
        let lot = scatter(self.calls);
        let (least, most) = if call.kind == Kind::Files { FILES } else { README };
        let takes = least + lot / 1000 % (most - least);
        let (takes, end) = if lot.is_multiple_of(HANGS) {
            (SILENCE, End::Hung)
        } else if (lot + 1).is_multiple_of(BREAKS) {
            (takes / 2, End::Broken)
        } else {
            (takes, End::Answered)
        };
        self.add(now + takes, Event::End(ticket, call, end));
    }

    /// Takes a call from the provider's limit.
    fn accepts(&mut self, now: u64) -> bool {
        // A millisecond adds as much as the limit has calls per minute.
        let (left, since) = self.bucket;
        let most = (self.fleet.per_minute * 1000 * self.fleet.burst).max(60_000);
        let left = (left + (now - since) * self.fleet.per_minute).min(most);
        let is_accepted = left >= 60_000;
        self.bucket = (if is_accepted { left - 60_000 } else { left }, now);
        is_accepted
    }

    fn end(&mut self, now: u64, ticket: u64, call: Call, end: End) {
        self.in_flight -= 1;
        let flow = match end {
            End::Answered => Flow::Answered,
            End::Rejected | End::Hung => Flow::Overloaded,
            End::Broken => Flow::Failed,
        };
        self.book.settle(ticket, Outcome { cost: 0.0, flow });
        if end != End::Answered {
            let wait = (BACKOFF << call.attempts.min(6)).min(60_000);
            let wait = wait / 2 + scatter(ticket) % (wait / 2);
            return self.add(now + wait, Event::Ask(Call { attempts: call.attempts + 1, ..call }));
        }
        let Some(run) = self.runs.get_mut(&call.run) else { return };
        run.busy -= 1;
        run.unanswered -= 1;
        match call.kind {
            Kind::Plan => {
                run.plans -= 1;
                run.readmes = if run.plans == 0 { self.fleet.tasks } else { 0 };
            }
            Kind::Readme => run.files += 1,
            Kind::Files => {}
        }
        if run.unanswered == 0 {
            self.runs.remove(&call.run);
            self.start_runs(now);
        } else {
            self.work(now, call.run);
        }
    }

    fn add(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }
}

fn hours(milliseconds: u64) -> f64 {
    Duration::from_millis(milliseconds).as_secs_f64() / 3600.0
}

/// A number that looks random, by SplitMix64.
fn scatter(number: u64) -> u64 {
    let mut x = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const CORPUS: Fleet =
    Fleet { environments: 249, tasks: 75, jobs: 64, workers: 8, per_minute: 300, burst: 60 };

#[test]
fn a_corpus_takes_hardly_longer_than_the_rate_limit_allows() {
    let course = play(CORPUS);
    assert!(course.calls >= 249 * 150, "{course}");
    assert!(course.hours < course.bound * 1.15, "{course}");
}

/// The tables of docs/scale.md.
#[test]
#[ignore = "prints the figures of a page, and takes minutes"]
#[expect(clippy::print_stderr, reason = "that is what it is for")]
fn fleets_of_many_sizes() {
    for environments in [1, 20, 249] {
        eprintln!("{}", play(Fleet { environments, ..CORPUS }));
    }
    for per_minute in [25, 100, 1000] {
        eprintln!("{}", play(Fleet { jobs: 200, per_minute, ..CORPUS }));
    }
    for (per_minute, burst) in [(100, 10), (300, 10), (100, 1), (300, 1)] {
        eprintln!("{}", play(Fleet { per_minute, burst, ..CORPUS }));
    }
    for environments in [1000, 10_000] {
        eprintln!("{}", play(Fleet { environments, ..CORPUS }));
    }
}
