//! The functions that a script defines: names, parameters, and what the comment above them says.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use task_spec::pattern::compile;
use task_spec::python;
use task_spec::python::ast::{Expr, Stmt, StmtFunctionDef};

/// The maximum number of lines of a function in which its parameters are looked for.
const BODY_LINES: usize = 60;

/// The definition of a function of a shell.
const SHELL: &str = r"^(?:function\s+)?(?P<name>[A-Za-z][\w-]*)\s*\(\s*\)";

/// The definition of a function of PowerShell, with parameters that may follow its name.
const POWERSHELL: &str = r"(?i)^function\s+(?P<name>[A-Za-z][\w-]*)\s*(?P<rest>\(.*)?";

/// A parameter of a function of a shell, and the variable that it is stored in.
const STORED: &str = r#"(?P<variable>\w+)="?\$\{?(?P<number>[1-9])(?P<optional>:?-)?"#;

/// Any use of a parameter, or a program of awk, whose fields look the same.
const USED: &str = r"awk\s[^']*'[^']*'|\$\{?(?P<number>[1-9@*])";

static PATTERNS: LazyLock<[Regex; 4]> = LazyLock::new(|| [SHELL, POWERSHELL, STORED, USED].map(compile));

/// A language whose functions are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Shell,
    PowerShell,
    Python,
}

impl Language {
    /// The language of a file, by its extension.
    pub(super) fn of(name: &str) -> Option<Self> {
        match Path::new(name).extension()?.to_str()? {
            "sh" => Some(Self::Shell),
            "ps1" => Some(Self::PowerShell),
            "py" => Some(Self::Python),
            _ => None,
        }
    }
}

/// A function that a script defines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// Its name and its parameters.
    pub(super) signature: String,
    /// The first sentence of its documentation; empty without one.
    pub(super) about: String,
}

/// The functions of a script that others may call: those whose names do not begin with an underscore.
pub(super) fn of(language: Language, script: &str) -> Vec<Function> {
    match language {
        Language::Python => of_python(script),
        Language::Shell | Language::PowerShell => of_shell(language, script),
    }
}

fn of_shell(language: Language, script: &str) -> Vec<Function> {
    let [shell, powershell, stored, used] = &*PATTERNS;
    let lines: Vec<&str> = script.lines().collect();
    let pattern = if language == Language::Shell { shell } else { powershell };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(captures) = pattern.captures(line) else { continue };
        let body: Vec<&str> = lines
            .iter()
            .skip(at)
            .take(BODY_LINES)
            .enumerate()
            .map_while(|(n, line)| within(n, line))
            .collect();
        let parameters = if language == Language::Shell {
            shell_parameters(&body, stored, used)
        } else {
            powershell_parameters(&body.join("\n"))
        };
        let name = &captures["name"];
        let about = comment_before(&lines[..at]).or_else(|| comment_in(&body)).unwrap_or_default();
        let signature = format!("{name}{parameters}");
        found.push(Function { name: name.to_owned(), signature, about: first_sentence(&about, name) });
    }
    found
}

/// The line `number` of a function, if the function has not ended before it.
fn within<'a>(number: usize, line: &&'a str) -> Option<&'a str> {
    (number == 0 || !line.starts_with('}')).then_some(*line)
}

/// The parameters of a function of a shell: the variables that it stores them in, or their numbers.
fn shell_parameters(body: &[&str], stored: &Regex, used: &Regex) -> String {
    let mut names: [Option<String>; 9] = Default::default();
    let (mut count, mut takes_all) = (0, false);
    for line in body {
        for number in used.captures_iter(line).filter_map(|captures| captures.name("number")) {
            match number.as_str().parse::<usize>() {
                Ok(number) => count = count.max(number),
                Err(_) => takes_all = true,
            }
        }
        for captures in stored.captures_iter(line) {
            let Ok(number) = captures["number"].parse::<usize>() else { continue };
            let name = captures["variable"].to_lowercase();
            let name = if captures.name("optional").is_some() { format!("[{name}]") } else { name };
            if let Some(place) = names.get_mut(number - 1) {
                place.get_or_insert(name);
            }
        }
    }
    let mut parameters = String::new();
    for (index, name) in names.iter().take(count).enumerate() {
        parameters.push(' ');
        parameters += &name.clone().unwrap_or_else(|| format!("${}", index + 1));
    }
    if takes_all { parameters + " …" } else { parameters }
}

