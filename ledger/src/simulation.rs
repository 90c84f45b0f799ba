//! A fleet on a simulated clock: many runs, a provider with a rate limit, faults and hanging calls, and the real
//! [`Book`] between them. Only the milliseconds in which something happens are simulated, so that days pass in seconds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;
use std::time::{Duration, Instant};

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
    /// So many runs have six times as many workers.
    greedy: usize,
    limit: Limit,
}

/// What a provider accepts.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// So many calls per minute. Those of `burst` seconds are accepted at once, if none came before. A rejection says
    /// how long to wait if it `tells`.
    Rate { per_minute: u32, burst: u64, tells: bool },
    /// So many calls at a time.
    AtOnce(u32),
}

/// The result of a simulation. Times are in hours.
#[derive(Debug)]
struct Course {
    fleet: Fleet,
    /// The calls that were accepted.
    calls: Vec<Accepted>,
    rejected: u64,
    hours: f64,
    most_in_flight: u32,
    /// When the first run had a worker without a call, in milliseconds.
    first_idle: u64,
}

/// A call that was accepted. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Accepted {
    run: usize,
    start: u64,
    end: u64,
}

impl Course {
    /// The shortest time in which the provider accepts these calls.
    fn bound(&self) -> f64 {
        match self.fleet.limit {
            Limit::Rate { per_minute, .. } => hours(self.calls.len() as u64 * 60_000 / u64::from(per_minute)),
            Limit::AtOnce(calls) => {
                hours(self.calls.iter().map(|call| call.end - call.start).sum::<u64>() / u64::from(calls))
            }
        }
    }

    /// How much of the limit was used while all runs had calls to make, and the calls of each run in that time.
    fn shares(&self) -> (f64, BTreeMap<usize, f64>) {
        let (from, to) = (self.first_idle / 4, self.first_idle);
        let seconds = Duration::from_millis(to - from).as_secs_f64();
        let mut shares = BTreeMap::new();
        for call in self.calls.iter().filter(|call| (from..to).contains(&call.start)) {
            *shares.entry(call.run).or_default() += 1.0;
        }
        let used = match self.fleet.limit {
            Limit::Rate { per_minute, .. } => {
                shares.values().sum::<f64>() * 60.0 / seconds / f64::from(per_minute)
            }
            Limit::AtOnce(most) => {
                let within = |call: &Accepted| call.end.clamp(from, to) - call.start.clamp(from, to);
                let worked: u64 = self.calls.iter().map(within).sum();
                Duration::from_millis(worked).as_secs_f64() / seconds / f64::from(most)
            }
        };
        (used, shares)
    }
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fleet, calls, rejected, hours, most_in_flight, .. } = self;
        let Fleet { environments, jobs, limit, .. } = fleet;
        let (bound, calls) = (self.bound(), calls.len());
        let over = (hours / bound - 1.0) * 100.0;
        write!(
            f,
            "| {environments} | {limit:?} | {jobs} | {calls} | {rejected} | {most_in_flight} | {hours:.2} | {bound:.2} | {over:.0} % |"
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
    /// It is time for another call.
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    /// The provider says how long to wait.
    Rejected(Option<Duration>),
    Hung,
    Broken,
}

struct World {
    fleet: Fleet,
    start: Instant,
    book: Book<Call>,
    /// When the book is looked at next.
    opens: Option<u64>,
    /// By number. Those that have ended are gone.
    runs: BTreeMap<usize, Run>,
    started: usize,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// Events so far, which orders those of the same time.
    number: u64,
    /// What the provider accepts now, of which a call takes 60,000, and since when.
    bucket: (u64, u64),
    calls: Vec<Accepted>,
    rejected: u64,
    /// The calls that it works on.
    busy: u32,
    in_flight: u32,
    most_in_flight: u32,
    first_idle: Option<u64>,
}

