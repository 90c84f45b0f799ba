//! READMEs in a model's answers.

use answer::fence::{self, Fence};
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
    let Some(readme) = unwrapped(text.trim()).map(str::trim) else {
        return Err(
            "its fence is not closed: it may be cut off; write the whole document, then close it".to_owned()
        );
    };
    if readme.is_empty() {
        return Err("it was empty".to_owned());
    }
    if !is_heading(readme) && !readme.contains(task) {
        return Err("it was not a README: write the document itself, starting with its heading".to_owned());
    }
    Ok(readme.to_owned())
}

/// The content of the outer fence; without one, everything from the title on. None if the outer fence is not closed.
fn unwrapped(text: &str) -> Option<&str> {
    if is_heading(text) {
        return Some(text);
    }
    let title = text.find("\n# ").map_or(text.len(), |end| end + 1);
    let fences = fence::find(text);
    let opener = fences.iter().position(|fence| is_heading(text[fence.line.end..].trim_start()));
    // A fence after the title is part of the README.
    let Some(at) = opener.filter(|&at| fences[at].line.end <= title) else {
        return text.get(title..).filter(|rest| !rest.is_empty()).or(Some(text));
    };
    let (opener, inner) = (&fences[at], &fences[at + 1..]);
    let closer = inner.iter().rfind(|fence| fence.closes(opener))?;
    closes_outer(inner, opener).then(|| &text[opener.line.end..closer.line.start])
}

/// Whether one of the fences `inner`, which follow `opener`, closes it. Blocks in the README may have fences like the
/// outer one: those with a language only open a block, and each block takes two fences.
fn closes_outer(inner: &[Fence<'_>], opener: &Fence<'_>) -> bool {
    let closing = inner.iter().filter(|fence| fence.closes(opener)).count();
    let opening = inner.iter().filter(|fence| fence.may_follow(opener) && !fence.info.is_empty()).count();
    (closing + opening) % 2 == 1
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

/// The criteria that count: the first cells of the table in the section `Points` of a README. None if there is
/// no such table.
pub(in crate::passes) fn points_criteria(readme: &str) -> Vec<String> {
    let section = readme.lines().skip_while(|line| !names_points(line)).skip(1);
    let table = section
        .take_while(|line| !is_heading(line))
        .map(str::trim)
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'));
    let cells = table.skip(2).filter_map(|row| row.trim_matches('|').split('|').next());
    cells.map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
}

fn names_points(line: &str) -> bool {
    is_heading(line) && line.trim_start_matches('#').trim().eq_ignore_ascii_case("points")
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
    }

    #[test]
    fn e3_a_readme_that_is_cut_inside_its_fence_is_rejected() {
        for outer in ["~~~~markdown", "~~~~", "```markdown", "````md"] {
            for end in ["End.", "x\n", "# x\n```", "And that."] {
                let cut = &README[..README.find(end).unwrap() + end.len()];
                let found = in_answer(&format!("Here it is:\n\n{outer}\n{cut}"), StopReason::End, "t");
                assert!(found.is_err_and(|why| why.contains("not closed")), "{outer}: {cut}");
            }
        }
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

    #[test]
    fn the_rows_of_the_table_of_points_are_read() {
        let table = "| criterion | points |\n|---|---:|\n| the **date** | 20 |\n|the amount|80|\n\n| other | table |\n";
        let readme = format!("# T\n\n## Points\n{table}\n## More\n| a | b |\n");
        assert_eq!(points_criteria(&readme), ["the **date**", "the amount"]);
        assert_eq!(points_criteria("## Points\nNo table.\n## More\n| a |\n|---|\n| b |\n"), [""; 0]);
        assert_eq!(points_criteria("## POINTS \n|"), [""; 0]);
        assert_eq!(points_criteria(README), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(text in "[#`~ä\n Da]{0,60}|(#+ |Points|Description|~~~~|```|\n|x){0,30}") {
            drop(in_answer(&text, StopReason::End, "x"));
            drop(points_criteria(&text));
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
