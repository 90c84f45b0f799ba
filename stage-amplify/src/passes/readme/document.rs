//! READMEs in a model's answers.

use answer::fence;
use common::record::StopReason;

/// The README of `task` in an answer, or what is wrong with the answer, in words for the model.
///
/// The README is requested in one fence. A missing fence, another language or length of the fence, and text
/// before it are accepted too.
pub(super) fn in_answer(text: &str, stop: StopReason, task: &str) -> Result<String, String> {
    match stop {
        StopReason::End => {}
        StopReason::MaxTokens => return Err("it was cut off; be briefer".to_owned()),
        StopReason::Refused | StopReason::Filtered => {
            return Err("there was no answer; avoid content that is not allowed".to_owned());
        }
        StopReason::Other => return Err("it ended before it was complete".to_owned()),
    }
    let readme = unwrapped(text.trim()).trim();
    if readme.is_empty() {
        return Err("it was empty".to_owned());
    }
    if !is_heading(readme) && !readme.contains(task) {
        return Err("it was not a README: write the document itself, starting with its heading".to_owned());
    }
    Ok(readme.to_owned())
}

/// The content of the outer fence; without one, everything from the title on.
fn unwrapped(text: &str) -> &str {
    if is_heading(text) {
        return text;
    }
    let title = text.find("\n# ").map_or(text.len(), |end| end + 1);
    let fences = fence::find(text);
    let opener = fences.iter().find(|fence| is_heading(text[fence.line.end..].trim_start()));
    // A fence after the title is part of the README.
    let Some(opener) = opener.filter(|opener| opener.line.end <= title) else {
        return text.get(title..).filter(|rest| !rest.is_empty()).unwrap_or(text);
    };
    let closer = fences.iter().rfind(|fence| fence.line.start > opener.line.start && fence.closes(opener));
    &text[opener.line.end..closer.map_or(text.len(), |closer| closer.line.start)]
}

fn is_heading(text: &str) -> bool {
    text.starts_with('#') && text.trim_start_matches('#').starts_with(' ')
}

/// The description that the agent is given: the section `Description` of a README; the whole README if it has
/// none.
pub(in crate::passes) fn description(readme: &str) -> &str {
    let mut found: Option<(usize, usize)> = None;
    let mut at = 0;
    for line in readme.split_inclusive('\n') {
        let level = line.bytes().take_while(|&byte| byte == b'#').count();
        if level > 0 && line[level..].starts_with(' ') {
            if let Some((from, outer)) = found {
                if level <= outer {
                    return readme[from..at].trim();
                }
            } else if names_description(&line[level..]) {
                found = Some((at + line.len(), level));
            }
        }
        at += line.len();
    }
    found.map_or(readme, |(from, _)| readme[from..].trim())
}

fn names_description(heading: &str) -> bool {
    let heading = heading.trim().to_lowercase();
    heading == "description" || heading == "task description"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const README: &str =
        "# T (`t@1`)\n\n## Description\nDo it.\n\n### More\nAnd that.\n\n## Data\n```sh\n# x\n```\nEnd.";

    fn check(answer: &str) {
        assert_eq!(in_answer(answer, StopReason::End, "t").as_deref(), Ok(README));
    }

    #[test]
    fn a_readme_is_found_in_any_wrapping() {
        check(README);
        check(&format!("~~~~markdown\n{README}\n~~~~\n"));
        check(&format!("```markdown\n{README}\n```"));
        check(&format!("Sure!\n\n````md\n\n{README}\n\n````\nDone."));
        check(&format!("Here it is:\n{README}"));
        check(&format!("~~~~\n{README}"));
    }

    #[test]
    fn other_answers_are_rejected() {
        assert!(in_answer("I cannot help with that.", StopReason::End, "merge_x").is_err());
        assert!(in_answer(" ", StopReason::End, "t").is_err());
        assert!(in_answer(README, StopReason::MaxTokens, "t").is_err());
        assert!(in_answer("The task merge_x asks for a merge.", StopReason::End, "merge_x").is_ok());
    }

    #[test]
    fn the_description_ends_with_its_section() {
        assert_eq!(description(README), "Do it.\n\n### More\nAnd that.");
        assert_eq!(description("no sections"), "no sections");
        assert_eq!(description("## Task Description\nx"), "x");
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(text in "[#`~ä\n Da]{0,60}|(#+ |Description|~~~~|```|\n|x){0,30}") {
            drop(in_answer(&text, StopReason::End, "x"));
            prop_assert!(text.contains(description(&text)));
        }

        #[test]
        fn a_readme_in_tildes_is_read_as_it_was_written(body in "[#`a\n ]{0,60}") {
            let readme = format!("# T\n{body}").trim().to_owned();
            let answer = format!("~~~~markdown\n{readme}\n~~~~\n");
            prop_assert_eq!(in_answer(&answer, StopReason::End, "t"), Ok(readme));
        }
    }
}
