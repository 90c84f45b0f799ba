//! Faults at fixed rates, identical in every run.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::exchange::{Asked, End, Format, Play, Reply};

/// The rate of each fault, from 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// 429, with a wait in the provider's format.
    pub rate_limited: f64,
    /// 500.
    pub server_error: f64,
    /// 503, or 529 in Anthropic's format.
    pub overloaded: f64,
    /// The connection is cut within the answer.
    pub cut: f64,
    /// The answer stops half-way without an end.
    pub stall: f64,
    /// The answer is unusable prose.
    pub prose: f64,
    /// The answer is cut off half-way by the token limit.
    pub truncated: f64,
}

impl Rates {
    /// A bad day: 10 % 429, 5 % 500, 3 % 503 or 529, 2 % cut, 2 % stalled, 3 % prose, 2 % truncated.
    pub const BAD_DAY: Self = Self {
        rate_limited: 0.10,
        server_error: 0.05,
        overloaded: 0.03,
        cut: 0.02,
        stall: 0.02,
        prose: 0.03,
        truncated: 0.02,
    };

    /// 5 %: 1 % each of 500, 503 or 529, cut, stalled and prose.
    pub const USUAL_DAY: Self = Self {
        rate_limited: 0.0,
        server_error: 0.01,
        overloaded: 0.01,
        cut: 0.01,
        stall: 0.01,
        prose: 0.01,
        truncated: 0.0,
    };

    /// The fault for this request, or `answer`. `wait` is the wait of a 429.
    pub fn strike(&self, asked: &Asked, answer: Reply, wait: Duration) -> Play {
        let mut lot = Lot(chance(asked.number));
        if lot.falls_in(self.rate_limited) {
            rate_limited(asked.format, wait)
        } else if lot.falls_in(self.server_error) {
            Play::Status(500, Vec::new(), "<html><h1>Internal Server Error</h1></html>".to_owned())
        } else if lot.falls_in(self.overloaded) {
            overloaded(asked.format)
        } else if lot.falls_in(self.cut) {
            Play::Cut(answer)
        } else if lot.falls_in(self.stall) {
            Play::Stall(answer, Duration::from_hours(1))
        } else if lot.falls_in(self.prose) {
            Play::Answer(Reply { text: "I would rather talk about something else.".to_owned(), ..answer })
        } else if lot.falls_in(self.truncated) {
            let half = (0..=answer.text.len() / 2).rev().find(|end| answer.text.is_char_boundary(*end));
            let text = answer.text.get(..half.unwrap_or(0)).unwrap_or_default().to_owned();
            Play::Answer(Reply { text, end: End::Cut, ..answer })
        } else {
            Play::Answer(answer)
        }
    }
}

/// A number from 0 to 1, reduced by the rates that it did not fall in.
struct Lot(f64);

impl Lot {
    /// Whether the number falls in the next interval, whose length is `rate`.
    fn falls_in(&mut self, rate: f64) -> bool {
        self.0 -= rate;
        self.0 < 0.0 && self.0 >= -rate
    }
}

/// A number from 0 to 1 for a request number, uniformly distributed.
fn chance(number: usize) -> f64 {
    // SplitMix64.
    let mut x = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    f64::from(u32::try_from(x >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

/// A 429 with a wait, in the provider's format.
pub fn rate_limited(format: Format, wait: Duration) -> Play {
    let seconds = wait.as_secs_f64();
    match format {
        Format::Anthropic => Play::Status(
            429,
            vec![("retry-after", format!("{seconds}"))],
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": "too many requests"}}).to_string(),
        ),
        Format::Gemini => Play::refusal(
            429,
            &json!({"error": {
                "code": 429, "status": "RESOURCE_EXHAUSTED",
                "message": format!("You exceeded your current quota. Please retry in {seconds}s."),
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
                        "quotaId": "GenerateRequestsPerMinutePerProjectPerModel", "quotaValue": "25"}]},
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s")},
                ],
            }}),
        ),
        Format::OpenAi => Play::Status(
            429,
            vec![("retry-after-ms", format!("{}", wait.as_millis()))],
            json!({"error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}}).to_string(),
        ),
    }
}

fn overloaded(format: Format) -> Play {
    match format {
        Format::Anthropic => Play::refusal(
            529,
            &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        ),
        _ => Play::refusal(503, &json!({"error": {"code": 503, "message": "The model is overloaded."}})),
    }
}

/// One limit of requests per second for all clients: a bucket that holds those of one second.
#[derive(Debug)]
pub struct Limit {
    per_second: f64,
    /// The requests that may be accepted now, and when that was so.
    bucket: Mutex<(f64, Instant)>,
}

impl Limit {
    /// A limit that no request has used yet.
    pub fn new(per_second: f64) -> Self {
        Self { per_second, bucket: Mutex::new((per_second.max(1.0), Instant::now())) }
    }

    /// Takes a request from the bucket. If it is empty, the time until it no longer is.
    pub fn take(&self) -> Result<(), Duration> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = *bucket;
        let now = Instant::now();
        let refilled = now.duration_since(since).as_secs_f64().mul_add(self.per_second, left);
        let left = refilled.min(self.per_second.max(1.0));
        let is_accepted = left >= 1.0;
        *bucket = (if is_accepted { left - 1.0 } else { left }, now);
        if is_accepted { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - left) / self.per_second)) }
    }
}
