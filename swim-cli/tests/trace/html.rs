//! `swim trace html`: the page is complete and harmless, and works in a real browser.

mod driver;

use std::path::PathBuf;

use crate::files::place;
use crate::several::{HOSTILE, traces};
use crate::util::{ended, parsed, printed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use driver::Browser;

fn page(name: &str) -> PathBuf {
    let (traces, file) = (traces(name), place(&format!("{name}.html")));
    let mut args: Vec<&str> = traces.iter().map(String::as_str).collect();
    args.extend(["-o", file.to_str().unwrap(), "--format", "json"]);
    let told = parsed(&printed(&["trace", "html"], &args));
    assert_eq!((told["nodes"].as_u64(), told["file"].as_str()), (Some(5), file.to_str()));
    assert_eq!(told["bytes"].as_u64(), Some(std::fs::metadata(&file).unwrap().len()));
    file
}

/// What stands between the first such tags behind `from`.
fn between<'a>(page: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    page.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

#[test]
fn the_page_needs_nothing_and_allows_nothing() {
    let html = std::fs::read_to_string(page("trace-html-text")).unwrap();
    let (styles, scripts) = (between(&html, "<style>", "</style>"), between(&html, "<script>", "</script>"));
    assert_eq!((styles.len(), scripts.len(), html.matches("<script").count()), (1, 1, 2));
    let policy = between(&html, "http-equiv=\"Content-Security-Policy\" content=\"", "\"")[0];
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(sha256(text.as_bytes())));
    let wanted = [
        "default-src 'none'".to_owned(),
        format!("script-src {}", hash(scripts[0])),
        format!("style-src {}", hash(styles[0])),
        "img-src data:".to_owned(),
        "base-uri 'none'".to_owned(),
        "form-action 'none'".to_owned(),
    ];
    assert_eq!(policy.split("; ").collect::<Vec<_>>(), wanted);

    // Nothing from elsewhere, in the page or in what the script may ask for.
    let data = between(&html, "id=\"data\">", "</script>")[0];
    let frame = html.replace(data, "");
    for outside in [
        "http:",
        "https:",
        "@import",
        "url(",
        "src=",
        " style=",
        "onclick=",
        "innerHTML",
        "eval(",
        "fetch(",
        "XMLHttp",
        "WebSocket",
    ] {
        assert!(!frame.contains(outside), "{outside}");
    }
    for reference in ["\"//", "'//", "(//", "=//"] {
        assert!(!frame.contains(reference), "{reference}");
    }
    assert_eq!(between(&frame, "href=\"", "\""), ["data:,"]);

    // The data cannot end their block, and the name is in them all the same.
    assert!(!data.contains('<') && !data.contains('>'));
    let json: serde_json::Value = serde_json::from_str(data).unwrap();
    assert!(json["nodes"].as_array().unwrap().iter().any(|node| node["name"] == HOSTILE));
    assert_eq!(json["moments"]["at"].as_array().unwrap().len(), json["moments"]["step"].as_array().unwrap().len());
}

#[test]
fn what_cannot_be_read_or_written_is_said() {
    let no_trace = place("trace-html-none");
    std::fs::write(&no_trace, "no trace").unwrap();
    let (page, file) = (place("trace-html-none.html"), no_trace.to_str().unwrap());
    let (code, out, why) = ended(&["trace", "html"], &[file, "-o", page.to_str().unwrap()]);
    assert!((code, &*out) == (2, "") && why.contains("trace-html-none"), "{why}");
    let traces = traces("trace-html-nowhere");
    let (code, _, why) = ended(&["trace", "html"], &[&traces[0], "-o", no_trace.join("x").to_str().unwrap()]);
    assert!(code == 1 && why.contains("cannot be written"), "{why}");
}

#[test]
fn a_browser_shows_it() {
    let Some(program) = driver::installed() else {
        eprintln!("SKIPPED: no browser: install chromium and chromedriver to test the page of `swim trace html`");
        return;
    };
    let file = page("trace-html");
    let browser = Browser::start(program, &place("trace-html-profile"));
    browser.open(&format!("file://{}", file.display()));
    browser.wait("document.documentElement.dataset.ready === 'yes'");
    assert!(browser.text("document.getElementById('summary').textContent").starts_with("5 lives"));
    the_names_are_only_text(&browser);
    an_event_has_its_causes(&browser);
    search_finds(&browser);
    zoom_by_keyboard_and_wheel(&browser);
    keys_go_through_it(&browser);
    what_is_drawn_can_be_clicked(&browser);
    the_matrix_follows_the_time(&browser);
    pictures(&browser);
    // What this test itself reads of the canvas is noted as slow.
    let complaints = browser.log().into_iter().filter(|line| !line.contains("getImageData"));
    assert_eq!(complaints.collect::<Vec<_>>(), [""; 0]);

    // And if there were anything to complain of, it would be seen here.
    browser.value("document.body.append(Object.assign(document.createElement('script'), { textContent: '1' }))");
    assert!(browser.log().iter().any(|line| line.contains("Content Security Policy")));
}

