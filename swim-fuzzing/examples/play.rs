//! Plays files, or drawn bytes, to a target, without a fuzzer: `play TARGET FILE...` or `play TARGET --drawn COUNT
//! [FIRST]`.

use std::process::ExitCode;
use std::time::Instant;

use swim_fuzzing::draw::Draw;
use swim_fuzzing::{TARGETS, Target};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let found = args.first().and_then(|name| Target::named(name));
    let found = found.and_then(|target| Some((target.name, target.play?)));
    let Some((name, target)) = found.filter(|_| args.len() > 1) else {
        let names: Vec<&str> =
            TARGETS.iter().filter(|target| target.play.is_some()).map(|target| target.name).collect();
        eprintln!("play TARGET FILE... | play TARGET --drawn COUNT [FIRST]; the targets are {}", names.join(", "));
        return ExitCode::from(2);
    };
    let number = |at: usize| args.get(at).and_then(|text| text.parse::<u64>().ok());
    let begun = Instant::now();
    let count = if args[1] == "--drawn" {
        let (count, first) = (number(2).unwrap_or(1_000), number(3).unwrap_or(0));
        for seed in first..first + count {
            let mut draw = Draw::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let len = draw.below(2_000);
            let bytes = draw.bytes(len);
            if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                let file = format!("finding-{name}-{seed}");
                std::fs::write(&file, &bytes).expect("a finding can be written");
                eprintln!("{name}: drawn input {seed} is in {file}");
                return ExitCode::FAILURE;
            }
        }
        count
    } else {
        for file in &args[1..] {
            let bytes = std::fs::read(file).expect("the files can be read");
            eprintln!("{file}");
            target(&bytes);
        }
        args.len() as u64 - 1
    };
    println!("{name}: {count} inputs, {:?} each", begun.elapsed() / count.max(1) as u32);
    ExitCode::SUCCESS
}
