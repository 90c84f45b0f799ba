//! Untrusted text in the page: nothing in it is markup, and nothing in it is invisible.

use std::borrow::Cow;
use std::fmt::Write;

use common::text::{escape_except, is_unprintable};

/// `text` with control characters, and characters that are invisible or change direction, written out as in
/// `\u{202e}`. Line feeds and tabs stay.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    escape_except(text, &['\n', '\t'])
}

/// Appends `text` as HTML text that is visible.
pub(super) fn push_html(out: &mut String, text: &str) {
    for c in visible(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            c => out.push(c),
        }
    }
}

/// JSON that may stand in a `<script>` element: no `<` in it can end the element or start a comment, and no
/// character in it is invisible.
pub(super) fn json_in_script(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 1024);
    for c in json.chars() {
        if matches!(c, '<' | '>' | '&') || is_unprintable(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup_or_invisible() {
        let mut html = String::new();
        push_html(&mut html, "<b a='\"'>&\u{202e}\u{1b}[0m\n");
        assert_eq!(html, "&lt;b a=&#x27;&quot;&#x27;&gt;&amp;\\u{202e}\\u{1b}[0m\n");
        assert_eq!(json_in_script("\"</script>\u{202e}\""), r#""\u003c/script\u003e\u202e""#);
    }
}