/// The parameters of a function of PowerShell: those in the parentheses after its name, or after `param`.
fn powershell_parameters(body: &str) -> String {
    let (first, rest) = body.split_once('{').unwrap_or((body, ""));
    let block = rest.trim_start();
    let list = match (first.find('('), block.get(..5)) {
        (Some(open), _) => first.get(open..),
        (None, Some(word)) if word.eq_ignore_ascii_case("param") => block.get(5..),
        _ => None,
    };
    let mut parameters = String::new();
    for part in parts(list.unwrap_or_default().trim_start()) {
        let name = part.rsplit(']').next().unwrap_or(part).split('=').next().unwrap_or_default().trim();
        if let Some(name) = name.strip_prefix('$') {
            parameters.extend([" -", name]);
        }
    }
    parameters
}

/// The parts of a list in parentheses, which commas outside inner parentheses and brackets separate. Defaults are left
/// out of a part, since they may hold anything.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut end) = (0_i32, 1, None);
    let mut parts = Vec::new();
    for (at, c) in list.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '=' if depth == 1 => end = end.or(Some(at)),
            _ => {}
        }
        if (c == ',' && depth == 1) || depth == 0 {
            parts.extend(list.get(start..end.unwrap_or(at)));
            (start, end) = (at + 1, None);
        }
        if depth == 0 {
            break;
        }
    }
    parts
}

/// The first line of the comment that ends directly above a function.
fn comment_before(lines: &[&str]) -> Option<String> {
    let comment = lines.iter().rev().take_while(|line| line.starts_with('#')).count();
    let mut lines = lines[lines.len() - comment..].iter().map(|line| line.trim_start_matches('#').trim());
    lines.find(|line| has_words(line)).map(str::to_owned)
}

/// The first line of the comment with which a function begins. In PowerShell it may be a block with a heading.
fn comment_in(body: &[&str]) -> Option<String> {
    let mut lines = body.iter().skip(1).map(|line| line.trim());
    let first = lines.next()?;
    if first.starts_with("<#") {
        return lines.find(|line| has_words(line) && !line.starts_with('.')).map(str::to_owned);
    }
    first.strip_prefix('#').map(|comment| comment.trim().to_owned()).filter(|comment| has_words(comment))
}

/// Whether a line of a comment says something, rather than being a rule.
fn has_words(line: &str) -> bool {
    line.chars().filter(|c| c.is_alphabetic()).count() > 3
}

/// The first sentence of a text, without the function's name in front of it.
fn first_sentence(text: &str, name: &str) -> String {
    let text = text.trim();
    let said = text.strip_prefix(name).unwrap_or(text).trim_start_matches(['(', ')', ':', '-', '—', ' ']);
    let end = said.find(". ").unwrap_or(said.len());
    said.get(..end).unwrap_or(said).trim_end_matches('.').to_owned()
}

fn of_python(script: &str) -> Vec<Function> {
    let Ok(module) = python::parse(script.as_bytes()) else { return Vec::new() };
    let mut found = Vec::new();
    for statement in module.body() {
        match statement {
            Stmt::FunctionDef(function) => found.extend(python_function("", function, &module)),
            Stmt::ClassDef(class) => {
                let methods = class.body.iter().filter_map(Stmt::as_function_def_stmt);
                let prefix = format!("{}.", class.name);
                found.extend(methods.filter_map(|method| python_function(&prefix, method, &module)));
            }
            _ => {}
        }
    }
    found
}

fn python_function(prefix: &str, function: &StmtFunctionDef, module: &python::Module) -> Option<Function> {
    let name = function.name.as_str();
    if name.starts_with('_') || name == "main" {
        return None;
    }
    let about = documentation(&function.body).unwrap_or_default();
    Some(Function {
        name: name.to_owned(),
        signature: format!("{prefix}{name}({})", python_parameters(function, module)),
        about: first_sentence(about.trim().lines().next().unwrap_or_default(), name),
    })
}

