//! Curves as an SVG file, where a curve says more than a table.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
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

    fn marked(&self, range: Range<f64>) -> Marked {
        Marked { ticks: self.ticks(range.start, range.end), range: range.into() }
    }

    /// The places of its marks between two places: values of 1, 2 or 5 times a power of ten, evenly apart on a linear axis.
    fn ticks(&self, low: f64, high: f64) -> Vec<f64> {
        match self.scale {
            Scale::Linear => even(low, high),
            Scale::Log => {
                let powers = || low.floor() as i32..=high.ceil() as i32;
                let within = |place: &f64| (low..=high).contains(place);
                let fine = powers().flat_map(|power| [1.0, 2.0, 5.0].map(|m: f64| f64::from(power) + m.log10()));
                let fine: Vec<f64> = fine.filter(within).collect();
                match fine.len() {
                    // Too short a stretch for that.
                    0 | 1 => even(10_f64.powf(low), 10_f64.powf(high)).into_iter().map(f64::log10).collect(),
                    2..=TICKS_MAX => fine,
                    _ => {
                        let step = (high - low).ceil() as usize / TICKS_MAX + 1;
                        powers().map(f64::from).filter(within).step_by(step).collect()
                    }
                }
            }
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
                // A bare number says nothing without its column's head.
                Cell::Text(text) if !text.starts_with(|c: char| c.is_ascii_digit()) => text.clone(),
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
            .build_cartesian_2d(self.x.marked(x_low..x_high), self.y.marked(y_low..y_high))?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_label_formatter(&|x| self.x.mark(*x))
            .y_label_formatter(&|y| self.y.mark(*y))
            .draw()?;
        let mut names: Vec<&str> = Vec::new();
        for (curve, points) in placed {
            // A reference has the colour of the curve that it belongs to.
            let known = names.iter().position(|name| *name == curve.name);
            let colour = COLOURS[known.unwrap_or(names.len()) % COLOURS.len()].to_rgba();
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
        if placed.iter().any(|(curve, points)| curve.reference && !points.is_empty()) {
            chart
                .draw_series(Vec::<Circle<(f64, f64), i32>>::new())?
                .label("rings: published or computed")
                .legend(|(x, y)| Circle::new((x + 9, y), 4, BLACK.stroke_width(2)));
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

/// A stretch of an axis with marks at places of our own choice.
struct Marked {
    range: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Ranged for Marked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // The same again as light lines would be drawn over the others.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

/// Of the curves in turn: dark ones, which are seen on white.
const COLOURS: [RGBColor; 10] = [
    RGBColor(31, 78, 160),
    RGBColor(190, 30, 45),
    RGBColor(0, 105, 60),
    RGBColor(106, 61, 154),
    RGBColor(190, 90, 0),
    RGBColor(0, 115, 130),
    RGBColor(170, 25, 115),
    RGBColor(100, 65, 30),
    RGBColor(85, 95, 110),
    RGBColor(0, 0, 0),
];

/// More marks on an axis would crowd it.
const TICKS_MAX: usize = 12;

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

/// Multiples of 1, 2 or 5 times a power of ten between the two, ten at most or so.
fn even(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 10.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&step| step >= rough).unwrap_or(rough);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// From the least to the greatest, with some room; `None` when there is none.
fn span(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let room = if high > low { (high - low) * 0.04 } else { 0.5 };
    (low <= high).then_some((low - room, high + room))
}

#[cfg(test)]
mod tests {
    use swim_sim::experiments::{Mode, ResidueArgs, RoundsArgs, residue, rounds};

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
    fn rings_are_told_where_there_are_any() {
        let told = |plot: Plot| Plot::svg(&[plot]).unwrap().contains("rings: published or computed");
        assert!(told(sample()));
        let measured = sample().curves.into_iter().filter(|c| !c.reference).collect();
        assert!(!told(Plot { curves: measured, ..sample() }));
    }

    #[test]
    fn a_number_is_named_with_its_column() {
        let args =
            ResidueArgs { trials: 2, nodes: 10, budgets: vec![2], losses: vec![0, 250_000], ..Default::default() };
        let plot = Plot::of_table(&residue(&args), ("F", Scale::Linear), ("residue s", Scale::Linear), &["loss %"]);
        assert!(plot.curves.iter().all(|c| c.name.starts_with("loss % ")), "{:?}", plot.curves);
    }

    #[test]
    fn ticks_are_round() {
        let (linear, log) = (Axis::new("", Scale::Linear), Axis::new("", Scale::Log));
        let marks = |axis: &Axis, low: f64, high: f64| -> String {
            axis.ticks(low, high).into_iter().map(|place| axis.mark(place)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(marks(&linear, -0.4, 10.4), "0 2 4 6 8 10");
        assert_eq!(marks(&log, 0.2, 2.1), "2 5 10 20 50 100");
        assert_eq!(marks(&log, -6.1, 0.1), "1e-6 1e-5 1e-4 0.001 0.01 0.1 1");
        assert_eq!(marks(&log, 0.0, 30.0).split(' ').count(), 11);
        assert_eq!(marks(&log, 2.9, 3.0), "800 850 900 950 1000");
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
