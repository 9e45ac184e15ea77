//! Faults as they are written: `KIND[:WHO][:HOW]@AT[..UNTIL]` on the command line, and the same parts as a table of TOML.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use swim_sim::drill::{Drill, Fault, Kind, Who};

use crate::output::Failure;
use crate::units::{parse_latency, parse_percent, parse_span, span};

/// What is wrong, and at which character of the text it begins.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    at: usize,
    why: String,
}

/// A kind of fault: its name, what stands behind it, and whether it needs `UNTIL`.
struct Shape {
    name: &'static str,
    who: Option<&'static str>,
    how: Option<&'static str>,
    /// An end is needed, may be there, or cannot be.
    until: Until,
    example: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Needed,
    Optional,
    None,
}

const SHAPES: [Shape; 16] = [
    shape("crash", Some("WHO"), None, Until::None, "crash:3@60s"),
    shape("restart", Some("WHO"), None, Until::Optional, "restart:5@90s"),
    shape("rolling-restart", Some("WHO"), Some("DOWN"), Until::Needed, "rolling-restart:all@1m..4m"),
    shape("leave", Some("WHO"), None, Until::None, "leave:1@1m"),
    shape("join", Some("COUNT"), None, Until::Optional, "join:5@2m"),
    shape("cut", Some("WHO"), None, Until::Optional, "cut:20%@2m..3m"),
    shape("mute", Some("WHO"), None, Until::Optional, "mute:1@30s..60s"),
    shape("deaf", Some("WHO"), None, Until::Optional, "deaf:1@30s..60s"),
    shape("one-way", Some("WHO"), None, Until::Optional, "one-way:1@30s..60s"),
    shape("slow", Some("WHO"), Some("TIME"), Until::Optional, "slow:2:50ms@1m..2m"),
    shape("pause", Some("WHO"), None, Until::Optional, "pause:1@1m..90s"),
    shape("loss", Some("PERCENT"), None, Until::Optional, "loss:30%@2m..3m"),
    shape("latency", Some("MIN..MAX"), None, Until::Optional, "latency:50ms..80ms@1m..2m"),
    shape("clock-forth", Some("WHO"), Some("TIME"), Until::None, "clock-forth:1:30s@1m"),
    shape("clock-back", Some("WHO"), Some("TIME"), Until::None, "clock-back:1:30s@1m"),
    shape("drift", Some("WHO"), Some("PPM"), Until::Optional, "drift:1:500@1m..2m"),
];

const fn shape(
    name: &'static str,
    who: Option<&'static str>,
    how: Option<&'static str>,
    until: Until,
    example: &'static str,
) -> Shape {
    Shape { name, who, how, until, example }
}

/// A fault of the command line.
pub(crate) fn parse(text: &str) -> Result<Fault, String> {
    parse_parts(text).map_err(|wrong| marked(text, &wrong))
}

fn parse_parts(text: &str) -> Result<Fault, Wrong> {
    let Some((what, when)) = text.split_once('@') else {
        return Err(wrong(
            text.chars().count(),
            "it is not said when: end it with @AT or @AT..UNTIL, like crash:3@60s",
        ));
    };
    let mut parts = what.split(':');
    let (name, who, how) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    // Where each part begins.
    let who_at = name.chars().count() + 1;
    let how_at = who_at + who.map_or(0, |who| who.chars().count()) + 1;
    if let Some(more) = parts.next() {
        let at = how_at + how.map_or(0, |how| how.chars().count()) + 1;
        return Err(wrong(at, format!("\"{more}\" is one part too many: it is KIND:WHO:HOW@AT..UNTIL")));
    }
    let shape = shape_of(name).map_err(|why| wrong(0, why))?;
    let when_at = what.chars().count() + 1;
    let (from, until) = match when.split_once("..") {
        Some((from, until)) => (from, Some(until)),
        None => (when, None),
    };
    let at = parse_span(from).map_err(|why| wrong(when_at, why))?;
    let until_at = when_at + from.chars().count() + 2;
    let until = until.map(parse_span).transpose().map_err(|why| wrong(until_at, why))?;
    check_times(shape, at, until).map_err(|why| wrong(if until.is_some() { until_at } else { when_at }, why))?;
    let kind = kind(shape, who, how).map_err(|(part, why)| {
        wrong(
            match part {
                Part::Who => who_at.min(when_at - 1),
                Part::How => how_at.min(when_at - 1),
            },
            why,
        )
    })?;
    Ok(Fault { label: text.to_owned(), kind, at, until })
}

