//! Files of traces of several nodes, for the commands that take them.

use crate::files::place;
use crate::nets::skewed::World;

/// Names are what others choose.
pub(crate) const HOSTILE: &str = "</script><img src=x onerror=alert(1)>";

/// Traces of four nodes in a folder of this name: five lives, because one dies and comes back. The clock of each node is a second
/// ahead of that of the one before.
pub(crate) fn traces(dir: &str) -> Vec<String> {
    let dir = place(dir);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let mut world = World::new(4);
    world.lose = 40;
    for (i, name) in ["web-1", "web-2\x1b[2J", HOSTILE, "db-1"].iter().enumerate() {
        world.start(name, i as u16 + 1, 1, 1_000_000 * i as u64);
        if i > 0 {
            world.join(i, 0);
        }
        world.run(100);
    }
    world.run(2_000);
    world.kill(3);
    world.run(6_000);
    let again = world.start("db-1", 4, 2, 77);
    world.join(again, 1);
    world.run(2_000);
    let files = world.traces().into_iter().enumerate().map(|(i, bytes)| {
        let file = dir.join(format!("{i}.swt"));
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    });
    files.collect()
}
