//! Fenced blocks of an answer: their start, end and name.
//!
//! CommonMark ends a block at the first line that can close it. By that rule, contents that contain such a line
//! (a README with code, a heredoc that writes Markdown) end too early. JSON, Python and shell scripts can be
//! checked for completeness, so the first closing line that completes the content counts. Markdown cannot be
//! checked: the fences inside are paired, and where that leaves a choice, the blank lines around a fence say
//! whether it opens or closes a block. If they do not, the block is ambiguous.

use std::borrow::Cow;

use super::content_kind::ContentKind;
use super::fence::{self, Fence};
use super::name::{self, FirstLine, Label, NameError, Said};
use task_spec::files::is_core;

/// A fenced block.
#[derive(Clone, Debug)]
pub(super) struct Block<'a> {
    /// The file that the answer names for it.
    pub file: Option<Said>,
    /// Whether the name is on the fence itself, not on a line near it.
    pub by_fence: bool,
    /// The kind of its content.
    pub kind: ContentKind,
    /// Its content.
    pub content: Cow<'a, str>,
    /// The line of the answer on which it starts, from 1.
    pub line: usize,
    /// How it ends.
    pub end: End,
}

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A fence closes it.
    Closed,
    /// The answer ends, or another file starts, before it is closed.
    Unclosed,
    /// More than one line may close it.
    Ambiguous,
}

/// Finds the blocks of `text`. `None` if there are more than [`fence::MAX_FENCES`] fences.
pub(super) fn find(text: &str) -> Option<Vec<Block<'_>>> {
    let fences = fence::find(text);
    if fences.len() > fence::MAX_FENCES {
        return None;
    }
    let heads: Vec<Head> = (0..fences.len()).map(|at| Head::read(text, &fences, at)).collect();
    let mut finder = Finder { text, fences: &fences, heads: &heads, budget: 4 * text.len() + (1 << 20) };
    Some(finder.blocks())
}

/// What a fence and the lines around it say about the block that it opens.
#[derive(Debug)]
struct Head {
    language: String,
    file: Option<Said>,
    /// Whether the fence itself names the file.
    by_fence: bool,
    /// Whether a line with nothing but the name is above a fence that can only open a block.
    by_label: bool,
    kind: Option<ContentKind>,
    /// The number of bytes at the start of the content that only give the name.
    skip: usize,
}

impl Head {
    fn read(text: &str, fences: &[Fence<'_>], at: usize) -> Self {
        let Some(fence) = fences.get(at) else { return Self::nameless(String::new()) };
        if !fence.opens {
            return Self::nameless(String::new());
        }
        let (language, said) = name::in_info(fence.info);
        let mut head = Self::nameless(language);
        let inside = text.get(fence.line.end..).unwrap_or_default();
        let (first, skip) = first_line(inside);
        let first = name::in_first_line(first);
        if let Some(file) = said {
            head.file = Some(file);
            head.by_fence = true;
        } else {
            let floor =
                at.checked_sub(1).and_then(|before| fences.get(before)).map_or(0, |fence| fence.line.end);
            let sure = head.take_from_lines(line_above(text, floor, fence.line.start), first.as_ref());
            head.by_label = sure && !fence.info.is_empty();
        }
        head.skip = head.name_line(first.as_ref(), inside, skip);
        head.kind = match &head.file {
            Some(Ok(file)) => Some(ContentKind::of_file(file)),
            _ => ContentKind::of_language(&head.language).or_else(|| ContentKind::of_content(inside)),
        };
        head
    }

    fn nameless(language: String) -> Self {
        Self { language, file: None, by_fence: false, by_label: false, kind: None, skip: 0 }
    }

    /// Takes the name from the lines around the fence. A label takes precedence over a mention. Returns whether it
    /// was a label.
    fn take_from_lines(&mut self, above: &str, first: Option<&FirstLine>) -> bool {
        let label = name::in_label(above);
        let mut said = Vec::new();
        if let Some(Label::Sure(file)) = &label {
            said.push((file, true));
        }
        if let Some(FirstLine::Bare(file) | FirstLine::Comment(file)) = first {
            said.push((file, false));
        }
        if let Some(Label::Mention(file)) = &label {
            said.push((file, false));
        }
        let fitting = said.into_iter().find(|(file, sure)| match file {
            Ok(file) => ContentKind::of_file(file).fits(&self.language),
            // A word with a dot may be anything, but a path that leads out of the folder is a name.
            Err((_, error)) => *sure && *error != NameError::Ending,
        });
        let Some((file, sure)) = fitting else { return false };
        self.file = Some(file.clone());
        sure
    }

    /// The number of bytes of a first line that gives the block's name and is not part of the file.
    fn name_line(&self, first: Option<&FirstLine>, inside: &str, skip: usize) -> usize {
        let (said, is_part) = match first {
            None => return 0,
            Some(FirstLine::Bare(said)) => (said, false),
            Some(FirstLine::Comment(said)) => {
                let next = inside.get(skip..).unwrap_or_default().trim_start();
                let is_script = matches!(said, Ok(file) if matches!(ContentKind::of_file(file), ContentKind::Python | ContentKind::Shell | ContentKind::PowerShell | ContentKind::Text | ContentKind::Markdown));
                // A comment stays, unless it is where only the first line of a script can be.
                (said, is_script && !next.starts_with("#!") && !inside.trim_start().starts_with("<!--"))
            }
        };
        if !is_part && self.file.as_ref() == Some(said) { skip } else { 0 }
    }

    /// Whether this is certainly the head of another file than `file`.
    fn starts_other(&self, file: Option<&str>) -> bool {
        match &self.file {
            Some(Ok(other)) => (self.by_fence || self.by_label && is_core(other)) && file != Some(other),
            _ => false,
        }
    }
}

/// The line above a block that may name it, with at most one blank line between.
fn line_above(text: &str, floor: usize, start: usize) -> &str {
    let above = text.get(floor..start).unwrap_or_default();
    let line = above.trim_end();
    let blank = above.get(line.len()..).unwrap_or_default().matches('\n').count();
    if blank > 2 { "" } else { line.rsplit('\n').next().unwrap_or_default() }
}

/// The first line that is not blank, and the number of bytes up to its end.
fn first_line(text: &str) -> (&str, usize) {
    let mut end = 0;
    for line in text.split_inclusive('\n').take(3) {
        end += line.len();
        if !line.trim().is_empty() {
            return (line, end);
        }
    }
    ("", 0)
}

struct Finder<'a, 'f> {
    text: &'a str,
    fences: &'f [Fence<'a>],
    heads: &'f [Head],
    /// The number of bytes that may still be checked for completeness. It bounds the time for an answer that
    /// consists of fences.
    budget: usize,
}

