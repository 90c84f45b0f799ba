use proptest::prelude::*;

use super::*;

fn check(source: &str, expect: Result<(), &str>) {
    let found = parse(source.as_bytes());
    match (found, expect) {
        (Ok(_), Ok(())) => {}
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{source:.80?}: {error}"),
        (Ok(_), Err(part)) => panic!("{source:.80?} parses, expected: {part}"),
        (Err(error), Ok(())) => panic!("{source:.80?} does not parse: {error}"),
    }
}

/// Each was run through CPython 3.11's `ast.parse`.
#[test]
fn agrees_with_cpython() {
    check("", Ok(()));
    check("def f():\n    return 1\n", Ok(()));
    check("def f(:\n", Err("line 1"));
    check("x = '\0'\n", Err("NUL"));
    check("\u{feff}x = 1\n", Err("byte order mark"));
    check("if x:\n\ty\n        z\n", Err(""));
    check("if x:\n\ty\n\tz\n", Ok(()));
    check("if x:\n        if y:\n\tz\n", Err("")); // Same column, other tabs.
    check("if x:\n    if y:\n\tz\n", Err(""));
    check("x = (1,\n\t2)\n", Ok(()));
    check("try:\n    x\nelse:\n    y\n", Err("except"));
    check("try:\n    x\nelse:\n    y\nfinally:\n    z\n", Err("except"));
    check("try:\n    x\nfinally:\n    z\n", Ok(()));
    check("((x) := 1)\n", Err("assignment expression"));
    check("(x := 1)\n", Ok(()));
    check("f'{(x):=10}'\n", Ok(()));
    check("f(a, a=1, a=2)\n", Ok(()));
    check("return 1\n", Ok(()));
    check("f'{x!r}'\n", Ok(()));
    check("f'{x!r }'\n", Err("f-string"));
    check("f'{x:{y}}'\n", Ok(()));
    check("f'{x:{y:{z}}}'\n", Err("f-string"));
    check("f'{*a}'\n", Err("f-string"));
    check("f'{*a,}'\n", Ok(()));
    check("f'{f(*a)}'\n", Ok(()));
    check("f\"{x[\"a\"]}\"\n", Err(""));
    check("type X = int\n", Err("type"));
    check("def f[T](x): pass\n", Err(""));
    check("match x:\n    case {'a': 1}: pass\n", Ok(()));
    check("print 'x'\n", Err(""));
    check("```python\nx\n```\n", Err(""));
    check("x = “a”\n", Err(""));
}

#[test]
fn limits_are_those_of_cpython() {
    let nested = |open: &str, close: &str, n: usize| format!("x = {}1{}\n", open.repeat(n), close.repeat(n));
    check(&nested("(", ")", 200), Ok(()));
    check(&nested("(", ")", 201), Err("nested"));
    check(&nested("[", "]", 100_000), Err("nested"));
    check(&format!("x = {}\n", "1".repeat(4_300)), Ok(()));
    check(&format!("x = {}\n", "1".repeat(4_301)), Err("digits"));
    check(&format!("x = 0x{}\n", "1".repeat(5_000)), Ok(()));
    let ladder = |n: usize| (0..n).map(|i| " ".repeat(i) + "if x:\n").collect::<String>();
    check(&format!("{}{}x\n", ladder(99), " ".repeat(99)), Ok(()));
    check(&format!("{}{}x\n", ladder(100), " ".repeat(100)), Err("indentation"));
    check(&format!("x = {}1\n", "-".repeat(2_900)), Ok(()));
    check(&format!("x = {}1\n", "-".repeat(5_000)), Err("nested"));
    check(&format!("x = [{}]\n", "1, ".repeat(50_000)), Ok(()));
    check(&format!("x = ({})\n", "'a'\n".repeat(10_000)), Ok(()));
}

#[test]
fn no_source_exhausts_the_stack() {
    for part in [
        "(",
        "[",
        "{",
        "-",
        "not ",
        "lambda: ",
        "a.",
        "1+",
        "f(",
        "x if y else ",
        "f'{",
        "await ",
        "*",
        "{a:",
    ] {
        for size in [15_000, MAX_BYTES - 100] {
            let source = part.repeat(size / part.len());
            assert!(parse(source.as_bytes()).is_err(), "{part}");
            assert!(parse(format!("{source}x").as_bytes()).is_err() || size == 15_000, "{part}x");
        }
    }
    let elifs = format!("if x:\n  y\n{}", "elif x:\n  y\n".repeat(50_000));
    check(&elifs, Err("nested"));
    check(&"x".repeat(MAX_BYTES + 1), Err("more than"));
}

#[test]
fn finds_functions_and_imports() {
    let module = parse(
        b"import os.path as p, json\nfrom a.b import c\nfrom . import d\nfrom .e import f\n\
          class C:\n    async def m(self):\n        def inner():\n            import deep\n\
          if x:\n    pass\nelse:\n    from late import *\n",
    )
    .unwrap();
    assert_eq!(module.functions().iter().collect::<Vec<_>>(), ["inner", "m"]);
    assert_eq!(module.imports().iter().collect::<Vec<_>>(), ["a", "deep", "json", "late", "os"]);
}

proptest! {
    #[test]
    fn survives_anything(source in any::<Vec<u8>>()) {
        drop(parse(&source));
    }

    #[test]
    fn survives_what_looks_like_python(source in r"(def |if |f'|\{|\}|:=|\(|\)|\t|\n|    |x|=|:|,|'|try:|else:|\*|!r|[0-9]){0,40}") {
        drop(parse(source.as_bytes()));
    }
}