fn the_names_are_only_text(browser: &Browser) {
    assert_eq!(browser.number("document.images.length"), 0.0);
    let heads = browser.value("[...document.querySelectorAll('#matrix thead th')].map((th) => th.textContent)");
    assert!(heads.as_array().unwrap().iter().any(|head| head == HOSTILE), "{heads}");
}

const FIRST_ROW: &str = "#rows .row:first-child";
const DETAILS: &str = "document.getElementById('details').textContent";
const FOUND: &str = "document.getElementById('found').textContent";

fn search(browser: &Browser, words: &str) {
    browser.keys(&format!("\u{e00c}\u{e00c}/{words}"));
    let typed = serde_json::to_string(words).unwrap();
    browser.wait(&format!("document.getElementById('search').value === {typed} && {FOUND}.includes(' of ')"));
}

/// A click on an event tells what led to it, back through another node.
fn an_event_has_its_causes(browser: &Browser) {
    search(browser, "member_up");
    browser.click(FIRST_ROW);
    browser.wait(&format!("{DETAILS}.includes('Caused by')"));
    let links = "[...document.querySelectorAll('#details ol li')].map((li) => li.textContent)";
    let chain: Vec<String> = serde_json::from_value(browser.value(links)).unwrap();
    assert!(chain.len() >= 2 && chain[0].contains("sent by"), "{chain:?}");
    assert!(chain.last().unwrap().contains("nothing earlier led to it"), "{chain:?}");
    assert!(browser.text(DETAILS).contains("Received from") && browser.text(DETAILS).contains("view "));
    // The sending is in the trace of another node, and one click away.
    let who = browser.text("document.querySelector('.row[aria-selected=true] .who').textContent");
    assert!(!browser.text("document.querySelector('#details ol button').textContent").starts_with(&who));
    browser.click("#details ol li button");
    browser.wait(&format!("{DETAILS}.includes('Sent')"));
    // A death: from the time-out to the suspicion, and from that to the ping.
    search(browser, "member_down");
    browser.click(FIRST_ROW);
    browser.wait(&format!("{DETAILS}.includes('time-out after')"));
    let chain: Vec<String> = serde_json::from_value(browser.value(links)).unwrap();
    assert!(chain.iter().filter(|link| link.starts_with("time-out after")).count() >= 2, "{chain:?}");
}

fn search_finds(browser: &Browser) {
    search(browser, "db-1");
    let found = browser.text(FOUND);
    let count = |part: usize| found.split(" of ").nth(part).unwrap().parse::<u32>().unwrap();
    assert!(0 < count(0) && count(0) < count(1), "{found}");
    let rows = "[...document.querySelectorAll('#rows .row')].every((row) => row.textContent.includes('db-1'))";
    assert_eq!(browser.value(rows), true);
    // By id, by step, and by what is not there.
    let id = browser.text("document.querySelector('#nodes tr:nth-child(2) td:nth-child(2)').textContent");
    search(browser, &id);
    assert!(!browser.text(FOUND).starts_with("0 "));
    browser.click("#show option[value=steps]");
    search(browser, "step 12");
    let steps = "[...document.querySelectorAll('#rows .row .what')].filter((what) => what.textContent.startsWith('step 12:')).length";
    assert_eq!(browser.number(steps), 5.0);
    search(browser, "no such thing");
    assert!(browser.text(FOUND).starts_with("0 of "));
    browser.click("#show option[value=events]");
    browser.keys("\u{e00c}\u{e00c}");
    browser.wait(&format!("{FOUND}.includes('in all')"));
}

const WINDOW: &str =
    "Number(document.getElementById('canvas').dataset.to) - Number(document.getElementById('canvas').dataset.from)";

fn zoom_by_keyboard_and_wheel(browser: &Browser) {
    browser.keys("0");
    let whole = browser.number(WINDOW);
    browser.keys("+++");
    assert!((browser.number(WINDOW) * 8.0 / whole - 1.0).abs() < 0.01);
    browser.keys("-");
    assert!((browser.number(WINDOW) * 4.0 / whole - 1.0).abs() < 0.01);
    let corner = |side: &str| {
        browser.number(&format!("document.getElementById('canvas').getBoundingClientRect().{side}")) as i64
    };
    let (x, y) = (corner("left") + 400, corner("top") + 60);
    browser.mouse(x, y, Some(-200));
    browser.wait(&format!("{WINDOW} < {whole} / 5"));
    browser.mouse(x, y, Some(200));
    browser.wait(&format!("{WINDOW} > {whole} / 5"));
    browser.keys("0");
    assert_eq!(browser.number(WINDOW), whole);
    let now = browser.text("document.getElementById('now').textContent");
    browser.mouse(x + 97, y + 40, None);
    browser.wait(&format!("document.getElementById('now').textContent !== '{now}'"));
}