/// Why a fault cannot befall as many as it should: there are not so many even with all that have joined by then.
pub(super) fn too_many(fault: &Fault, drill: &Drill) -> Option<String> {
    let Some(Who::Count(count)) = fault.kind.who() else { return None };
    let joined = |other: &Fault| match other.kind {
        Kind::Join(new) if other.at <= fault.at => new as usize,
        _ => 0,
    };
    let joins: usize = drill.faults.iter().map(joined).sum();
    let there = drill.nodes + joins;
    (count as usize > there).then(|| {
        let who_at = fault.label.chars().take_while(|&c| c != ':').count() + 1;
        let and = if joins > 0 { format!(", {joins} of which join") } else { String::new() };
        marked(&fault.label, &wrong(who_at, format!("{count} nodes are more than there are by then ({there}{and}): write {there} at most, a share, or all, or raise --nodes")))
    })
}

fn marked(text: &str, wrong: &Wrong) -> String {
    let marker = " ".repeat(wrong.at);
    format!("{}\n  {text}\n  {marker}^ at character {}", wrong.why, wrong.at + 1)
}

fn wrong(at: usize, why: impl Into<String>) -> Wrong {
    Wrong { at, why: why.into() }
}

enum Part {
    Who,
    How,
}

fn shape_of(name: &str) -> Result<&'static Shape, String> {
    SHAPES.iter().find(|shape| shape.name == name).ok_or_else(|| {
        let near = SHAPES.iter().map(|shape| (strsim::damerau_levenshtein(shape.name, name), shape.name)).min();
        match near {
            Some((far, near)) if far <= 2 => format!("there is no fault \"{name}\"; did you mean {near}?"),
            _ => {
                let names: Vec<&str> = SHAPES.iter().map(|shape| shape.name).collect();
                format!("there is no fault \"{name}\"; there are {}", names.join(", "))
            }
        }
    })
}

fn check_times(shape: &Shape, at: Duration, until: Option<Duration>) -> Result<(), String> {
    let (name, example) = (shape.name, shape.example);
    match (shape.until, until) {
        (Until::Needed, None) => Err(format!("{name} needs an end: write it like {example}")),
        (Until::None, Some(_)) => Err(format!("{name} happens at one moment and has no end: write it like {example}")),
        (_, Some(until)) if until <= at => {
            Err(format!("it would end at {}, before it begins: both count from the start of the drill", span(until)))
        }
        _ => Ok(()),
    }
}

fn kind(shape: &Shape, who: Option<&str>, how: Option<&str>) -> Result<Kind, (Part, String)> {
    let (name, example) = (shape.name, shape.example);
    let who_text = || {
        let missing = || (Part::Who, format!("{name} needs {}: write it like {example}", shape.who.unwrap_or("WHO")));
        who.filter(|who| !who.is_empty()).ok_or_else(missing)
    };
    let nodes = || parse_who(who_text()?).map_err(|why| (Part::Who, why));
    let how_text = || {
        let missing = || (Part::How, format!("{name} needs {}: write it like {example}", shape.how.unwrap_or("HOW")));
        how.filter(|how| !how.is_empty()).ok_or_else(missing)
    };
    let how_span = || parse_span(how_text()?).map_err(|why| (Part::How, why));
    if let (None, Some(how)) = (shape.how, how) {
        return Err((Part::How, format!("{name} takes no \"{how}\": write it like {example}")));
    }
    Ok(match name {
        "crash" => Kind::Crash(nodes()?),
        "restart" => Kind::Restart(nodes()?),
        "rolling-restart" => {
            let down = if how.is_some() { how_span()? } else { DOWN };
            Kind::RollingRestart(nodes()?, down)
        }
        "leave" => Kind::Leave(nodes()?),
        "join" => {
            let count = who_text()?;
            let number = count.parse().ok().filter(|n| (1..=100_000).contains(n));
            Kind::Join(
                number.ok_or_else(|| (Part::Who, format!("\"{count}\" is no number of new nodes, 1 to 100000")))?,
            )
        }
        "cut" => Kind::Cut(nodes()?),
        "mute" | "one-way" => Kind::Mute(nodes()?),
        "deaf" => Kind::Deaf(nodes()?),
        "slow" => Kind::Slow(nodes()?, how_span()?),
        "pause" => Kind::Pause(nodes()?),
        "loss" => Kind::Loss(parse_percent(who_text()?).map_err(|why| (Part::Who, why))?),
        "latency" => {
            let (min, max) = parse_latency(who_text()?).map_err(|why| (Part::Who, why))?;
            Kind::Latency(min, max)
        }
        "clock-forth" => Kind::ClockForth(nodes()?, how_span()?),
        "clock-back" => Kind::ClockBack(nodes()?, how_span()?),
        "drift" => {
            let text = how_text()?;
            let ppm = text.parse().ok().filter(|ppm: &i32| ppm.abs() < 1_000_000);
            Kind::Drift(
                nodes()?,
                ppm.ok_or_else(|| (Part::How, format!("\"{text}\" is no drift in ppm, like 500 or -500")))?,
            )
        }
        _ => unreachable!("every shape has its kind"),
    })
}

