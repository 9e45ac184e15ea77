use super::*;

fn file(text: &str) -> Result<File, String> {
    File::parse(Path::new("swim.toml"), text)
}

fn sources<'a>(text: &str, set: &'a [String]) -> Sources<'a> {
    Sources { cluster: None, preset: None, file: Some(file(text).unwrap()), set }
}

fn resolved(text: &str, set: &[&str]) -> Result<Config, String> {
    let set: Vec<String> = set.iter().map(|&s| s.into()).collect();
    match sources(text, &set).config(Some("sim")) {
        Ok(resolved) => Ok(resolved.config),
        Err(Failure::Usage(why)) => Err(why),
        Err(other) => panic!("{other:?}"),
    }
}

fn refused(text: &str, set: &[&str], words: &[&str]) {
    let why = resolved(text, set).unwrap_err();
    for word in words {
        assert!(why.contains(word), "no {word:?} in: {why}");
    }
}

#[test]
fn a_file_changes_fields_of_its_preset() {
    let text = "preset = 'local'\ncluster = 'prod'\n# faster\nprobe_interval = \"1m 500ms\"\nmtu = 1_200\n";
    let mut want = Config::local("prod");
    (want.probe_interval, want.mtu, want.gossip_fanout) = (Duration::from_millis(60_500), 900, 5);
    assert_eq!(resolved(text, &["gossip_fanout=5", "mtu=900"]), Ok(want), "--set comes last");
    assert_eq!(resolved("", &[]), Ok(Config::lan("sim")));
}

/// Whatever `Config` is made of can be written into a file and on the command line, also what it is made of next year.
#[test]
fn every_field_can_be_set() {
    let (from, to) = (fields_of(&Config::lan("a")), fields_of(&Config::wan("b")));
    assert!(from.len() >= 26, "{from:?}");
    for (key, value) in &from {
        // Another value of the same kind; not one that the whole would accept, which is not the question here.
        let other = match value {
            Value::Number(number) => (number.as_u64().unwrap() + 1).into(),
            Value::Bool(yes) => (!yes).into(),
            Value::String(word) if word == "always" => "pings".into(),
            Value::String(_) => "other".into(),
            Value::Object(_) if choice(value).is_some() => serde_json::json!({ "coin": 2 }),
            Value::Object(_) => serde_json::to_value(Duration::from_millis(1_234)).unwrap(),
            Value::Null | Value::Array(_) => panic!("{key} is of a kind that no file can set"),
        };
        let line = format!("{key} = {}", written(&other));
        let (mut by_file, mut by_hand) = (to.clone(), to.clone());
        set(&mut by_file, key, &file(&line).unwrap().entries[0].given).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(by_file[key], other, "{line}");
        let bare = written(&other).replace('"', "");
        set(&mut by_hand, key, &Given::Bare(bare)).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(by_hand, by_file, "{line}");
    }
}

#[test]
fn what_is_no_field_is_refused_with_its_line_and_a_guess() {
    refused(
        "cluster = 'c'\n\nprobe_intervall = '1s'",
        &[],
        &["swim.toml:3:", "probe_intervall", "did you mean probe_interval?"],
    );
    refused("colour = 1", &[], &["swim.toml:1:", "no field colour", "probe_interval", "evidence_max", "preset"]);
    refused("", &["mtuu=1"], &["--set mtuu=1", "did you mean mtu?"]);
    refused("", &["mtux=1"], &["did you mean mtu?"]);
    refused("", &["xx=1"], &["--set xx=1", "no field xx; there are"]);
    refused("", &["mtu"], &["--set mtu", "--set probe_interval=500ms"]);
}

