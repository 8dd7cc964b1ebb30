//! Plots as SVG, by hand: bars of what contestants did, and lines of what a figure does when another grows.

use std::fmt::Write;

use crate::figures::Spread;

const WIDTH: f64 = 760.0;
const NAME_WIDTH: f64 = 110.0;
const FIGURE_WIDTH: f64 = 130.0;
const BAR_HEIGHT: f64 = 18.0;
const PANEL_GAP: f64 = 40.0;
const PLOT_HEIGHT: f64 = 300.0;
const COLOURS: [&str; 8] =
    ["#1b6ca8", "#c8553d", "#588157", "#8e5ea2", "#d4a017", "#4f7c82", "#7a5c43", "#5b5b5b"];

/// The bars of one workload.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<(String, Spread)>,
}

/// One line of a plot.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Panels of bars below each other; each panel has a scale of its own. A thin line is least to most.
pub(crate) fn bars(title: &str, panels: &[Panel]) -> String {
    let mut body = String::new();
    let mut y = 40.0;
    for panel in panels {
        text(&mut body, 10.0, y, "start", 13, &panel.title);
        y += 8.0;
        let most = panel.bars.iter().map(|(_, figure)| figure.most).fold(f64::MIN_POSITIVE, f64::max);
        let scale = (WIDTH - NAME_WIDTH - FIGURE_WIDTH) / most;
        for (at, (name, figure)) in panel.bars.iter().enumerate() {
            let (middle, colour) = (y + BAR_HEIGHT / 2.0, COLOURS[at % COLOURS.len()]);
            text(&mut body, NAME_WIDTH - 6.0, middle + 4.0, "end", 12, name);
            let _ = writeln!(
                body,
                "<rect x='{NAME_WIDTH}' y='{:.1}' width='{:.1}' height='{:.1}' fill='{colour}'/>\n\
                 <path d='M{:.1} {middle:.1}H{:.1}' stroke='#222'/>",
                y + 2.0,
                figure.median * scale,
                BAR_HEIGHT - 4.0,
                NAME_WIDTH + figure.least * scale,
                NAME_WIDTH + figure.most * scale,
            );
            let figures =
                format!("{} ({}-{})", short(figure.median), short(figure.least), short(figure.most));
            text(&mut body, NAME_WIDTH + figure.most * scale + 6.0, middle + 4.0, "start", 11, &figures);
            y += BAR_HEIGHT;
        }
        y += PANEL_GAP;
    }
    page(title, WIDTH, y, &body)
}

/// Lines over a logarithmic axis below, from 0 on the axis at the left.
pub(crate) fn lines(title: &str, below: &str, left: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|series| series.points.iter());
    let most = points().map(|point| point.1).fold(f64::MIN_POSITIVE, f64::max) * 1.1;
    let (first, last) =
        points().fold((f64::MAX, 1.0_f64), |(first, last), point| (first.min(point.0), last.max(point.0)));
    let (left_x, right_x, top, bottom) = (80.0, WIDTH - 150.0, 55.0, 55.0 + PLOT_HEIGHT);
    let span = (last.max(1.0).ln() - first.max(1.0).ln()).max(1e-9);
    let x_of = |x: f64| left_x + (x.max(1.0).ln() - first.max(1.0).ln()) / span * (right_x - left_x);
    let y_of = |y: f64| bottom - y / most * PLOT_HEIGHT;
    let mut body = String::new();
    let _ = writeln!(body, "<path d='M{left_x} {top}V{bottom}H{right_x}' fill='none' stroke='#222'/>");
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        text(&mut body, left_x - 6.0, y_of(value) + 4.0, "end", 11, &short(value));
        let _ = writeln!(body, "<path d='M{left_x} {0:.1}H{right_x}' stroke='#ddd'/>", y_of(value));
    }
    let mut marks: Vec<f64> = points().map(|point| point.0).collect();
    marks.sort_by(f64::total_cmp);
    marks.dedup();
    for mark in marks {
        text(&mut body, x_of(mark), bottom + 16.0, "middle", 11, &short(mark));
    }
    for (at, one) in series.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let path: Vec<String> =
            one.points.iter().map(|(x, y)| format!("{:.1},{:.1}", x_of(*x), y_of(*y))).collect();
        let _ = writeln!(
            body,
            "<polyline points='{}' fill='none' stroke='{colour}' stroke-width='2'/>",
            path.join(" ")
        );
        for (x, y) in &one.points {
            let _ =
                writeln!(body, "<circle cx='{:.1}' cy='{:.1}' r='3' fill='{colour}'/>", x_of(*x), y_of(*y));
        }
        let y = top + 16.0 * at as f64;
        let _ = writeln!(
            body,
            "<rect x='{}' y='{}' width='10' height='10' fill='{colour}'/>",
            right_x + 12.0,
            y - 9.0
        );
        text(&mut body, right_x + 28.0, y, "start", 12, &one.name);
    }
    text(&mut body, (left_x + right_x) / 2.0, bottom + 36.0, "middle", 12, below);
    text(&mut body, 10.0, 36.0, "start", 12, left);
    page(title, WIDTH, bottom + 50.0, &body)
}

fn page(title: &str, width: f64, height: f64, body: &str) -> String {
    let mut head = String::new();
    text(&mut head, 10.0, 18.0, "start", 15, title);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' font-family='sans-serif'>\n\
         <rect width='100%' height='100%' fill='white'/>\n{head}{body}</svg>\n"
    )
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, size: u32, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ =
        writeln!(out, "<text x='{x:.1}' y='{y:.1}' text-anchor='{anchor}' font-size='{size}'>{text}</text>");
}

/// A figure with about three digits.
fn short(figure: f64) -> String {
    match figure {
        _ if figure.fract() == 0.0 && figure < 1e6 => format!("{figure}"),
        _ if figure >= 1e6 => format!("{:.3}M", figure / 1e6),
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
