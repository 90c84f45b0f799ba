//! Scripts by example: what closes, what does not, and where heredocs are.

use proptest::prelude::*;

use super::{check, heredocs};

fn error(script: &str) -> String {
    check(script).map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn whole_scripts_pass() {
    let scripts = [
        "",
        "echo \"it's\" 'a \"b\"' $'don\\'t' \\'\n",
        "x=$(echo \"$(date +\"%s\")\")\n",
        "if [ -f x ]; then echo; elif y; then z; else :; fi\n",
        "while read -r l; do echo $l; done < <(ls)\nuntil x\ndo y\ndone\n",
        "for i in a b; do echo done; done\nfor ((i=0; i<3; i++)); do :; done\nfor x; do :; done\nfor x do :; done",
        "for i in 1 2; { echo $i; }\n",
        "case $x in\n  a|b) echo \"(\" ;;\n  (c) echo if;& # )\n  'd e'*) y | z;;\n  *) ;;\nesac\n",
        "x=$(case $y in a) echo b;; esac)\n",
        "f() { echo fi; }\nfunction g { echo }; }\nfunction h() (\n  :\n)\n",
        "cat <<EOF\nit's $(unclosed \" `\nEOF\ncat <<-'E F'\n\ttext\n\tE F\necho <<A <<\"B\"\n1\nA\n2\nB\n",
        "x=$(cat <<EOF\n)\"\nEOF\n)\n",
        "python3 - <<'PY'\nprint('''```\n''')\nPY\n",
        "grep x <<< \"$y\"\n",
        "((x = (1 + 2) * 3)); y=$((x << 2)); ((a)) && echo; ((echo a); echo b)\n",
        "[[ $x =~ ^(a|b)$ && ! -f \"]]\" ]] && echo ok\n",
        "echo ${x:-'}'} \"${x:-don't}\" ${x#\\}} ${#x} $# \"${a[@]/#/\"}\"}\"\n",
        "a=(1 2 'x)' # )\n  3)\na+=(\"$b\")\nls !(x|y)\n",
        "echo `date \"+%s\"` # it's fine\necho a#b 'c'\n",
        "if a; then { b; } fi\n",
        "echo if then fi do done { } case\n",
        "cmd > out.txt 2>&1 &\ncmd &> /dev/null | tee >(cat) |& x\n",
        "a && \\\n  b || c\n",
    ];
    for script in scripts {
        assert_eq!(error(script), "", "{script}");
    }
}

#[test]
fn what_does_not_close_is_named_with_its_line() {
    let cases = [
        ("echo\necho 'it\n", "line 2: the `'` is not closed"),
        ("echo \"a $(b)\n", "line 1: the `\"` is not closed"),
        ("x=\"$(cat\n", "line 1: the `(` is not closed"),
        ("echo ${x\n", "line 1: the `${` is not closed"),
        ("echo `x\n", "line 1: the backquote is not closed"),
        ("cat > f <<'EOF'\nEOF.\n EOF\n", "line 1: the heredoc is not closed: no line `EOF`"),
        ("cat <<-EOF\n  EOF\n", "line 1: the heredoc is not closed: no line `EOF`"),
        ("cat <<EOF", "line 1: the heredoc is not closed: no line `EOF`"),
        ("if x; then\n  y\n", "line 1: the `if` has no `fi`"),
        ("for x in y\n", "line 1: the loop has no `do`"),
        ("while x; do\n y\n", "line 1: the loop has no `done`"),
        ("case x in\n a) y;;\n", "line 1: the `case` has no `esac`"),
        ("f() {\n", "line 1: the `{` is not closed"),
        ("a=(1\n", "line 1: the `(` is not closed"),
        ("(a\n", "line 1: the `(` is not closed"),
        ("[[ a\n", "line 1: the `[[` is not closed"),
        ("a\nfi\n", "line 2: a `fi` that closes nothing"),
        ("while a; do fi; done\n", "line 1: a `fi` that closes nothing: the loop has no `done`"),
        ("a )\n", "line 1: a `)` that closes nothing"),
        (&"$(".repeat(1000), "line 1: nested too deeply"),
        (&"${".repeat(1000), "line 1: nested too deeply"),
    ];
    for (script, expect) in cases {
        assert_eq!(error(script), expect, "{script}");
    }
}

#[test]
fn nesting_cannot_make_it_slow() {
    check(&"$((".repeat(10_000)).unwrap_err();
    check(&"((".repeat(10_000)).unwrap_err();
}

#[test]
fn heredocs_are_found() {
    let check = |script: &str, expect: &[(&str, bool, &str)]| {
        let found = heredocs(script);
        let found: Vec<_> = found
            .iter()
            .map(|heredoc| (heredoc.command(script), heredoc.is_quoted, heredoc.body(script)))
            .collect();
        assert_eq!(found, expect, "{script}");
    };
    check("cat <<EOF\n$x\nEOF\nb\n", &[("cat <<EOF", false, "$x\n")]);
    check("a\n cat <<-'E' | b\n\tx\n\tE\n", &[(" cat <<-'E' | b", true, "\tx\n")]);
    check("a <<A <<\\B\n1\nA\nB\n", &[("a <<A <<\\B", false, "1\n"), ("a <<A <<\\B", true, "")]);
    check("x=$(cat <<EOF\n)\"\nEOF\n)\n", &[("x=$(cat <<EOF", false, ")\"\n")]);
    check("echo '<<A' # <<B\nx=$((1 << 3)) <<< word\n", &[]);
    check("cat <<EOF\nsome", &[("cat <<EOF", false, "some")]);
    check("a <<A\n1\nA\nfi\nb <<B\nB\n", &[("a <<A", false, "1\n")]);
    let unclosed = &heredocs("cat <<EOF\nsome")[0];
    assert_eq!((unclosed.is_closed, unclosed.end), (false, 14));
    let closed = &heredocs("cat <<EOF\na\nEOF\nb")[0];
    assert_eq!((closed.is_closed, closed.body.clone(), closed.end), (true, 10..12, 16));
}

proptest! {
    #[test]
    fn no_script_makes_it_panic(script in "[a-z(){}\\[\\]$`'\"\\\\<>|&;#\n\t =!-]{0,60}|(if |fi|do |case |in |esac|\\$\\(|\\(\\(|\\)|<<E\n|E\n|;;|\n){0,30}|\\PC{0,40}") {
        drop(check(&script));
        for heredoc in heredocs(&script) {
            prop_assert!(script.get(heredoc.body).is_some());
        }
    }

    #[test]
    fn a_script_cut_inside_a_heredoc_is_not_whole(body in "[a-z'\"$(){}\n ]{0,80}", cut in 0..80_usize) {
        let script = format!("cat <<'END'\n{body}\nEND\n");
        prop_assert_eq!(check(&script), Ok(()));
        prop_assert!(check(&script[..12 + cut.min(body.len())]).is_err());
    }
}