#[test]
fn values_of_another_kind_are_refused() {
    refused("probe_interval = 5", &[], &["swim.toml:1: probe_interval must be a time in quotes", "\"200ms\""]);
    refused("probe_interval = '5'", &[], &["probe_interval must be a time", "\"5\" is none"]);
    refused("mtu = '900'", &[], &["mtu must be a whole number, without quotes"]);
    refused("mtu = -1", &[], &["mtu must be a whole number, 0 or more"]);
    refused("mtu = 1.5", &[], &["mtu must be a whole number", "with a fraction"]);
    refused("sync_rate = 5_000_000_000", &[], &["sync_rate cannot be so large"]);
    refused("cluster = 1", &[], &["cluster must be text"]);
    refused("buddy = 'often'", &[], &["buddy cannot be that", "`never`, `pings`, `always`", "buddy = \"always\""]);
    refused("rumor_stop = 'coin'", &[], &["rumor_stop must be a choice and its number, like \"budget:170\""]);
    refused("rumor_stop = 2", &[], &["rumor_stop must be a choice and its number in quotes"]);
    refused("rumor_stop = 'dice:6'", &[], &["rumor_stop cannot be that", "`coin`", "rumor_stop = \"budget:170\""]);
    refused("rumor_stop = 'coin:0'", &[], &["swim.toml:1: config: rumor_stop must be a budget"]);
    refused("[lan]\nmtu = 1", &[], &["no field lan"]);
    refused("preset = 'man'", &[], &["swim.toml:1: preset must be one of \"local\", \"lan\", \"wan\""]);
    refused("", &["mtu=many"], &["--set mtu=many: mtu must be a whole number"]);
    let why = file("a = 1\nb = = 2").map(drop).unwrap_err();
    assert!(why.starts_with("swim.toml:2: this is no TOML"), "{why}");
}

#[test]
fn what_cannot_work_is_told_in_the_cores_words_and_with_its_place() {
    let core = "probe_timeout must be shorter than probe_interval";
    refused(
        "mtu = 900\nprobe_timeout = '2s'",
        &[],
        &["swim.toml:2: config: ", core, "half of probe_interval is usual"],
    );
    refused("probe_interval = '100ms'", &[], &["swim.toml: config: ", core, "is \"500ms\", by preset lan"]);
    refused("probe_timeout = '2s'", &["probe_timeout=3s"], &["--set probe_timeout=3s: config: ", core]);
    refused("mtu = 799", &[], &["swim.toml:1: config: mtu must be at least 800; raise it"]);
}

#[test]
fn the_command_line_goes_before_the_file_but_two_presets_contradict() {
    let config = |cluster, preset, text| {
        Sources { cluster, preset, file: Some(file(text).unwrap()), set: &[] }.config(None).map(|r| r.config)
    };
    assert_eq!(config(Some("mine"), None, "cluster = 'theirs'").unwrap().cluster, "mine");
    assert_eq!(config(None, Some(Preset::Wan), "cluster = 'c'").unwrap(), Config::wan("c"));
    assert_eq!(config(None, Some(Preset::Wan), "cluster = 'c'\npreset = 'wan'").unwrap(), Config::wan("c"));
    let Err(Failure::Usage(why)) = config(None, Some(Preset::Wan), "cluster = 'c'\npreset = 'lan'") else { panic!() };
    assert!(why.contains("--preset wan contradicts swim.toml, which says preset = \"lan\""), "{why}");
    let Err(Failure::Usage(why)) = config(None, None, "mtu = 900") else { panic!() };
    assert!(why.contains("--cluster") && why.contains("swim.toml"), "{why}");
}

