//! Curves as an SVG file, where a curve says more than a table.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use swim_sim::experiments::{Cell, Table};

use crate::output::Failure;

/// Curves over one pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) curves: Vec<Curve>,
}

/// What an axis shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    Linear,
    /// Powers of ten; what is not above zero has no place on it.
    Log,
}

/// One curve, its points in the order in which they are joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Published or computed, not measured here: drawn as single points.
    pub(crate) reference: bool,
}

impl Axis {
    pub(crate) fn new(label: impl Into<String>, scale: Scale) -> Self {
        Self { label: label.into(), scale }
    }

    /// Where a value is on the axis.
    fn place(&self, value: f64) -> Option<f64> {
        match self.scale {
            Scale::Linear => Some(value),
            Scale::Log => (value > 0.0).then(|| value.log10()),
        }
    }

    /// What is written at a place of the axis.
    fn mark(&self, place: f64) -> String {
        let value = match self.scale {
            Scale::Linear => place,
            Scale::Log => 10_f64.powf(place),
        };
        match value.abs() {
            v if v != 0.0 && !(1e-3..1e6).contains(&v) => format!("{value:.0e}"),
            v if v >= 100.0 => format!("{value:.0}"),
            _ => {
                let text = format!("{value:.3}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        }
    }
}

impl Plot {
    /// A table's column `y` against its column `x`: one curve for each combination of what stands in the columns `by`, and
    /// the references beside the measured values as points of the same colour. Rows without numbers there are left out.
    pub(crate) fn of_table(table: &Table, x: (&str, Scale), y: (&str, Scale), by: &[&str]) -> Self {
        let column = |head: &str| {
            let found = table.columns.iter().position(|h| h == head);
            found.unwrap_or_else(|| panic!("the table {:?} has no column {head:?}", table.title))
        };
        let (x_at, y_at) = (column(x.0), column(y.0));
        let by: Vec<(usize, &str)> = by.iter().map(|&head| (column(head), head)).collect();
        let mut curves: Vec<Curve> = Vec::new();
        for row in &table.rows {
            let name = |&(at, head): &(usize, &str)| match &row[at] {
                Cell::Text(text) => text.clone(),
                cell => format!("{head} {cell}"),
            };
            let name = by.iter().map(name).collect::<Vec<_>>().join(", ");
            let Some(x) = number(&row[x_at]) else { continue };
            let mut add = |value: Option<f64>, reference: bool| {
                let Some(y) = value else { return };
                match curves.iter_mut().find(|c| c.name == name && c.reference == reference) {
                    Some(curve) => curve.points.push((x, y)),
                    None => curves.push(Curve { name: name.clone(), points: vec![(x, y)], reference }),
                }
            };
            add(number(&row[y_at]), false);
            add(reference(&row[y_at]), true);
        }
        let (x, y) = (Axis::new(x.0, x.1), Axis::new(y.0, y.1));
        Self { title: table.title.clone(), x, y, curves }
    }

    /// The curves of several plots over the same axes, each with the name of its plot in front.
    ///
    /// # Panics
    /// Without any plot.
    pub(crate) fn merged(title: &str, plots: impl Iterator<Item = (&'static str, Self)>) -> Self {
        let merge = |mut all: Self, next: Self| {
            all.curves.extend(next.curves);
            all
        };
        let named = plots.map(|(name, mut plot)| {
            for curve in &mut plot.curves {
                let parts = [name, &*curve.name];
                curve.name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
            }
            plot
        });
        let all = named.reduce(merge).expect("there is a plot to begin with");
        Self { title: title.to_owned(), ..all }
    }

    /// Writes the curves to this file.
    ///
    /// # Errors
    /// When there is nothing to draw, or the file cannot be written.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        Self::write_panels(std::slice::from_ref(self), file)
    }

    /// Writes several plots to this file, one below the other.
    ///
    /// # Errors
    /// As [`Plot::write`].
    pub(crate) fn write_panels(panels: &[Self], file: &Path) -> Result<(), Failure> {
        let titles = || panels.iter().map(|panel| &*panel.title).collect::<Vec<_>>().join(", ");
        let svg = Self::svg(panels).map_err(|e| Failure::Runtime(format!("cannot draw {:?}: {e}", titles())))?;
        std::fs::write(file, svg).map_err(|e| {
            Failure::Runtime(format!("cannot write the plot to {}: {e}; choose a place that can be", file.display()))
        })
    }

    /// The curves as an SVG document.
    fn svg(panels: &[Self]) -> Result<String, String> {
        let mut svg = String::new();
        let height = if panels.len() == 1 { 600 } else { 400 * panels.len() as u32 };
        let root = SVGBackend::with_string(&mut svg, (960, height)).into_drawing_area();
        root.fill(&WHITE).map_err(|e| e.to_string())?;
        for (panel, area) in panels.iter().zip(root.split_evenly((panels.len(), 1))) {
            let placed: Vec<(&Curve, Vec<(f64, f64)>)> = panel.curves.iter().map(|c| (c, panel.place(c))).collect();
            let points = || placed.iter().flat_map(|(_, points)| points);
            let (xs, ys) = (span(points().map(|p| p.0)), span(points().map(|p| p.1)));
            let (Some(xs), Some(ys)) = (xs, ys) else {
                return Err("there is no point to draw".to_owned());
            };
            panel.draw(&placed, (xs, ys), &area).map_err(|e| e.to_string())?;
        }
        root.present().map_err(|e| e.to_string())?;
        drop(root);
        Ok(svg)
    }

    fn place(&self, curve: &Curve) -> Vec<(f64, f64)> {
        let place = |&(x, y): &(f64, f64)| Some((self.x.place(x)?, self.y.place(y)?));
        curve.points.iter().filter_map(place).filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    }

    fn draw(
        &self,
        placed: &[(&Curve, Vec<(f64, f64)>)],
        ((x_low, x_high), (y_low, y_high)): ((f64, f64), (f64, f64)),
        area: &DrawingArea<SVGBackend<'_>, Shift>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(x_low..x_high, y_low..y_high)?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_label_formatter(&|x| self.x.mark(*x))
            .y_label_formatter(&|y| self.y.mark(*y))
            .light_line_style(BLACK.mix(0.05))
            .draw()?;
        let mut names: Vec<&str> = Vec::new();
        for (curve, points) in placed {
            // A reference has the colour of the curve that it belongs to.
            let known = names.iter().position(|name| *name == curve.name);
            let colour = Palette99::pick(known.unwrap_or(names.len())).to_rgba();
            if known.is_none() {
                names.push(&curve.name);
            }
            if curve.reference {
                chart.draw_series(points.iter().map(|&p| Circle::new(p, 4, colour.stroke_width(2))))?;
            } else {
                let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
                chart
                    .draw_series(line)?
                    .label(&curve.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
                if points.len() <= DOTS_MAX {
                    chart.draw_series(points.iter().map(|&p| Circle::new(p, 2, colour.filled())))?;
                }
            }
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .position(corner(placed.iter().flat_map(|(_, points)| points), (x_low, x_high), (y_low, y_high)))
            .draw()?;
        Ok(())
    }
}

/// A curve of more points shows its line alone.
const DOTS_MAX: usize = 100;

fn number(cell: &Cell) -> Option<f64> {
    match *cell {
        Cell::Text(_) => None,
        Cell::Count(count) => Some(count as f64),
        Cell::Computed(value) | Cell::Measured { value, .. } => Some(value),
    }
}

fn reference(cell: &Cell) -> Option<f64> {
    match *cell {
        Cell::Measured { reference, .. } => reference,
        _ => None,
    }
}

/// Where the legend hides the fewest points.
fn corner<'a>(points: impl Iterator<Item = &'a (f64, f64)>, x: (f64, f64), y: (f64, f64)) -> SeriesLabelPosition {
    let mut hidden = [0; 4];
    for &(px, py) in points {
        let (right, upper) = (2.0 * px > x.0 + x.1, 2.0 * py > y.0 + y.1);
        hidden[2 * usize::from(right) + usize::from(!upper)] += 1;
    }
    let corners = [
        SeriesLabelPosition::UpperLeft,
        SeriesLabelPosition::LowerLeft,
        SeriesLabelPosition::UpperRight,
        SeriesLabelPosition::LowerRight,
    ];
    let (_, corner) = hidden.into_iter().zip(corners).min_by_key(|&(count, _)| count).expect("there are four");
    corner
}

/// From the least to the greatest, with some room; `None` when there is none.
fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let room = if high > low { (high - low) * 0.04 } else { 0.5 };
    (low <= high).then_some((low - room, high + room))
}

#[cfg(test)]
mod tests {
    use swim_sim::experiments::{Mode, RoundsArgs, rounds};

    use super::*;

    fn sample() -> Plot {
        let args = RoundsArgs {
            trials: 5,
            modes: vec![Mode::Push, Mode::Pull],
            fan_outs: vec![1],
            sizes: vec![10, 100],
            ..RoundsArgs::default()
        };
        Plot::of_table(&rounds(&args), ("nodes", Scale::Log), ("rounds", Scale::Linear), &["mode", "fan-out"])
    }

    #[test]
    fn a_table_becomes_a_curve_per_kind_of_row_with_its_references() {
        let plot = sample();
        let names: Vec<(&str, bool)> = plot.curves.iter().map(|c| (&*c.name, c.reference)).collect();
        let (push, pull) = ("push, fan-out 1", "pull, fan-out 1");
        assert_eq!(names, [(push, false), (push, true), (pull, false), (pull, true)]);
        assert!(plot.curves.iter().all(|c| c.points.len() == 2 && c.points[0].0 == 10.0 && c.points[1].0 == 100.0));
    }

    #[test]
    fn the_drawing_names_title_axes_and_curves() {
        let svg = Plot::svg(&[sample()]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
        for text in ["Rounds until all know", "nodes", "rounds", "push, fan-out 1", "pull, fan-out 1"] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        let lines = |svg: &str| svg.matches("<polyline").count();
        let axes = Plot { curves: sample().curves.into_iter().filter(|c| c.reference).collect(), ..sample() };
        assert_eq!(lines(&svg) - lines(&Plot::svg(&[axes]).unwrap()), 4, "two curves, and two in the legend: {svg}");
    }

    #[test]
    fn panels_stand_one_below_the_other() {
        let other = Plot { title: "The other".to_owned(), ..sample() };
        let svg = Plot::svg(&[sample(), other]).unwrap();
        assert!(svg.contains("height=\"800\"") && svg.contains("Rounds until all know") && svg.contains("The other"));
    }

    #[test]
    fn what_has_no_place_is_left_out_and_nothing_is_no_drawing() {
        let axis = || Axis::new("x", Scale::Log);
        let curve = Curve { name: "c".to_owned(), points: vec![(0.0, 1.0), (1.0, f64::NAN)], reference: false };
        let plot = Plot { title: "t".to_owned(), x: axis(), y: axis(), curves: vec![curve] };
        assert!(Plot::svg(&[plot]).unwrap_err().contains("no point"));
    }

    #[test]
    fn marks_are_short() {
        let (linear, log) = (Axis::new("", Scale::Linear), Axis::new("", Scale::Log));
        assert_eq!(
            [0.0, 0.25, 3.0, 1_500.0, 2e6, 1e-5].map(|v| linear.mark(v)),
            ["0", "0.25", "3", "1500", "2e6", "1e-5"]
        );
        assert_eq!([0.0, 3.0, -2.0].map(|v| log.mark(v)), ["1", "1000", "0.01"]);
    }
}