fn parse_who(text: &str) -> Result<Who, String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|&n| n > 0);
    match (text, text.strip_suffix('%')) {
        ("all", _) => Some(Who::All),
        (_, Some(percent)) => number(percent).filter(|&p| p <= 100).map(Who::Percent),
        (_, None) => number(text).map(Who::Count),
    }
    .ok_or_else(|| format!("\"{text}\" says not how many nodes: a number like 3, a share like 20%, or all"))
}

/// A file of faults: tables that have the parts of the text by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Faults {
    #[serde(default)]
    fault: Vec<toml::Spanned<Parts>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    kind: String,
    who: Option<toml::Value>,
    how: Option<toml::Value>,
    at: String,
    until: Option<String>,
}

pub(super) fn read(path: &Path) -> Result<Vec<Fault>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::Usage(format!(
            "cannot read the faults in {}: {e}; give the path of a file that can be",
            path.display()
        ))
    })?;
    parse_file(&text).map_err(|(line, why)| Failure::Usage(format!("{}:{line}: {why}", path.display())))
}

pub(crate) fn parse_file(text: &str) -> Result<Vec<Fault>, (usize, String)> {
    let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|&&byte| byte == b'\n').count();
    let faults: Faults = toml::from_str(text).map_err(|e| {
        let example = "a fault is [[fault]] with kind, who, how, at and until, as in kind = \"cut\", who = \"20%\", \
                       at = \"2m\", until = \"3m\"";
        (line(e.span().map_or(0, |span| span.start)), format!("{}; {example}", e.message()))
    })?;
    let one = |parts: &toml::Spanned<Parts>| {
        let here = line(parts.span().start);
        let text = parts.get_ref().text().map_err(|why| (here, why))?;
        parse_parts(&text).map_err(|wrong| (here, format!("{} (this is {text})", wrong.why)))
    };
    faults.fault.iter().map(one).collect()
}

impl Parts {
    /// The same on one line.
    fn text(&self) -> Result<String, String> {
        let part = |value: &Option<toml::Value>| match value {
            None => Ok(String::new()),
            Some(toml::Value::String(text)) => Ok(format!(":{text}")),
            Some(toml::Value::Integer(number)) => Ok(format!(":{number}")),
            Some(other) => Err(format!("a {} is neither text nor a whole number", other.type_str())),
        };
        let until = self.until.as_ref().map(|until| format!("..{until}")).unwrap_or_default();
        Ok(format!("{}{}{}@{}{until}", self.kind, part(&self.who)?, part(&self.how)?, self.at))
    }
}

/// How long a process is down that restarts in its turn, if nothing is said.
const DOWN: Duration = Duration::from_secs(1);

/// What can be written, for the help texts.
pub(super) const HELP: &str = "\
A fault is KIND:WHO[:HOW]@AT or KIND:WHO[:HOW]@AT..UNTIL. Times count from when the cluster has formed. WHO is
a number of nodes, a share like 20%, or all; which ones is drawn from --seed, those first that are under no
other fault. What lasts and has no UNTIL lasts until the end of the run.
  crash:3@60s                 three processes end without goodbye
  restart:5@90s               five end and start again at once; with ..UNTIL they are down till then
  rolling-restart:all@1m..4m  one after the other, evenly; each is down for 1s, or for HOW (all:5s)
  leave:1@1m                  says goodbye
  join:5@2m                   five new nodes join; with ..UNTIL evenly over that time
  cut:20%@2m..3m              nothing passes between these nodes and all others
  mute:1@30s..60s             what it sends is lost, and it hears all; one-way is another word for it
  deaf:1@30s..60s             hears nothing, and all hear it
  slow:2:50ms@1m..2m          two processes take 50 ms for every input
  pause:1@1m..90s             the process stands still, as after SIGSTOP
  loss:30%@2m..3m             all links lose 30 %
  latency:50ms..80ms@1m..2m   all links take so long; a number without a unit is milliseconds
  clock-forth:1:30s@1m        the machine's clock jumps; clock-back as well
  drift:1:500@1m..2m          the clock gains 500 microseconds a second
