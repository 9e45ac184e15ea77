//! A browser without a window, driven over WebDriver. Everything in it is bounded by one deadline.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const ALL: Duration = Duration::from_secs(150);

/// A browser that is installed here, by its name.
pub(crate) fn installed() -> Option<&'static str> {
    let answers = |program: &str| {
        let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    if !answers("chromedriver") {
        return None;
    }
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|program| answers(program))
}

/// A session of a browser. Both end with it.
pub(crate) struct Browser {
    driver: Child,
    base: String,
    deadline: Instant,
}

impl Browser {
    pub(crate) fn start(program: &str, profile: &Path) -> Self {
        let _ = std::fs::remove_dir_all(profile);
        std::fs::create_dir_all(profile).unwrap();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A group of its own, so that its browsers can be ended with it.
        let mut driver = command.process_group(0).spawn().expect("chromedriver answered before");
        let deadline = Instant::now() + ALL;
        let lines = BufReader::new(driver.stdout.take().expect("it is piped")).lines();
        let (sender, port) = channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let said = line.split(" started successfully on port ").nth(1);
                let port = said.and_then(|rest| rest.trim_end_matches('.').parse::<u16>().ok());
                port.map(|port| sender.send(port));
            }
        });
        let mut browser = Self { driver, base: String::new(), deadline };
        let port = port.recv_timeout(browser.left()).expect("chromedriver says its port");
        browser.base = format!("http://127.0.0.1:{port}/session");
        let profile = format!("--user-data-dir={}", profile.display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1500,1000",
            &profile,
        ];
        let options = json!({ "args": args, "binary": path_of(program) });
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 60_000, "pageLoad": 60_000 } });
        let session = browser.post("", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.base += &format!("/{}", session["sessionId"].as_str().expect("a session has an id"));
        browser
    }

    fn left(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the browser takes longer than {ALL:?}");
        left
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = minreq::post(format!("{}{path}", self.base)).with_timeout(self.left().as_secs() + 1);
        let answer = request.with_header("content-type", "application/json").with_body(body.to_string()).send();
        let answer = answer.unwrap_or_else(|e| panic!("{path}: {e}"));
        let value: Value = serde_json::from_slice(answer.as_bytes()).unwrap();
        assert_eq!(answer.status_code, 200, "{path}: {value}");
        value["value"].clone()
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The value of an expression of JavaScript.
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": format!("return {expression};"), "args": [] }))
    }

    pub(crate) fn text(&self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_else(|| panic!("{expression} is no text")).to_owned()
    }

    pub(crate) fn number(&self, expression: &str) -> f64 {
        self.value(expression).as_f64().unwrap_or_else(|| panic!("{expression} is no number"))
    }

    /// Until an expression is true, asked at every frame that is drawn.
    pub(crate) fn wait(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0]; (function ask() {{ if ({condition}) done(true); else requestAnimationFrame(ask); }})();"
        );
        self.post("/execute/async", &json!({ "script": script, "args": [] }));
    }

    pub(crate) fn click(&self, selector: &str) {
        let element = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        let id =
            element.as_object().and_then(|object| object.values().next()?.as_str()).expect("it is there").to_owned();
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Keys, one after the other, to whatever has the focus.
    pub(crate) fn keys(&self, keys: &str) {
        let strokes = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|what| json!({ "type": what, "value": key.to_string() })));
        let keys = json!({ "type": "key", "id": "keys", "actions": strokes.collect::<Vec<_>>() });
        self.post("/actions", &json!({ "actions": [keys] }));
    }

    /// The wheel, or a click of the mouse without it, at this point of the window.
    pub(crate) fn mouse(&self, x: i64, y: i64, wheel: Option<i64>) {
        let actions = match wheel {
            Some(by) => json!([{ "type": "wheel", "id": "wheel", "actions": [
                { "type": "scroll", "x": x, "y": y, "deltaX": 0, "deltaY": by, "origin": "viewport" }] }]),
            None => json!([{ "type": "pointer", "id": "mouse", "actions": [
                { "type": "pointerMove", "x": x, "y": y, "origin": "viewport" },
                { "type": "pointerDown", "button": 0 }, { "type": "pointerUp", "button": 0 }] }]),
        };
        self.post("/actions", &json!({ "actions": actions }));
    }

    pub(crate) fn dark(&self) {
        let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
        let params = json!({ "features": features });
        self.post("/goog/cdp/execute", &json!({ "cmd": "Emulation.setEmulatedMedia", "params": params }));
    }

    /// What the browser has logged since it was asked last: errors, and what the policy has refused.
    pub(crate) fn log(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }));
        entries.as_array().expect("a log is a list").iter().map(Value::to_string).collect()
    }

    /// Writes a picture of the window, and tells how many colours are in it.
    pub(crate) fn screenshot(&self, file: &Path) -> u64 {
        let request = minreq::get(format!("{}/screenshot", self.base)).with_timeout(self.left().as_secs() + 1);
        let answer: Value = serde_json::from_slice(request.send().unwrap().as_bytes()).unwrap();
        let encoded = answer["value"].as_str().expect("a picture is base64");
        std::fs::write(file, STANDARD.decode(encoded).unwrap()).unwrap();
        let script = "const done = arguments[1], image = new Image();
            image.onload = () => {
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [image.width, image.height];
                const context = canvas.getContext('2d');
                context.drawImage(image, 0, 0);
                done(new Set(new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer)).size);
            };
            image.src = 'data:image/png;base64,' + arguments[0];";
        let colours = self.post("/execute/async", &json!({ "script": script, "args": [encoded] }));
        colours.as_u64().expect("a number of colours")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = minreq::delete(&self.base).with_timeout(3).send();
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.driver.wait();
    }
}

/// Where a program is: chromedriver looks for it under a name of its own.
fn path_of(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file());
    found.map_or_else(|| program.to_owned(), |file| file.display().to_string())
}