/// The line that closes a block.
enum Closer {
    /// The fence with this number.
    At(usize),
    /// One of several; this is the first.
    Unclear(usize),
    /// There is none.
    Missing,
    /// The block is not a file but contains other files.
    Wrapper,
}

impl<'a> Finder<'a, '_> {
    fn blocks(&mut self) -> Vec<Block<'a>> {
        let mut blocks = Vec::new();
        let mut lines = LineNumbers { text: self.text, at: 0, line: 1 };
        let mut at = 0;
        while let (Some(fence), Some(head)) = (self.fences.get(at), self.heads.get(at)) {
            let opener = at;
            at += 1;
            if !fence.opens {
                continue;
            }
            let (end, closer) = match self.closer(opener, head) {
                Closer::At(closer) => (End::Closed, closer),
                Closer::Unclear(closer) => (End::Ambiguous, closer),
                Closer::Missing => (End::Unclosed, self.next_file(opener, head)),
                Closer::Wrapper => continue,
            };
            // The next file starts at the fence where this block should have been closed.
            at = if end == End::Unclosed { closer } else { closer + 1 };
            let content = self.content(opener, closer, head.skip);
            blocks.push(Block {
                file: head.file.clone(),
                by_fence: head.by_fence,
                kind: head.kind.unwrap_or(ContentKind::Text),
                content,
                line: lines.of(fence.line.start),
                end,
            });
        }
        blocks
    }

    fn closer(&mut self, opener: usize, head: &Head) -> Closer {
        let next_file = self.next_file(opener, head);
        let Some(first) = self.closers(opener).next() else { return Closer::Missing };
        if next_file < first {
            return if head.file.is_some() { Closer::Missing } else { Closer::Wrapper };
        }
        match head.kind {
            Some(kind) if kind.is_checkable() => {
                Closer::At(self.closer_that_completes(opener, head, kind, first))
            }
            Some(ContentKind::Markdown) => self.closer_of_text(opener, next_file),
            Some(_) if head.file.is_some() => self.closer_of_text(opener, next_file),
            _ => Closer::At(first),
        }
    }

    /// The fences that can close the block, in order.
    fn closers(&self, opener: usize) -> impl Iterator<Item = usize> {
        let opening = self.fences.get(opener);
        let after = self.fences.iter().enumerate().skip(opener + 1);
        after.filter(move |(_, fence)| opening.is_some_and(|opening| fence.closes(opening))).map(|(at, _)| at)
    }

    /// The fence after `opener` that certainly starts another file; the number of fences if none does.
    fn next_file(&self, opener: usize, head: &Head) -> usize {
        let file = head.file.as_ref().and_then(|file| file.as_deref().ok());
        let opening = self.fences.get(opener);
        let mut after = self.fences.iter().zip(self.heads).enumerate().skip(opener + 1);
        let next = after.find(|(_, (fence, other))| {
            opening.is_some_and(|opening| fence.may_follow(opening)) && other.starts_other(file)
        });
        next.map_or(self.fences.len(), |(at, _)| at)
    }

    /// The first fence that completes the content; without one, CommonMark's.
    fn closer_that_completes(
        &mut self,
        opener: usize,
        head: &Head,
        kind: ContentKind,
        first: usize,
    ) -> usize {
        let next_file = self.next_file(opener, head);
        let candidates: Vec<usize> = self.closers(opener).take_while(|&at| at < next_file).collect();
        // A JSON string cannot contain a line break, so a fence is never inside one.
        if kind == ContentKind::Json || candidates.len() < 2 {
            return first;
        }
        for candidate in candidates {
            let content = self.content(opener, candidate, head.skip);
            match self.budget.checked_sub(content.len()) {
                Some(rest) => self.budget = rest,
                None => break,
            }
            if kind.check(&content).is_ok() {
                return candidate;
            }
        }
        first
    }

    /// The fence that closes a text which may contain blocks.
    fn closer_of_text(&self, opener: usize, next_file: usize) -> Closer {
        let Some(opening) = self.fences.get(opener) else { return Closer::Missing };
        // The fences that close the block if all fences before them are paired inside it.
        let mut candidates: Vec<usize> = Vec::new();
        let mut inside: Option<&Fence<'_>> = None;
        for (at, fence) in self.fences.iter().enumerate().take(next_file).skip(opener + 1) {
            match inside {
                Some(block) if fence.closes(block) => inside = None,
                Some(_) => {}
                None => {
                    if fence.closes(opening) {
                        candidates.push(at);
                    }
                    if fence.opens && fence.may_follow(opening) {
                        inside = Some(fence);
                    }
                }
            }
        }
        // Every fence belongs to a block inside.
        let Some((&last, earlier)) = candidates.split_last() else { return Closer::Missing };
        let mut closer = last;
        for &candidate in earlier {
            match self.looks(candidate) {
                Some(Looks::Closing) => {
                    closer = candidate;
                    break;
                }
                Some(Looks::Opening) => {}
                None => return Closer::Unclear(candidate),
            }
        }
        if self.leaves_doubt(opener, closer) { Closer::Unclear(closer) } else { Closer::At(closer) }
    }

    /// Whether there is an unnamed block between the one that is closed here and the next file: its fences may
    /// belong to a text that ends later.
    fn leaves_doubt(&self, opener: usize, closer: usize) -> bool {
        let mut after = self.heads.iter().enumerate().skip(closer + 1);
        let next_file = after.find(|(_, head)| matches!(head.file, Some(Ok(_)))).map(|(at, _)| at);
        next_file.is_some_and(|next| self.closers(opener).any(|at| (closer + 1..next).contains(&at)))
    }

    /// What the lines around a bare fence suggest.
    fn looks(&self, at: usize) -> Option<Looks> {
        let line = &self.fences.get(at)?.line;
        let blank_before = is_blank(self.text.get(..line.start)?.lines().next_back());
        let blank_after = is_blank(self.text.get(line.end..)?.lines().next());
        match (blank_before, blank_after) {
            (true, false) => Some(Looks::Opening),
            (false, true) => Some(Looks::Closing),
            (false, false) if leads_on(self.text.get(..line.start)?) => Some(Looks::Opening),
            _ => None,
        }
    }

    /// The text between two fences, without the indentation of the first.
    fn content(&self, opener: usize, closer: usize, skip: usize) -> Cow<'a, str> {
        let Some(opening) = self.fences.get(opener) else { return Cow::Borrowed("") };
        let end = self.fences.get(closer).map_or(self.text.len(), |fence| fence.line.start);
        let content = self.text.get(opening.line.end + skip..end).unwrap_or_default();
        if opening.indent == 0 {
            return Cow::Borrowed(content);
        }
        Cow::Owned(content.split_inclusive('\n').map(|line| dedent(line, opening.indent)).collect())
    }
}

fn is_blank(line: Option<&str>) -> bool {
    line.is_none_or(|line| line.trim().is_empty())
}

/// `line` without its first `columns` spaces.
fn dedent(line: &str, columns: usize) -> &str {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    line.get(spaces.min(columns)..).unwrap_or_default()
}

/// Whether the last line of `text` introduces what follows, as a heading does.
fn leads_on(text: &str) -> bool {
    let line = text.lines().next_back().unwrap_or_default().trim();
    line.starts_with('#') || line.ends_with(':') || line.ends_with("**")
}

enum Looks {
    Opening,
    Closing,
}

/// Line numbers of increasing offsets.
struct LineNumbers<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl LineNumbers<'_> {
    fn of(&mut self, offset: usize) -> usize {
        self.line += self.text.get(self.at..offset).unwrap_or_default().matches('\n').count();
        self.at = offset;
        self.line
    }
}
