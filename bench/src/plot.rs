//! Plots of cost against the number of members.

use std::path::Path;

use plotters::prelude::*;

use crate::case::Op;
use crate::results::Results;

/// What is drawn, by operation.
const DRAWN: [Op; 6] = [
    Op::Ping { updates: 0, fresh: false },
    Op::Ping { updates: 20, fresh: false },
    Op::Ping { updates: 20, fresh: true },
    Op::Round,
    Op::Gossip(Some(20)),
    Op::Ingest,
];

/// One file for each operation that was measured.
pub(crate) fn draw(results: &Results, folder: &Path) -> Result<(), String> {
    for op in DRAWN {
        let file = folder.join(format!("{op}.svg"));
        one(results, op, &file).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

fn one(results: &Results, op: Op, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let line = |core: &str| -> Vec<(f64, f64)> {
        let of = results.0.iter().filter(|m| m.op == op && m.core == core);
        of.map(|m| (f64::from(m.members), m.nanos.max(1.0))).collect()
    };
    let lines = [("swim", &BLUE, line("swim")), ("foca", &RED, line("foca"))];
    let points = || lines.iter().flat_map(|(.., line)| line);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let (low, high) = points().map(of).fold((f64::MAX, 1.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        low * 0.7..high * 1.4
    };
    if points().count() < 2 {
        return Ok(());
    }
    let area = SVGBackend::new(file, (640, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("{op}, ns"), ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(range(|p| p.0).log_scale(), range(|p| p.1).log_scale())?;
    chart.configure_mesh().x_desc("members").y_desc("ns").draw()?;
    for (name, colour, line) in &lines {
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 20, y)], *colour);
        chart.draw_series(LineSeries::new(line.iter().copied(), *colour))?.label(*name).legend(legend);
        chart.draw_series(line.iter().map(|&p| Circle::new(p, 3, colour.filled())))?;
    }
    chart.configure_series_labels().border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
