//! READMEs as HTML. Markup in them is shown as text, images are named and not loaded, and only web links are links.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::text::visible;

/// The headings of a README stand below those of the page.
const SHIFT: usize = 3;

/// A README as HTML.
pub(super) fn to_html(markdown: &str) -> String {
    let markdown = visible(markdown);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut links = Vec::new();
    let events = Parser::new_ext(&markdown, options).filter_map(|event| without_markup(event, &mut links));
    let mut out = String::with_capacity(markdown.len() * 2);
    html::push_html(&mut out, events);
    out
}

/// An event without markup of its own, or nothing. `links` has an entry for each link that is open: whether it is
/// one in the page.
fn without_markup<'a>(event: Event<'a>, links: &mut Vec<bool>) -> Option<Event<'a>> {
    Some(match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock | TagEnd::Image) => return None,
        Event::Start(Tag::Link { dest_url, link_type, .. }) => {
            links.push(is_web(&dest_url));
            if !is_web(&dest_url) {
                return None;
            }
            // Without the title, which is text that shows on no touch screen.
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title: CowStr::Borrowed(""),
                id: CowStr::Borrowed(""),
            })
        }
        Event::End(TagEnd::Link) if links.pop() != Some(true) => return None,
        Event::Start(Tag::Image { dest_url, .. }) => Event::Text(format!("[image {dest_url}] ").into()),
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: below(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        // Alignments would become style attributes, which the page forbids.
        Event::Start(Tag::Table(_)) => Event::Start(Tag::Table(Vec::new())),
        // A checkbox has no name for a screen reader.
        Event::TaskListMarker(is_done) => Event::Text(if is_done { "☑ " } else { "☐ " }.into()),
        other => other,
    })
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn below(level: HeadingLevel) -> HeadingLevel {
    HeadingLevel::try_from((level as usize + SHIFT).min(6)).unwrap_or(HeadingLevel::H6)
}

#[cfg(test)]
mod tests {
    use super::to_html;

    #[test]
    fn markup_is_text_and_only_web_links_are_links() {
        let html = to_html(
            "# A\n\n<script>alert(1)</script>\n\na <img src=x onerror=alert(1)> [x](javascript:alert(1)) \
             [y](https://e.org 't') ![i](http://e.org/i.png)",
        );
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(!html.contains("javascript:") && html.contains("<h4>A</h4>"), "{html}");
        assert!(html.contains(r#"<a href="https://e.org">y</a>"#), "{html}");
    }

    #[test]
    fn the_nesting_of_a_document_is_no_limit() {
        assert!(to_html(&"> ".repeat(20_000)).len() < 1 << 22);
        assert!(to_html(&"[".repeat(50_000)).contains("[[["));
    }
}
