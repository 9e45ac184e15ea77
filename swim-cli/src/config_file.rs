//! Where a node's configuration comes from: a preset, a TOML file that names one and changes fields, and `--set`.
//!
//! Invariant: the fields are those of [`Config`] itself, as it serialises. So a field that is new there can be set here
//! without a line of this file.

mod sealing;
mod section;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bind_mio::swim_core::Config;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

pub(crate) use self::sealing::Sealing;
pub(crate) use self::section::Section;
use crate::args::Preset;
use crate::output::Failure;

/// How a command that starts no node is told what configuration it is about.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    /// How fast nodes probe and how long they are patient; lan unless the file names another.
    #[arg(long, value_enum)]
    pub(crate) preset: Option<Preset>,
    /// A TOML file that names a preset and changes fields of it, see below.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Change one field on top of that, as in `--set probe_interval=500ms`, without quotes; may be repeated.
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
}

impl ConfigArgs {
    /// The configuration that is asked for. A simulated cluster needs no name of its own.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        Ok(self.config_and_keys()?.0)
    }

    /// The same, and whether the file gives nodes keys.
    pub(crate) fn config_and_keys(&self) -> Result<(Config, bool), Failure> {
        let from_file = self.config.as_deref().map(File::read).transpose()?;
        let seals = from_file.as_ref().is_some_and(|file| file.sealing().has_keys());
        let sources = Sources { cluster: None, preset: self.preset, file: from_file, set: &self.set };
        Ok((sources.config(Some("sim"))?.config, seals))
    }

    /// What it is called for people: the preset, the file, and what is set.
    pub(crate) fn name(&self) -> String {
        let preset = self.preset.unwrap_or(Preset::Lan).name();
        let mut name = match (&self.config, self.preset) {
            (Some(file), None) => file.display().to_string(),
            (Some(file), Some(_)) => format!("{} on preset {preset}", file.display()),
            (None, _) => format!("preset {preset}"),
        };
        for set in &self.set {
            name += &format!(", {set}");
        }
        name
    }
}

/// All that has a say.
pub(crate) struct Sources<'a> {
    /// From the command line; goes before the file's.
    pub(crate) cluster: Option<&'a str>,
    pub(crate) preset: Option<Preset>,
    pub(crate) file: Option<File>,
    pub(crate) set: &'a [String],
}

/// What it comes to.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) config: Config,
    pub(crate) preset: Preset,
}

/// A file that has been read, and whose fields are not checked yet.
pub(crate) struct File {
    path: PathBuf,
    entries: Vec<Entry>,
    record: Section,
    sealing: Sealing,
    tags: Tags,
}

struct Entry {
    key: String,
    line: usize,
    given: Given,
}