A file for --faults has the same as tables of TOML, and both may be given:
  [[fault]]
  kind = \"cut\"
  who = \"20%\"
  at = \"2m\"
  until = \"3m\"";

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn every_kind_is_written_as_its_example() {
        for shape in &SHAPES {
            let fault = parse(shape.example).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(
                (&*fault.label, fault.until.is_some()),
                (shape.example, shape.example.split_once('@').unwrap().1.contains(".."))
            );
            assert!(HELP.contains(shape.name), "{} is not in the help", shape.name);
        }
        let fault = parse("rolling-restart:50%:5s@1m..4m").unwrap();
        assert_eq!(
            (fault.kind, fault.at, fault.until),
            (Kind::RollingRestart(Who::Percent(50), secs(5)), secs(60), Some(secs(240)))
        );
        assert_eq!(parse("loss:2.5%@0s").unwrap().kind, Kind::Loss(25_000));
        assert_eq!(
            parse("latency:5..80ms@1s").unwrap().kind,
            Kind::Latency(Duration::from_millis(5), Duration::from_millis(80))
        );
        assert_eq!(parse("drift:all:-20@1s").unwrap().kind, Kind::Drift(Who::All, -20));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_to_do() {
        for (text, at, words) in [
            ("crash:3", 8, "end it with @AT"),
            ("crush:3@1s", 1, "did you mean crash?"),
            ("explode:3@1s", 1, "there are crash, restart"),
            ("crash@1s", 6, "crash needs WHO: write it like crash:3@60s"),
            ("crash:x@1s", 7, "a share like 20%, or all"),
            ("crash:0@1s", 7, "a share like 20%, or all"),
            ("cut:101%@1s", 5, "a share like 20%, or all"),
            ("crash:3@60", 9, "is no time"),
            ("crash:3@1s..2s", 13, "has no end"),
            ("cut:1@2m..1m", 11, "before it begins"),
            ("cut:1@1s..x", 11, "is no time"),
            ("rolling-restart:all@1m", 21, "needs an end"),
            ("slow:1@1s", 7, "slow needs TIME: write it like slow:2:50ms"),
            ("slow:1:fast@1s", 8, "is no time"),
            ("cut:1:2s@1s", 7, "takes no \"2s\""),
            ("slow:1:2s:3@1s", 11, "one part too many"),
            ("loss:130%@1s", 6, "is no percentage"),
            ("join:20%@1s", 6, "no number of new nodes"),
            ("drift:1:fast@1s", 9, "no drift in ppm"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(words) && why.ends_with(&format!("^ at character {at}")), "{text}: {why}");
        }
    }

    #[test]
    fn a_file_says_the_same() {
        let text = "[[fault]]\nkind = 'cut'\nwho = '20%'\nat = '2m'\nuntil = '3m'\n\n[[fault]]\nkind = 'slow'\nwho = 2\nhow = '50ms'\nat = '1m'\n";
        assert_eq!(parse_file(text).unwrap(), [parse("cut:20%@2m..3m").unwrap(), parse("slow:2:50ms@1m").unwrap()]);
        assert_eq!(parse_file("").unwrap(), []);
        for (text, line, words) in [
            ("\n[[fault]]\nkind = 'cut'\nat = '1m'", 2, "cut needs WHO"),
            ("[[fault]]\nkind = 'cut'\nwhom = 1\nat = '1m'", 3, "whom"),
            ("[[fault]]\nkind = 'cut'\nwho = 1.5\nat = '1m'", 1, "neither text nor a whole number"),
            ("x", 1, "a fault is [[fault]]"),
        ] {
            let (found, why) = parse_file(text).unwrap_err();
            assert!(found == line && why.contains(words), "{text}: {found}: {why}");
        }
    }
}