fn keys_go_through_it(browser: &Browser) {
    let selected = "(document.querySelector('.row[aria-selected=true]') || {}).id || ''";
    browser.keys("\u{e011}");
    assert_eq!(browser.text(selected), "row-0");
    browser.keys("\u{e014}\u{e015}");
    assert_eq!(browser.text(selected), "row-2");
    browser.keys("\u{e012}");
    assert_eq!(browser.text(selected), "row-1");
    browser.keys("\u{e010}");
    let last = browser.text(FOUND).split(' ').next().unwrap().parse::<u32>().unwrap() - 1;
    assert_eq!(browser.text(selected), format!("row-{last}"));
    browser.keys("?");
    browser.wait("document.getElementById('help').open");
    browser.keys("\u{e00c}");
    browser.wait("!document.getElementById('help').open");
    browser.keys("\u{e00c}");
    assert_eq!(browser.text(selected), "");
    // Tab reaches everything that can be used.
    let mut reached = Vec::new();
    for _ in 0..14 {
        browser.keys("\u{e004}");
        reached.push(browser.text("document.activeElement.id"));
    }
    for id in ["zoom-in", "help-open", "lanes", "scrub", "search", "show", "list"] {
        assert!(reached.iter().any(|other| other == id), "{id}: {reached:?}");
    }
}

/// The ring around the selected event is where a click selects it again.
fn what_is_drawn_can_be_clicked(browser: &Browser) {
    let selected = "(document.querySelector('.row[aria-selected=true]') || {}).id || ''";
    search(browser, "member_down");
    browser.click(FIRST_ROW);
    browser.keys("\u{e00c}0+");
    let row = browser.text(selected);
    // Right of the labels nothing else has the colour of text.
    let ring = "(() => {
        const canvas = document.getElementById('canvas'), box = canvas.getBoundingClientRect();
        const ratio = canvas.width / box.width, left = Math.round(112 * ratio);
        const image = canvas.getContext('2d').getImageData(left, 0, canvas.width - left, canvas.height);
        let count = 0, x = 0, y = 0;
        for (let i = 0; i < image.data.length; i += 4) {
            if (image.data[i] > 50 || image.data[i + 1] > 54 || image.data[i + 2] > 58) continue;
            count++;
            x += i / 4 % image.width;
            y += Math.floor(i / 4 / image.width);
        }
        return [count, box.left + (left + x / count) / ratio, box.top + y / count / ratio];
    })()";
    browser.wait(&format!("{ring}[0] > 10"));
    let at: Vec<f64> = serde_json::from_value(browser.value(ring)).unwrap();
    browser.keys("\u{e00c}");
    assert_eq!(browser.text(selected), "");
    browser.wait(&format!("{ring}[0] === 0"));
    browser.mouse(at[1].round() as i64, at[2].round() as i64, None);
    browser.wait(&format!("({selected}) === '{row}'"));
}

fn the_matrix_follows_the_time(browser: &Browser) {
    let believed = |state: &str| browser.number(&format!("document.querySelectorAll('#matrix td.{state}').length"));
    search(browser, "member_down");
    browser.click(FIRST_ROW);
    browser.wait("document.querySelectorAll('#matrix td.dead').length > 0");
    // Its first life was over then, and its second one had not begun.
    assert!(believed("untraced") >= 8.0 && believed("alive") > 3.0);
    browser.keys("\u{e00c}\u{e00c}\u{e010}");
    browser.wait("document.querySelectorAll('#matrix td.dead').length === 0");
    assert!(believed("alive") > 8.0);
}

fn pictures(browser: &Browser) {
    search(browser, "member_down");
    browser.click(FIRST_ROW);
    browser.keys("\u{e00c}0++");
    assert!(browser.text(DETAILS).contains("Caused by"), "Escape leaves the search, and not what is selected");
    for (name, dark) in [("trace-html.png", false), ("trace-html-dark.png", true)] {
        if dark {
            browser.dark();
            browser.wait("matchMedia('(prefers-color-scheme: dark)').matches");
        }
        browser.wait("true");
        let colours = browser.screenshot(&place(name));
        assert!(colours > 200, "{name}: {colours} colours");
        let drawn = "new Set(new Uint32Array(document.getElementById('canvas').getContext('2d').getImageData(0, 0, 900, 200).data.buffer)).size";
        assert!(browser.number(drawn) > 20.0, "the lanes are drawn");
    }
}

/// So that the hashes are not compared with what made them.
fn sha256(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let out = child.wait_with_output().unwrap().stdout;
    let hex = std::str::from_utf8(&out).unwrap().split(' ').next().unwrap().to_owned();
    (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}