/// A value as it was written.
enum Given {
    Text(String),
    Integer(i128),
    Bool(bool),
    /// On the command line, where what is meant follows from the field.
    Bare(String),
    /// What no field is: a float, a date, an array, a table.
    Other(&'static str),
}

impl File {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Failure::Usage(format!(
                "cannot read the config file {}: {e}; give the path of one that can be",
                path.display()
            ))
        })?;
        Self::parse(path, &text).map_err(Failure::Usage)
    }

    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let at = |line: usize| format!("{}:{line}", path.display());
        let table = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line_of(text, span.start));
            format!("{}: this is no TOML: {}; a line is FIELD = VALUE, with text in quotes", at(line), e.message())
        })?;
        let record = match table.get_ref().iter().find(|(key, _)| key.get_ref() == RECORD) {
            Some((key, value)) => {
                let DeValue::Table(record) = value.get_ref() else {
                    let line = line_of(text, key.span().start);
                    return Err(format!("{}: record must be a section, [record], with lines of its own", at(line)));
                };
                Section::read(record).map_err(|(offset, why)| format!("{}: {why}", at(line_of(text, offset))))?
            }
            None => Section::default(),
        };
        let sealing = match table.get_ref().iter().find(|(key, _)| key.get_ref() == SEALING) {
            Some((key, value)) => {
                let DeValue::Table(sealing) = value.get_ref() else {
                    let line = line_of(text, key.span().start);
                    return Err(format!("{}: sealing must be a section, [sealing], with lines of its own", at(line)));
                };
                Sealing::read(sealing).map_err(|(offset, why)| format!("{}: {why}", at(line_of(text, offset))))?
            }
            None => Sealing::default(),
        };
        let tags = match table.get_ref().iter().find(|(key, _)| key.get_ref() == TAGS) {
            Some((key, value)) => tags(value.get_ref())
                .map_err(|(offset, why)| format!("{}: {why}", at(line_of(text, offset.unwrap_or(key.span().start)))))?,
            None => Tags::new(),
        };
        let mut entries: Vec<Entry> = (table.get_ref().iter())
            .filter(|(key, _)| ![RECORD, SEALING, TAGS].contains(&&**key.get_ref()))
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                line: line_of(text, key.span().start),
                given: Given::from(value.get_ref()),
            })
            .collect();
        entries.sort_by_key(|entry| entry.line);
        Ok(Self { path: path.to_owned(), entries, record, sealing, tags })
    }

    /// Its path, for people.
    pub(crate) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// What the node puts into its own state, by their keys.
    pub(crate) fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    /// What it says of the flight recorder.
    pub(crate) fn record(&self) -> &Section {
        &self.record
    }

    /// What it says of keys.
    pub(crate) fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    fn at(&self, entry: &Entry) -> String {
        format!("{}:{}", self.path.display(), entry.line)
    }

    fn preset(&self) -> Result<Option<Preset>, Failure> {
        let Some(entry) = self.entries.iter().find(|entry| entry.key == PRESET) else { return Ok(None) };
        let named = match &entry.given {
            Given::Text(name) => Preset::from_str(name, false).ok(),
            _ => None,
        };
        named.map(Some).ok_or_else(|| {
            let names: Vec<String> = Preset::value_variants().iter().map(|p| format!("\"{}\"", p.name())).collect();
            Failure::Usage(format!("{}: preset must be one of {}", self.at(entry), names.join(", ")))
        })
    }
}

/// Keys and what is put under them.
type Tags = Vec<(String, String)>;

/// The section `[tags]`. An error says where it is, as an offset in the text, unless it is the whole.
fn tags(value: &DeValue<'_>) -> Result<Tags, (Option<usize>, String)> {
    let DeValue::Table(table) = value else {
        return Err((None, "tags must be a section, [tags], with lines of its own".into()));
    };
    let mut tags = Tags::new();
    for (key, value) in table {
        let DeValue::String(text) = value.get_ref() else {
            return Err((Some(key.span().start), format!("the tag {} must be text, in quotes", key.get_ref())));
        };
        tags.push((key.get_ref().to_string(), text.to_string()));
    }
    Ok(tags)
}

impl Given {
    fn from(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Boolean(yes) => Self::Bool(*yes),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Self::Integer(number),
                Err(_) => Self::Other("a number that is too large"),
            },
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Array(_) => Self::Other("an array"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }
}

