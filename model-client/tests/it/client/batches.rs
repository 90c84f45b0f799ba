//! Requests in batches: each of them is answered, paid once and at half the price, whatever happens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::interrupt::Interrupt;
use model_client::{
    AskError, BatchNews, BatchSettings, Batches, CallSettings, Client, Journal, Limit, ModelTable,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use testkit::{BatchFaults, Ending, Play, Reply as Said, Server};

use super::{CANARY, request, settings};

/// A model of each provider.
const MODELS: [&str; 3] = ["claude-sonnet-4-6", "gemini-4-argon", "openai:gpt-6-sol"];
const TASKS: usize = 6;

/// A client with batches, and what it reported.
struct Fixture {
    dir: TempDir,
    client: Client,
    interrupt: Interrupt,
    news: Arc<Mutex<Vec<BatchNews>>>,
}

impl Fixture {
    fn new(server: &Server, model: &str) -> Self {
        Self::with(server, model, settings(), false, tempfile::tempdir().unwrap())
    }

    fn with(server: &Server, model: &str, settings: CallSettings, then_live: bool, dir: TempDir) -> Self {
        let interrupt = Interrupt::new();
        let news = Arc::<Mutex<Vec<BatchNews>>>::default();
        let client = client(&server.url(), model, dir.path(), settings, then_live, &interrupt, &news);
        Self { dir, client, interrupt, news }
    }

    /// Asks for all tasks in batches, and then for their answers.
    fn ask_all(&self) -> Vec<Result<String, AskError>> {
        ask_all(&self.client)
    }

    fn journal(&self) -> Vec<serde_json::Value> {
        journal(self.dir.path())
    }

    fn news(&self) -> Vec<String> {
        self.news.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

fn client(
    url: &str,
    model: &str,
    dir: &Path,
    settings: CallSettings,
    then_live: bool,
    interrupt: &Interrupt,
    news: &Arc<Mutex<Vec<BatchNews>>>,
) -> Client {
    let env = |variable: &str| match variable {
        _ if variable.ends_with("_API_KEY") => Some(CANARY.to_owned()),
        _ if variable.ends_with("_BASE_URL") => Some(url.to_owned()),
        _ => None,
    };
    let table = ModelTable::built_in().unwrap();
    let service = model_client::batches_of(model, &table, &settings, &env).unwrap();
    let model = model_client::from_name(model, &table, &settings, &env).unwrap();
    let batch = BatchSettings { poll: Duration::from_millis(1), then_live };
    let batches = Batches::open(dir, model.name(), service, batch).unwrap();
    let journal = Journal::open(&dir.join("answers.jsonl")).unwrap();
    let news = Arc::clone(news);
    Client::new(model, journal, settings, interrupt)
        .with_batches(batches, move |one| news.lock().unwrap().push(one.clone()))
}

/// Asks for all tasks. What is asked second contains the first answer.
fn ask_all(client: &Client) -> Vec<Result<String, AskError>> {
    let ask = |task: usize| {
        let first = client.ask(&request(&format!("task_{task}")))?;
        let mut second = request(&format!("more of task_{task}: {}", first.text));
        second.label = format!("files/task_{task}");
        client.ask(&second).map(|answer| answer.text)
    };
    client.ask_in_batches(|| (0..TASKS).for_each(|task| drop(ask(task))));
    (0..TASKS).map(ask).collect()
}

fn journal(dir: &Path) -> Vec<serde_json::Value> {
    let text = fs_err::read_to_string(dir.join("answers.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn server(faults: BatchFaults) -> Server {
    Server::with_batches(faults, |_| {}, |asked| Play::Answer(Said::new(format!("Re: {}", asked.prompt))))
}

/// How often each request was paid for, by its mark, or will be: a batch that was forgotten is answered all the same.
fn paid(server: &Server) -> BTreeMap<String, usize> {
    let mut paid = BTreeMap::new();
    for batch in server.batches() {
        if !batch.has_ended() {
            for (mark, _) in &batch.requests {
                *paid.entry(mark.clone()).or_default() += 1;
            }
        }
        for result in batch.results().iter().filter(|result| result.kind == "succeeded") {
            *paid.entry(result.mark.clone()).or_default() += 1;
        }
    }
    paid
}

#[track_caller]
fn assert_paid_once(server: &Server, dir: &Path, model: &str) {
    let paid = paid(server);
    assert!(paid.values().all(|&times| times == 1), "{model}: {paid:?}");
    let journal = journal(dir);
    assert_eq!((journal.len(), paid.len()), (2 * TASKS, 2 * TASKS), "{model}");
    for answer in &journal {
        assert!(paid.contains_key(answer["request"].as_str().unwrap()), "{model}: {answer}");
    }
}

#[test]
fn answers_of_batches_are_journalled_as_those_of_calls_at_half_the_price() {
    for model in MODELS {
        let server = server(BatchFaults::default());
        let fixture = Fixture::new(&server, model);
        assert!(fixture.ask_all().iter().all(Result::is_ok), "{model}");
        assert_eq!((server.batches().len(), server.log().len()), (2, 0), "{model}");
        assert_paid_once(&server, fixture.dir.path(), model);
        let totals = fixture.client.totals();
        assert_eq!((totals.answers, totals.journalled), (2 * TASKS as u64, 0), "{model}");

        // The same requests as live calls have the same fingerprints and labels, and cost twice as much.
        let live = super::Fixture::new(&server, model);
        for task in 0..TASKS {
            live.ask(&format!("task_{task}")).unwrap();
        }
        let by_label = |answers: &[serde_json::Value]| -> BTreeMap<String, String> {
            let readmes =
                answers.iter().filter(|answer| answer["label"].as_str().unwrap().starts_with("readme"));
            readmes.map(|answer| (answer["label"].to_string(), answer["request"].to_string())).collect()
        };
        let live_journal: Vec<_> =
            live.journal().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(by_label(&live_journal), by_label(&fixture.journal()), "{model}");
        let costs: f64 = fixture.journal().iter().map(|answer| answer["cost"].as_f64().unwrap()).sum();
        assert!((costs - totals.spent).abs() < 1e-9, "{model}: {costs}");
        let table = ModelTable::built_in().unwrap();
        let price = model_client::facts(model, &table).unwrap().price.unwrap();
        assert!((totals.spent - price.cost(&totals.usage) / 2.0).abs() < 1e-9, "{model}: {}", totals.spent);

        // A live run replays them.
        let path = fixture.dir.path().join("answers.jsonl");
        let replay = super::client(&server.url(), model, &path, settings(), &Interrupt::new());
        assert!(replay.ask(&request("task_3")).is_ok());
        assert_eq!((replay.totals().journalled, replay.totals().answers), (1, 0), "{model}");
    }
}

#[test]
fn what_a_batch_leaves_unanswered_is_asked_again_in_another() {
    for ending in [Ending::Expired, Ending::Cancelled, Ending::PartlyFailed, Ending::Failed] {
        for model in MODELS {
            let server = server(BatchFaults { endings: vec![ending], ..BatchFaults::default() });
            let fixture = Fixture::new(&server, model);
            assert!(fixture.ask_all().iter().all(Result::is_ok), "{model} {ending:?}: {:?}", fixture.news());
            assert_paid_once(&server, fixture.dir.path(), model);
            assert_eq!((server.batches().len(), server.log().len()), (3, 0), "{model} {ending:?}");
        }
    }
}

#[test]
fn what_a_batch_leaves_unanswered_is_asked_live_if_wanted() {
    for model in MODELS {
        let faults = BatchFaults { endings: vec![Ending::Expired], ..BatchFaults::default() };
        let server = server(faults);
        let dir = tempfile::tempdir().unwrap();
        let fixture = Fixture::with(&server, model, settings(), true, dir);
        assert!(fixture.ask_all().iter().all(Result::is_ok), "{model}");
        assert_eq!((server.batches().len(), server.log().len()), (2, TASKS / 2), "{model}");
        assert_eq!(fixture.journal().len(), 2 * TASKS);
    }
}

#[test]
fn a_request_that_batches_never_answer_fails_alone() {
    let cases = [(Ending::PartlyInvalid, "refused", 1), (Ending::PartlyFailed, "server_error", 3)];
    for (ending, code, attempts) in cases {
        for model in MODELS {
            let server = server(BatchFaults { endings: vec![ending; 9], ..BatchFaults::default() });
            let fixture = Fixture::new(&server, model);
            let answers = fixture.ask_all();
            let gave_up = answers.iter().filter_map(|answer| answer.as_ref().err());
            for error in gave_up {
                let AskError::GaveUp { code: found, attempts: made, .. } = error else { panic!("{error}") };
                assert_eq!((*found, *made), (code, attempts), "{model} {ending:?}");
            }
            assert!(answers.iter().any(Result::is_err), "{model} {ending:?}");
            assert!(paid(&server).values().all(|&times| times == 1), "{model} {ending:?}");
        }
    }
}

#[test]
fn nothing_is_paid_twice_although_connections_break_and_servers_fail() {
    for ranges in [true, false] {
        for model in MODELS {
            let faults = BatchFaults {
                cut_creations: vec![1, 2],
                fail_looks: 2,
                cut_downloads: vec![1, 2, 4],
                ranges,
                page: 1,
                ..BatchFaults::default()
            };
            let server = server(faults);
            let fixture = Fixture::new(&server, model);
            assert!(fixture.ask_all().iter().all(Result::is_ok), "{model}: {:?}", fixture.news());
            assert_eq!(server.batches().len(), 2, "{model}");
            assert_paid_once(&server, fixture.dir.path(), model);
        }
    }
}

#[test]
fn a_cost_limit_holds_for_batches() {
    let price = 0.000_001;
    let server = server(BatchFaults::default());
    let dir = tempfile::tempdir().unwrap();
    let settings = CallSettings { max_cost: Some(price), ..settings() };
    let fixture = Fixture::with(&server, MODELS[0], settings, false, dir);
    let answers = fixture.ask_all();
    assert!(
        answers.iter().all(|answer| matches!(answer, Err(AskError::Limit(Limit::Cost { .. })))),
        "{answers:?}"
    );
    assert!(server.batches().is_empty());

    // With room for the worst case of a few requests, batches are as small.
    let dir = tempfile::tempdir().unwrap();
    let table = ModelTable::built_in().unwrap();
    let output = model_client::facts(MODELS[0], &table).unwrap().max_output_tokens.unwrap();
    let worst = f64::from(u32::try_from(output).unwrap()) / 1e6 * 15.0 / 2.0;
    let settings = CallSettings { max_cost: Some(worst * 4.5), ..super::settings() };
    let fixture = Fixture::with(&server, MODELS[0], settings, false, dir);
    assert!(fixture.ask_all().iter().all(Result::is_ok));
    let sizes: Vec<usize> = server.batches().iter().map(|batch| batch.requests.len()).collect();
    // The other two, for less as the length of answers is known, and what is asked second of the four.
    assert_eq!(sizes[..2], [4, 6], "{sizes:?}");
    assert_paid_once(&server, fixture.dir.path(), MODELS[0]);
}

#[test]
fn an_interrupt_leaves_the_batch_to_the_next_run() {
    for model in MODELS {
        let faults = BatchFaults { looks: 5, ..BatchFaults::default() };
        let interrupt = Arc::new(Mutex::new(Interrupt::new()));
        let raised = Arc::clone(&interrupt);
        let server = Server::with_batches(
            faults,
            // The batch is submitted by then, and not ended.
            move |event| {
                if event == 14 {
                    raised.lock().unwrap().raise();
                }
            },
            |asked| Play::Answer(Said::new(format!("Re: {}", asked.prompt))),
        );
        let fixture = Fixture::new(&server, model);
        *interrupt.lock().unwrap() = fixture.interrupt.clone();
        let answers = fixture.ask_all();
        assert!(answers.iter().all(|answer| *answer == Err(AskError::Interrupted)), "{model}: {answers:?}");
        assert_eq!(Batches::unfetched(fixture.dir.path()).unwrap(), TASKS, "{model}");

        let next = Fixture::with(&server, model, settings(), false, fixture.dir);
        assert!(next.ask_all().iter().all(Result::is_ok), "{model}");
        assert!(next.news()[0].starts_with("waiting for a batch of 6 requests"), "{:?}", next.news());
        assert_paid_once(&server, next.dir.path(), model);
        assert_eq!(Batches::unfetched(next.dir.path()).unwrap(), 0, "{model}");
    }
}

/// A process that asks for all tasks in batches.
fn asker(server: &Server, model: &str, dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "client::batches::ask_all_in_batches", "--ignored", "--quiet"])
        .envs(
            [("URL", server.url().as_ref()), ("DIR", dir), ("MODEL", Path::new(model))]
                .map(|(name, value): (&str, &Path)| (name, value.to_owned())),
        )
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "run by the tests below, as a process of its own"]
fn ask_all_in_batches() {
    let dir = PathBuf::from(std::env::var_os("DIR").unwrap());
    let (url, model) = (std::env::var("URL").unwrap(), std::env::var("MODEL").unwrap());
    let client = client(&url, &model, &dir, settings(), false, &Interrupt::new(), &Arc::default());
    assert!(ask_all(&client).iter().all(Result::is_ok));
}

/// The process to kill, and the number of the step at which to do it.
type Target = Arc<Mutex<Option<(Pid, usize)>>>;

/// A server that kills the target at its step.
fn deadly_server(target: &Target) -> Server {
    let target = Arc::clone(target);
    Server::with_batches(
        BatchFaults { page: 1, ..BatchFaults::default() },
        move |event| {
            let mut target = target.lock().unwrap();
            if target.is_some_and(|(_, at)| event == at) {
                kill_process(target.take().unwrap().0, Signal::KILL).unwrap();
            }
        },
        |asked| Play::Answer(Said::new(format!("Re: {}", asked.prompt))),
    )
}

/// Lets a process ask, which is killed this many steps later. Returns whether it has ended before.
fn ask_and_die(server: &Server, target: &Target, model: &str, dir: &Path, steps: usize) -> bool {
    let mut process = {
        // No step is taken before the process is known.
        let mut target = target.lock().unwrap();
        let process = asker(server, model, dir);
        *target = Some((Pid::from_child(&process), server.batch_events() + steps));
        process
    };
    let status = process.wait().unwrap();
    *target.lock().unwrap() = None;
    status.success()
}

#[test]
fn a_run_that_is_killed_at_any_step_loses_nothing_and_pays_nothing_twice() {
    let mut kills = 0;
    for model in MODELS {
        for steps in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let target = Target::default();
            let server = deadly_server(&target);
            if ask_and_die(&server, &target, model, dir.path(), steps) {
                break;
            }
            kills += 1;
            assert!(ask_and_die(&server, &target, model, dir.path(), usize::MAX / 2), "{model} {steps}");
            assert_paid_once(&server, dir.path(), model);
        }
    }
    assert!(kills >= 50, "{kills} kills");
}

#[test]
fn a_run_that_is_killed_again_and_again_comes_to_its_end() {
    for model in MODELS {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::default();
        let server = deadly_server(&target);
        // Each run gets a little further.
        let killed =
            (4..60).take_while(|steps| !ask_and_die(&server, &target, model, dir.path(), *steps)).count();
        assert!(killed > 2, "{model}: {killed}");
        assert_paid_once(&server, dir.path(), model);
    }
}