/// The course of a fleet.
fn play(fleet: Fleet) -> Course {
    let limits = Limits { max_cost: None, in_flight: u32::MAX, lease: Duration::from_mins(15) };
    let mut world = World {
        fleet,
        start: Instant::now(),
        book: Book::new(limits),
        opens: None,
        runs: BTreeMap::new(),
        started: 0,
        events: BinaryHeap::new(),
        number: 0,
        bucket: (0, 0),
        calls: Vec::new(),
        rejected: 0,
        busy: 0,
        in_flight: 0,
        most_in_flight: 0,
        first_idle: None,
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
        most_in_flight: world.most_in_flight,
        first_idle: world.first_idle.unwrap_or(now),
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
            Event::Open => {}
        }
        for (ticket, call, decision) in self.book.decide(self.at(now)) {
            assert!(matches!(decision, Decision::Granted(_)), "there is no budget");
            self.send(now, ticket, call);
        }
        self.look_again(now);
    }

    /// Looks at the book again when a call may start.
    fn look_again(&mut self, now: u64) {
        let Some(opens) = self.book.opens_after(self.at(now)) else { return };
        let opens = milliseconds(opens.duration_since(self.start));
        if self.opens.is_none_or(|planned| planned <= now || opens < planned) {
            self.opens = Some(opens);
            self.add(opens, Event::Open);
        }
    }

    fn at(&self, now: u64) -> Instant {
        self.start + Duration::from_millis(now)
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
        let workers = self.fleet.workers * if number < self.fleet.greedy { 6 } else { 1 };
        let mut asked = Vec::new();
        while run.busy < workers {
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
        if run.plans == 0 && run.busy < workers {
            self.first_idle.get_or_insert(now);
        }
        for kind in asked {
            self.add(now, Event::Ask(Call { run: number, kind, attempts: 0 }));
        }
    }

    /// Sends a call to the provider.
    fn send(&mut self, now: u64, ticket: u64, call: Call) {
        self.in_flight += 1;
        if let Err(wait) = self.accept(now) {
            self.rejected += 1;
            return self.add(now + REJECTION, Event::End(ticket, call, End::Rejected(wait)));
        }
        self.busy += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        let lot = scatter(self.calls.len() as u64 + 1);
        let (least, most) = if call.kind == Kind::Files { FILES } else { README };
        let takes = least + lot / 1000 % (most - least);
        let (takes, end) = if lot.is_multiple_of(HANGS) {
            (SILENCE, End::Hung)
        } else if (lot + 1).is_multiple_of(BREAKS) {
            (takes / 2, End::Broken)
        } else {
            (takes, End::Answered)
        };
        self.calls.push(Accepted { run: call.run, start: now, end: now + takes });
        self.add(now + takes, Event::End(ticket, call, end));
    }

    /// Takes a call from the provider's limit. An error says how long to wait, if the provider does.
    fn accept(&mut self, now: u64) -> Result<(), Option<Duration>> {
        let (per_minute, burst, tells) = match self.fleet.limit {
            Limit::AtOnce(most) => return if self.busy < most { Ok(()) } else { Err(None) },
            Limit::Rate { per_minute, burst, tells } => (u64::from(per_minute), burst, tells),
        };
        // A millisecond adds as much as the limit has calls per minute.
        let (left, since) = self.bucket;
        let left = (left + (now - since) * per_minute).min((per_minute * 1000 * burst).max(60_000));
        if left < 60_000 {
            self.bucket = (left, now);
            return Err(tells.then(|| Duration::from_millis((60_000 - left).div_ceil(per_minute))));
        }
        self.bucket = (left - 60_000, now);
        Ok(())
    }

    fn end(&mut self, now: u64, ticket: u64, call: Call, end: End) {
        self.in_flight -= 1;
        let (flow, wait) = match end {
            End::Answered => (Flow::Answered, None),
            End::Rejected(wait) => (Flow::Overloaded, wait),
            End::Hung => (Flow::Overloaded, None),
            End::Broken => (Flow::Failed, None),
        };
        self.busy -= u32::from(!matches!(end, End::Rejected(_)));
        self.book.settle(ticket, Outcome { cost: 0.0, flow, wait }, self.at(now));
        if end != End::Answered {
            let backoff = (BACKOFF << call.attempts.min(6)).min(60_000);
            let backoff = backoff / 2 + scatter(ticket) % (backoff / 2);
            let wait = wait.map_or(0, milliseconds).max(backoff);
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

/// Rounded up.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
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
    Fleet { environments: 249, tasks: 75, jobs: 249, workers: 8, greedy: 0, limit: Limit::AtOnce(1) };

/// A limit of calls per minute, by a provider that says how long to wait.
fn rate(per_minute: u32, burst: u64) -> Limit {
    Limit::Rate { per_minute, burst, tells: true }
}

/// The calls of a minute are accepted at once, or those of a second, which may be a single one.
#[test]
fn a_corpus_takes_hardly_longer_than_the_rate_limit_allows() {
    for limit in [rate(60, 1), Limit::Rate { per_minute: 100, burst: 1, tells: false }, rate(300, 60)] {
        let course = play(Fleet { limit, ..CORPUS });
        assert!(course.calls.len() >= 249 * 150, "{course}");
        assert!(course.hours < course.bound() * 1.15, "{course}");
    }
}

/// A call that hangs at the end takes a quarter of the time that 1,000 calls per minute allow.
#[test]
fn a_fast_provider_is_used_until_the_last_calls() {
    let course = play(Fleet { limit: rate(1000, 1), ..CORPUS });
    let (used, _) = course.shares();
    assert!(used >= 0.99, "{used}: {course}");
    assert!(course.hours < course.bound() * 1.15 + hours(SILENCE + FILES.1), "{course}");
}

#[test]
fn eight_runs_use_what_the_provider_accepts_and_share_it() {
    for limit in [rate(60, 1), rate(100, 60), rate(300, 1), Limit::AtOnce(4), Limit::AtOnce(60)] {
        let course = play(Fleet { environments: 8, tasks: 1000, jobs: 8, workers: 40, greedy: 2, limit });
        let (used, shares) = course.shares();
        assert!(used >= 0.9, "{used} of {limit:?}");
        let fair = shares.values().sum::<f64>() / 8.0;
        assert!(shares.len() == 8 && shares.values().all(|calls| *calls >= fair / 2.0), "{shares:?}");
    }
}

/// The tables of docs/scale.md.
#[test]
#[ignore = "prints the figures of a page, and takes minutes"]
#[expect(clippy::print_stderr, reason = "that is what it is for")]
fn fleets_of_many_sizes() {
    for per_minute in [60, 100, 300, 1000] {
        for (burst, tells) in [(1, true), (1, false), (60, true), (60, false)] {
            let limit = Limit::Rate { per_minute, burst, tells };
            let course = play(Fleet { limit, ..CORPUS });
            eprintln!("{course} {:.1} %", course.shares().0 * 100.0);
        }
    }
    for environments in [1, 20, 1000] {
        eprintln!("{}", play(Fleet { environments, limit: rate(300, 60), ..CORPUS }));
    }
    for limit in
        [rate(60, 1), rate(100, 1), rate(300, 1), Limit::AtOnce(4), Limit::AtOnce(20), Limit::AtOnce(60)]
    {
        let course = play(Fleet { environments: 8, tasks: 1000, jobs: 8, workers: 40, greedy: 2, limit });
        let (used, shares) = course.shares();
        let fair = shares.values().sum::<f64>() / 8.0;
        let least = shares.values().copied().fold(f64::MAX, f64::min) / fair;
        eprintln!("{limit:?}: {:.0} % used, the least has {:.0} % of its share", used * 100.0, least * 100.0);
    }
}