/// The names of a function's parameters, with their defaults, but without their types.
fn python_parameters(function: &StmtFunctionDef, module: &python::Module) -> String {
    let named = function.parameters.iter_non_variadic_params().filter(|parameter| parameter.name() != "self");
    let mut parameters: Vec<String> = named
        .map(|parameter| match &parameter.default {
            Some(default) => format!("{}={}", parameter.name(), module.text(&**default)),
            None => parameter.name().to_string(),
        })
        .collect();
    parameters.extend(function.parameters.vararg.as_ref().map(|parameter| format!("*{}", parameter.name)));
    parameters.extend(function.parameters.kwarg.as_ref().map(|parameter| format!("**{}", parameter.name)));
    parameters.join(", ")
}

/// The documentation string with which a function begins.
fn documentation(body: &[Stmt]) -> Option<&str> {
    match body.first()? {
        Stmt::Expr(statement) => match &*statement.value {
            Expr::StringLiteral(text) => Some(text.value.to_str()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(language: Language, script: &str) -> Vec<(String, String)> {
        of(language, script).into_iter().map(|function| (function.signature, function.about)).collect()
    }

    fn expected(functions: &[(&str, &str)]) -> Vec<(String, String)> {
        functions.iter().map(|&(signature, about)| (signature.to_owned(), about.to_owned())).collect()
    }

    #[test]
    fn every_pattern_compiles() {
        LazyLock::force(&PATTERNS);
    }

    #[test]
    fn functions_of_a_shell() {
        let script = "# ====\n# query: Runs a query. Tab-separated.\n# Args: $1\nquery() {\n    local sql=\"$1\"\n    \
                      mysql -e \"$sql\"\n}\n_own() { :; }\nwait_for() {  # wait_for SECONDS COMMAND\n    local left=$1; shift\n    \
                      \"$@\"\n}\n\nfunction shot() {\n    # Takes a screenshot\n    import \"${1:-/tmp/a.png}\" $3 | awk '{print $7}'\n}\n";
        let functions =
            [("query sql", "Runs a query"), ("wait_for left …", ""), ("shot $1 $2 $3", "Takes a screenshot")];
        assert_eq!(found(Language::Shell, script), expected(&functions));
        let optional = "open_app() {\n  local url=\"${1:-about:blank}\"\n}\n";
        assert_eq!(found(Language::Shell, optional), expected(&[("open_app [url]", "")]));
    }

    #[test]
    fn functions_of_powershell() {
        let script = "# Writes a file.\nfunction Write-Text([string]$Path, $Value = (Get-Date), [int[]]$N) {\n}\n\
                      function Wait-App {\n    <#\n    .SYNOPSIS\n    Waits for a window.\n    #>\n}\n\
                      function Stop-App {\n    param(\n        [Parameter(Mandatory=$true)][string]$Name,\n        \
                      [int]$Seconds = 5\n    )\n}\nfunction Get-Nothing { }\n";
        let functions = [
            ("Write-Text -Path -Value -N", "Writes a file"),
            ("Wait-App", "Waits for a window"),
            ("Stop-App -Name -Seconds", ""),
            ("Get-Nothing", ""),
        ];
        assert_eq!(found(Language::PowerShell, script), expected(&functions));
    }

    #[test]
    fn functions_of_python() {
        let script = "def read(path: str, sheet: int = 1, *rest) -> dict:\n    \"\"\"Reads a sheet.\n\n    More.\"\"\"\n\n\
                      class Book:\n    def __init__(self): pass\n    def rows(self): pass\n\n\
                      def _own(): pass\n\ndef main(): pass\n";
        let functions = [("read(path, sheet=1, *rest)", "Reads a sheet"), ("Book.rows()", "")];
        assert_eq!(found(Language::Python, script), expected(&functions));
        assert_eq!(found(Language::Python, "def x(:\n"), []);
    }
}
