//! How long a server asks to wait, in every form that providers use.

use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde_json::Value;

/// The wait that a response asks for: in its headers, in its error, or in the words of its message.
pub(super) fn wait(
    header: impl Fn(&str) -> Option<String>,
    error: &Value,
    message: &str,
) -> Option<Duration> {
    header("retry-after-ms")
        .and_then(|text| number(&text, 0.001))
        .or_else(|| header("retry-after").and_then(|text| retry_after(&text)))
        .or_else(|| from_details(error))
        .or_else(|| from_message(message))
}

/// `Retry-After`: seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    number(text, 1.0).or_else(|| until(text.trim()))
}

/// The time until a date. Zero for a date in the past.
fn until(date: &str) -> Option<Duration> {
    let date = rfc2822::parse(date).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(Timestamp::now())).unwrap_or_default())
}

/// Google's error details: `RetryInfo`, or the reset of a quota.
fn from_details(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    let text = |path: &str| details.iter().find_map(|detail| detail.pointer(path)?.as_str());
    duration(text("/retryDelay").or_else(|| text("/metadata/quotaResetDelay"))?)
}

/// `Please retry in 26.66s.`, `Please try again in 6m0s.`
fn from_message(message: &str) -> Option<Duration> {
    let rest = ["retry in ", "try again in "].iter().find_map(|words| message.split_once(words))?.1;
    let word = rest.split_whitespace().next()?;
    duration(word.trim_end_matches(['.', ',', ';', '!']))
}

/// `26.66s`, `10h17m5.7s`, `12ms`.
fn duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}

fn number(text: &str, unit: f64) -> Option<Duration> {
    let value: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(value * unit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the wait given by one header, or by an error.
    fn check(header: (&str, &str), error: &str, expect: Option<f64>) {
        let error: Value = serde_json::from_str(error).unwrap();
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let found = wait(|name| (name == header.0).then(|| header.1.to_owned()), &error, &message);
        assert_eq!(found.map(|wait| wait.as_secs_f64()), expect, "{header:?} {error}");
    }

    #[test]
    fn every_form_is_read() {
        check(("retry-after", "7"), "{}", Some(7.0));
        check(("retry-after", " 1.5 "), "{}", Some(1.5));
        check(("retry-after-ms", "250"), "{}", Some(0.25));
        check(("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), "{}", Some(0.0));
        check(("", ""), r#"{"details":[{"@type":"Help"},{"retryDelay":"45.5s"}]}"#, Some(45.5));
        check(("", ""), r#"{"details":[{"metadata":{"quotaResetDelay":"10h17m5.5s"}}]}"#, Some(37_025.5));
        check(("", ""), r#"{"message":"Quota exceeded. Please retry in 26.5s."}"#, Some(26.5));
        check(
            ("", ""),
            r#"{"message":"Quota exceeded. Please retry in 26.123456789s."}"#,
            Some(26.123_456_789),
        );
        check(("", ""), r#"{"message":"Rate limit reached. Please try again in 6m0s. See"}"#, Some(360.0));
        check(("", ""), r#"{"message":"Please try again in 12ms."}"#, Some(0.012));
        check(("", ""), r#"{"message":"Please try again in 1m30s."}"#, Some(90.0));
    }

    #[test]
    fn other_text_is_ignored() {
        for text in ["-1", "soon", "", "NaN", "inf", "1e400"] {
            check(("retry-after", text), "{}", None);
        }
        for text in ["5", "s", "5x", "1.2.3s", "99999999999999999999999h"] {
            check(("", ""), &format!(r#"{{"details":[{{"retryDelay":"{text}"}}]}}"#), None);
        }
        check(("", ""), r#"{"details":7,"message":"please retry in a while"}"#, None);
    }

    #[test]
    fn a_date_in_the_future_is_a_wait() {
        let later = Timestamp::now() + Duration::from_mins(1);
        let later = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&later).unwrap();
        let found = retry_after(&later).unwrap();
        assert!(found > Duration::from_secs(50) && found <= Duration::from_mins(1), "{found:?}");
    }
}
