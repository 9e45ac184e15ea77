//! The header as one object. Fields that a configuration does not give are those of the LAN preset, so that lines which were
//! committed once can be read when the configuration has grown.

use std::net::SocketAddr;

use serde::Serialize;
use serde_json::{Map, Value};
use swim_core::{Config, Identity, Instant};
use swim_trace::Header;

use super::fields::Fields;
use crate::json::{Digits, Id, ProfileJson};

/// The field order is that of the line.
#[derive(Serialize)]
pub(super) struct HeaderJson<'a> {
    core: &'a str,
    snapshot_version: u16,
    generator: &'a str,
    id: Id,
    addr: SocketAddr,
    epoch: u32,
    profile: ProfileJson<'a>,
    rng_seed: Option<Digits<u64>>,
    began_us: u64,
    unix_micros: u64,
    frame_max: u32,
    outputs: bool,
    config: &'a Config,
}

impl<'a> HeaderJson<'a> {
    pub(super) fn of(header: &'a Header) -> Self {
        Self {
            core: &header.core,
            snapshot_version: header.snapshot_version,
            generator: &header.generator,
            id: Id(header.id),
            addr: header.addr,
            epoch: header.epoch,
            profile: (&header.profile).into(),
            rng_seed: header.rng_seed.map(Digits),
            began_us: header.began.as_micros(),
            unix_micros: header.unix_micros,
            frame_max: header.frame_max,
            outputs: header.outputs,
            config: &header.config,
        }
    }
}

pub(super) fn header(value: Value) -> Result<Header, String> {
    let mut fields = Fields::from_value(value, "header")?;
    let profile: ProfileJson<'static> = fields.take("profile")?;
    let me = Identity {
        id: fields.take::<Id>("id")?.0,
        addr: fields.take("addr")?,
        epoch: fields.take("epoch")?,
        profile: profile.profile().map_err(|e| format!("\"profile\": {e}"))?,
    };
    let config = config(Fields::from_value(fields.take("config")?, "config")?)?;
    let mut header = Header::new(&me, &config, 0, Instant::from_micros(fields.take("began_us")?));
    header.rng_seed = fields.take::<Option<Digits<u64>>>("rng_seed")?.map(|seed| seed.0);
    header.core = fields.take("core")?;
    header.snapshot_version = fields.take("snapshot_version")?;
    header.generator = fields.take("generator")?;
    header.unix_micros = fields.take("unix_micros")?;
    header.frame_max = fields.take("frame_max")?;
    header.outputs = fields.take("outputs")?;
    fields.done()?;
    Ok(header)
}

fn config(mut fields: Fields) -> Result<Config, String> {
    let cluster: String = fields.take("cluster")?;
    let preset = serde_json::to_value(Config::lan(&cluster)).expect("a configuration is numbers and names");
    let Value::Object(mut config) = preset else { return Err("a configuration is no object".into()) };
    let (known, unknown): (Map<_, _>, Map<_, _>) =
        fields.rest().into_iter().partition(|(key, _)| config.contains_key(key));
    Fields::from_value(Value::Object(unknown), "config")?.done().map_err(|e| format!("\"config\": {e}"))?;
    config.extend(known);
    serde_json::from_value(Value::Object(config)).map_err(|e| format!("\"config\": {e}"))
}