/// Commands that start no node accept the section, too: the file is the same.
#[test]
fn the_flight_recorder_has_a_section() {
    let text = "cluster = 'c'\n[record]\nfile = 'run.swt'\nring = '1MiB'\noutputs = true\n";
    assert_eq!(resolved(text, &[]), Ok(Config::lan("c")));
    let want = Section { file: Some("run.swt".into()), dumps: None, ring: Some(1 << 20), outputs: Some(true) };
    assert_eq!(*file(text).unwrap().record(), want);
    let section = file("record = { dumps = '/d', ring = 70_000 }").unwrap().record().clone();
    assert_eq!((section.dumps, section.ring), (Some("/d".into()), Some(70_000)));
    assert!(!file("cluster = 'c'\n[record]\n").unwrap().record().is_given());
    for (text, why) in [
        ("mtu = 900\n\n[record]\nfiel = 'x'", "swim.toml:4: [record] has no fiel; did you mean file?"),
        ("[record]\nsize = 1", "swim.toml:2: [record] has no size; it has file, dumps, ring, outputs"),
        ("record = true", "swim.toml:1: record must be a section, [record], with lines of its own"),
        ("[record]\ndumps = 1", "swim.toml:2: dumps must be a path, in quotes"),
        ("[record]\nfile = ''", "swim.toml:2: file must be a path, in quotes"),
        ("[record]\noutputs = 'yes'", "swim.toml:2: outputs must be true or false"),
        ("[record]\nring = '8M'", "swim.toml:2: ring must be a size: \"8M\" is no size: write it like 8MiB or 500kB"),
        ("[record]\nring = 1.5", "swim.toml:2: ring must be a size: write it like \"8MiB\""),
        ("[record]\nring = '1kB'", "at least 64KiB"),
    ] {
        let found = file(text).map(drop).unwrap_err();
        assert!(found.contains(why), "{text}: {found}");
    }
}

/// So have its keys. A token that stands in the file itself is not repeated.
#[test]
fn sealing_has_a_section() {
    let text = "cluster = 'c'\n[sealing]\nkeyring = '/k'\ntoken = '@t'\nmigrate_until = 1970-01-01T00:01:00Z\n";
    assert_eq!(resolved(text, &[]), Ok(Config::lan("c")));
    let minute = std::time::UNIX_EPOCH + Duration::from_secs(60);
    let want = Sealing { keyring: Some("/k".into()), token: Some("@t".into()), migrate_until: Some(minute) };
    assert_eq!(*file(text).unwrap().sealing(), want);
    let quoted = text.replace("1970-01-01T00:01:00Z", "'1970-01-01T00:01:00Z'");
    assert_eq!(*file(&quoted).unwrap().sealing(), want);
    assert_eq!(*file("cluster = 'c'").unwrap().sealing(), Sealing::default());
    for (text, why) in [
        ("mtu = 900\n\n[sealing]\nkeyrin = 'x'", "swim.toml:4: [sealing] has no keyrin; did you mean keyring?"),
        ("[sealing]\nkeys = 1", "swim.toml:2: [sealing] has no keys; it has keyring, token, migrate_until"),
        ("sealing = true", "swim.toml:1: sealing must be a section, [sealing], with lines of its own"),
        ("[sealing]\nkeyring = 1", "swim.toml:2: keyring must be a path, in quotes"),
        ("[sealing]\ntoken = 'swim1:AAAA'", "swim.toml:2: token must be @ and the path of a file"),
        ("[sealing]\nmigrate_until = 1", "swim.toml:2: migrate_until must be a time"),
        ("[sealing]\nmigrate_until = 'never'", "swim.toml:2: migrate_until: \"never\" is no time: write it like 2026"),
        ("[sealing]\nmigrate_until = 2026-12-01", "swim.toml:2: migrate_until: \"2026-12-01\" is no time"),
    ] {
        let found = file(text).map(drop).unwrap_err();
        assert!(found.contains(why) && !found.contains("AAAA"), "{text}: {found}");
    }
}

/// So has what the node puts into its state.
#[test]
fn tags_have_a_section() {
    let text = "cluster = 'c'\n[tags]\nrole = 'db'\n\"zone/rack\" = '7'\n";
    assert_eq!(resolved(text, &[]), Ok(Config::lan("c")));
    let tags = file(text).unwrap().tags().to_vec();
    assert_eq!(tags, [("role".to_owned(), "db".to_owned()), ("zone/rack".into(), "7".into())]);
    assert_eq!(file("cluster = 'c'").unwrap().tags(), []);
    for (text, why) in [
        ("mtu = 900\n[tags]\nrole = 1", "swim.toml:3: the tag role must be text, in quotes"),
        ("\ntags = 'db'", "swim.toml:2: tags must be a section, [tags], with lines of its own"),
    ] {
        let found = file(text).map(drop).unwrap_err();
        assert!(found.contains(why), "{text}: {found}");
    }
}