impl Sources<'_> {
    /// Preset, file and `--set` on top of each other, checked as a whole. `cluster` is the name when nobody gives one.
    pub(crate) fn config(&self, cluster: Option<&str>) -> Result<Resolved, Failure> {
        let preset = self.preset()?;
        let named = self.file.as_ref().is_some_and(|file| file.entries.iter().any(|entry| entry.key == CLUSTER));
        // A name that the file gives is set below, with all its other fields.
        let Some(cluster) = self.cluster.or(cluster).or(named.then_some("")) else {
            let file = self.file.as_ref().map_or_else(|| "a file".into(), |file| file.path.display().to_string());
            return Err(Failure::Usage(format!(
                "the cluster has no name: give --cluster, or write cluster = \"NAME\" into {file}"
            )));
        };
        let mut fields = fields_of(&preset.config(cluster));
        for entry in self.file.iter().flat_map(|file| &file.entries) {
            if entry.key == PRESET || entry.key == CLUSTER && self.cluster.is_some() {
                continue;
            }
            let file = self.file.as_ref().expect("it is the entry's");
            set(&mut fields, &entry.key, &entry.given)
                .map_err(|why| Failure::Usage(format!("{}: {why}", file.at(entry))))?;
        }
        for text in self.set {
            let (key, value) = text.split_once('=').ok_or_else(|| {
                Failure::Usage(format!("--set {text}: this sets nothing: write it like --set probe_interval=500ms"))
            })?;
            set(&mut fields, key.trim(), &Given::Bare(value.trim().into()))
                .map_err(|why| Failure::Usage(format!("--set {text}: {why}")))?;
        }
        let config = config_of(&fields).expect("every field was tried when it was set");
        self.check(&config, preset)?;
        Ok(Resolved { config, preset })
    }

    fn preset(&self) -> Result<Preset, Failure> {
        let from_file = self.file.as_ref().map(File::preset).transpose()?.flatten();
        match (self.preset, from_file, &self.file) {
            (Some(asked), Some(written), Some(file)) if asked != written => Err(Failure::Usage(format!(
                "--preset {} contradicts {}, which says preset = \"{}\": take one of the two away",
                asked.name(),
                file.path.display(),
                written.name()
            ))),
            (asked, written, _) => Ok(asked.or(written).unwrap_or(Preset::Lan)),
        }
    }

    /// The core's own words, and in front of them where the value comes from.
    fn check(&self, config: &Config, preset: Preset) -> Result<(), Failure> {
        let Err(error) = config.validate() else { return Ok(()) };
        let field = error.field();
        let value = written(&fields_of(config)[field]);
        let set = self.set.iter().rev().find(|text| text.split('=').next().is_some_and(|key| key.trim() == field));
        let entry = self.file.iter().flat_map(|file| &file.entries).find(|entry| entry.key == field);
        Err(Failure::Usage(match (set, entry, &self.file) {
            (Some(set), _, _) => format!("--set {set}: {error}"),
            (None, Some(entry), Some(file)) => format!("{}: {error}", file.at(entry)),
            (None, None, Some(file)) => {
                format!("{}: {error} ({field} is {value}, by preset {})", file.path.display(), preset.name())
            }
            _ => format!("{error} ({field} is {value}, by preset {})", preset.name()),
        }))
    }
}

/// What a config is made of, by name.
fn fields_of(config: &Config) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(fields)) => fields,
        _ => unreachable!("a config is a struct of plain values"),
    }
}

fn config_of(fields: &Map<String, Value>) -> Result<Config, String> {
    serde_json::from_value(Value::Object(fields.clone())).map_err(|e| e.to_string())
}

/// Sets one field, and leaves all as it was when the value cannot be that field's.
fn set(fields: &mut Map<String, Value>, key: &str, given: &Given) -> Result<(), String> {
    let Some(former) = fields.get(key).cloned() else { return Err(unknown(fields, key)) };
    let value = converted(&former, given).map_err(|wanted| format!("{key} must be {wanted}"))?;
    fields.insert(key.into(), value);
    config_of(fields).map(drop).map_err(|e| {
        let example = written(&former);
        let why = if former.is_number() { "cannot be so large".to_owned() } else { format!("cannot be that ({e})") };
        fields.insert(key.into(), former);
        format!("{key} {why}: write it like {key} = {example}")
    })
}

