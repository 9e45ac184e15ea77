//! Which tests there are, read from the sources.
//!
//! Invariant: what is counted is a function with a test attribute and without `ignore`, or a name in the list of a suite
//! that some file invokes. Comments and strings are blanked out first, so what only looks like a test is none. So is what a
//! `cfg` guards, but for `cfg(test)`: it may be compiled nowhere.

/// The source with every comment and the inside of every string and character blanked out.
pub(crate) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            // Something must stand there, or two words would become one.
            code.push(' ');
            code.extend(chars[at..end].iter().filter(|&&c| c == '\n'));
            at = end;
        }
    }
    code
}

/// Where the comment, string or character that begins at `at` ends; `at` itself when none does.
fn skipped(chars: &[char], at: usize) -> usize {
    let has = |from: usize, what: &str| what.chars().enumerate().all(|(i, c)| chars.get(from + i) == Some(&c));
    if has(at, "//") {
        return (at..chars.len()).find(|&i| chars[i] == '\n').unwrap_or(chars.len());
    }
    if has(at, "/*") {
        let (mut depth, mut i) = (0, at);
        while i < chars.len() {
            let step = if has(i, "/*") {
                1
            } else if has(i, "*/") {
                -1
            } else {
                0
            };
            depth += step;
            i += if step == 0 { 1 } else { 2 };
            if depth == 0 {
                break;
            }
        }
        return i;
    }
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if chars[at] == 'r' && !in_word || at > 0 && chars[at - 1] == 'b' && chars[at] == 'r' {
        let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
        if chars.get(at + 1 + hashes) == Some(&'"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let from = at + 2 + hashes;
            return (from..chars.len()).find(|&i| has(i, &close)).map_or(chars.len(), |i| i + close.len());
        }
    }
    match chars[at] {
        '"' => quoted(chars, at, '"'),
        // A character, not a lifetime: it is closed after one, or after an escape.
        '\'' if chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'') => quoted(chars, at, '\''),
        _ => at,
    }
}

fn quoted(chars: &[char], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

/// Code without comments and strings, and without the items under a `cfg`; and the modules among them, whose code stands in
/// files of their own.
pub(crate) fn unconditional(code: &str) -> (String, Vec<String>) {
    let whole_file = code.match_indices("#![").any(|(at, _)| {
        let (attributes, _) = attributes(&code[at..].replacen("#![", "#[", 1));
        attributes.first().is_some_and(|a| is_condition(a))
    });
    if whole_file {
        return (String::new(), Vec::new());
    }
    let (mut kept, mut modules, mut rest) = (String::with_capacity(code.len()), Vec::new(), code);
    while let Some(at) = rest.find("#[") {
        kept.push_str(&rest[..at]);
        let (attributes, item) = attributes(&rest[at..]);
        if attributes.iter().any(|a| is_condition(a)) {
            let words = item.split_whitespace().skip_while(|word| word.starts_with("pub"));
            if let ["mod", name] = words.take(2).collect::<Vec<_>>()[..] {
                modules.extend(name.strip_suffix(';').map(str::to_owned));
            }
            rest = &item[item_len(item)..];
        } else {
            kept.push_str(&rest[at..rest.len() - item.len()]);
            rest = item;
        }
    }
    kept.push_str(rest);
    (kept, modules)
}

/// Whether this attribute keeps its item out of some builds of the tests.
fn is_condition(attribute: &str) -> bool {
    let text: String = attribute.chars().filter(|c| !c.is_whitespace()).collect();
    text.starts_with("cfg(") && text != "cfg(test)"
}

/// How long the item is that stands here: up to its semicolon, or the end of its body or of what it stands in.
fn item_len(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        if depth < 0 {
            return at;
        }
        if depth == 0 && (c == ';' || c == '}') {
            return at + 1;
        }
    }
    item.len()
}

/// The names of all test functions in code without comments and strings.
pub(crate) fn tests(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[") {
        let (attributes, item) = attributes(&rest[at..]);
        // An attribute is a test's by the last word of its path: `test`, or a runtime's own.
        let path = |a: &String| a.split('(').next().unwrap_or_default().trim().rsplit("::").next().map(str::to_owned);
        let is_test = attributes.iter().filter_map(path).any(|name| name == "test");
        let is_ignored =
            attributes.iter().any(|a| a.split(|c: char| !c.is_alphanumeric()).any(|word| word == "ignore"));
        if let (true, false, Some(name)) = (is_test, is_ignored, function(item)) {
            found.push(name.to_owned());
        }
        rest = item;
    }
    found
}

/// The attributes that stand here, and what comes after them.
fn attributes(code: &str) -> (Vec<String>, &str) {
    let (mut all, mut rest) = (Vec::new(), code);
    while let Some(inner) = rest.strip_prefix("#[") {
        let mut depth = 1;
        let end = inner.find(|c| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            depth == 0
        });
        let Some(end) = end else { return (all, "") };
        all.push(inner[..end].to_owned());
        rest = inner[end + 1..].trim_start();
    }
    (all, rest)
}

/// The name of the function that stands here, if one does.
fn function(item: &str) -> Option<&str> {
    let mut words = item.split_whitespace().skip_while(|word| ["pub", "async", "unsafe", "const"].contains(word));
    if words.next() != Some("fn") {
        return None;
    }
    let name = words.next()?.split(['(', '<']).next()?;
    name.starts_with(|c: char| c.is_alphabetic() || c == '_').then_some(name)
}

/// The names in the list of this macro, and with how many seeds each is run: of a range, the fewest.
pub(crate) fn listed(code: &str, suite: &str) -> Vec<(String, u64)> {
    let Some((_, from)) = code.split_once(&format!("macro_rules! {suite} ")) else { return Vec::new() };
    let body = from.split("macro_rules!").next().unwrap_or_default();
    let entry = |line: &str| {
        let (name, seeds) = line.trim().split_once(": ")?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let fewest = seeds.strip_suffix(',')?.split("..").next()?;
        // What cannot be read is no seeds at all, which no list may have.
        is_name.then(|| (name.to_owned(), fewest.parse().unwrap_or(0)))
    };
    body.lines().filter_map(entry).collect()
}

/// Whether this code makes the tests of that suite.
pub(crate) fn invokes(code: &str, suite: &str) -> bool {
    code.contains(&format!("conformance::{suite}!("))
}

/// The names of the scenarios that are defined here.
pub(crate) fn scenarios(code: &str) -> Vec<String> {
    let public = code.lines().filter_map(|line| line.strip_prefix("pub fn "));
    public.filter_map(|rest| Some(rest.split(['(', '<']).next()?.to_owned())).collect()
}

/// The id that a test's name carries: `A1` for `a1_what_it_shows`.
pub(crate) fn id(name: &str) -> Option<String> {
    let (head, _) = name.split_once('_')?;
    let mut chars = head.chars();
    let is_id = chars.next()?.is_ascii_lowercase() && !head[1..].is_empty() && chars.all(|c| c.is_ascii_digit());
    is_id.then(|| head.to_uppercase())
}