/// What is given as a value of the kind that the field has; or the words for what it must be.
fn converted(former: &Value, given: &Given) -> Result<Value, String> {
    let instead = match given {
        Given::Other(kind) => format!(", and this is {kind}"),
        _ => String::new(),
    };
    match (former, given) {
        (Value::Bool(_), Given::Bool(yes)) => Ok((*yes).into()),
        (Value::Bool(_), Given::Bare(text)) => {
            text.parse::<bool>().map(Value::from).map_err(|_| "true or false".into())
        }
        (Value::Bool(_), _) => Err(format!("true or false{instead}")),
        (Value::Number(_), Given::Integer(number)) => {
            u64::try_from(*number).map(Value::from).map_err(|_| "a whole number, 0 or more".into())
        }
        (Value::Number(_), Given::Bare(text)) => {
            text.replace('_', "").parse::<u64>().map(Value::from).map_err(|_| "a whole number, 0 or more".into())
        }
        (Value::Number(_), _) => Err(format!("a whole number, without quotes{instead}")),
        (Value::String(_), Given::Text(text) | Given::Bare(text)) => Ok(text.as_str().into()),
        (Value::String(_), _) => Err(format!("text, in quotes{instead}")),
        (Value::Object(_), Given::Text(text) | Given::Bare(text)) if choice(former).is_some() => {
            let parts =
                text.split_once(':').and_then(|(name, number)| Some((name.trim(), number.trim().parse::<u64>().ok()?)));
            let (name, number) = parts.ok_or_else(|| format!("a choice and its number, like {}", written(former)))?;
            Ok(Map::from_iter([(name.to_owned(), number.into())]).into())
        }
        (Value::Object(_), _) if choice(former).is_some() => {
            Err(format!("a choice and its number in quotes, like {}{instead}", written(former)))
        }
        (Value::Object(_), Given::Text(text) | Given::Bare(text)) => {
            let span = humantime::parse_duration(text)
                .map_err(|e| format!("a time like \"200ms\", \"1s\" or \"5m\", and \"{text}\" is none: {e}"))?;
            Ok(serde_json::to_value(span).expect("a duration can be written"))
        }
        (Value::Object(_), _) => {
            Err(format!("a time in quotes, with its unit, like \"200ms\", \"1s\" or \"5m\"{instead}"))
        }
        (Value::Null | Value::Array(_), _) => Err("left alone: this version cannot read it".into()),
    }
}

/// One of several ways with a number of its own, as `rumor_stop` is: by name and number.
fn choice(value: &Value) -> Option<(&str, u64)> {
    let Value::Object(fields) = value else { return None };
    let mut fields = fields.iter();
    match (fields.next(), fields.next()) {
        (Some((name, number)), None) => Some((name, number.as_u64()?)),
        _ => None,
    }
}

/// A field's value as one would write it into a file.
fn written(value: &Value) -> String {
    if let Some((name, number)) = choice(value) {
        return format!("\"{name}:{number}\"");
    }
    match serde_json::from_value::<Duration>(value.clone()) {
        Ok(span) => format!("\"{}\"", humantime::format_duration(span).to_string().replace(' ', "")),
        Err(_) => value.to_string(),
    }
}

fn unknown(fields: &Map<String, Value>, key: &str) -> String {
    let names = || fields.keys().map(String::as_str).chain([PRESET]);
    match near(names(), key) {
        Some(name) => format!("there is no field {key}; did you mean {name}?"),
        None => format!("there is no field {key}; there are {}", names().collect::<Vec<_>>().join(", ")),
    }
}

/// The name that was meant, most likely.
fn near<'a>(names: impl Iterator<Item = &'a str>, key: &str) -> Option<&'a str> {
    let near = names.map(|name| (strsim::damerau_levenshtein(name, key), name)).min();
    // What shares little with a name is no slip of the pen.
    near.filter(|(far, _)| *far <= 3 && far * 3 <= key.chars().count()).map(|(_, name)| name)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count()
}

/// What names the preset in a file, beside the fields.
const PRESET: &str = "preset";
/// The section on the flight recorder.
const RECORD: &str = "record";
/// The section on the node's keys.
const SEALING: &str = "sealing";
/// The section on what the node puts into its own state.
const TAGS: &str = "tags";
/// The field that the command line may give, too.
const CLUSTER: &str = "cluster";

/// What a file may say, for the help texts.
pub(crate) const FILE_HELP: &str = "\
A config file (TOML) names a preset and changes fields of it:
  preset = \"lan\"              # local, lan or wan; lan if it is not there
  cluster = \"prod\"
  probe_interval = \"500ms\"    # times in quotes, with their unit: us, ms, s, m, h
  indirect_probes = 8
  rumor_stop = \"coin:2\"     # how, and a number: budget, counter or coin
The fields, and what each may be, are in docs/planning.md and in the table \"Config\" of docs/protocol.md.";

#[cfg(test)]
mod tests;
