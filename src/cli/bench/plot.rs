//! Latencies as a picture: how much of all took how long, on a scale that shows the last thousandth.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::{
    load::TIMED,
    report::{Report, millis},
};

/// One in so many is slower: the places of the scale.
const ONE_IN: [u64; 13] = [1, 2, 4, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
const BAR: u64 = 60;

/// The value that all but one in so many are under.
pub(super) fn slower(times: &Histogram<u64>, one_in: u64) -> u64 {
    let rank = times.len() - times.len() / one_in;
    let mut seen = 0;
    for value in times.iter_recorded() {
        seen += value.count_at_value();
        if seen >= rank {
            return value.value_iterated_to();
        }
    }
    times.max()
}

/// The places that there are enough values for.
fn points(times: &Histogram<u64>) -> Vec<(u64, u64)> {
    let known = ONE_IN
        .into_iter()
        .filter(|one_in| *one_in > 1 && times.len() >= *one_in);
    known
        .map(|one_in| (one_in, slower(times, one_in)))
        .collect()
}

/// Bars for the terminal.
pub(super) fn text(times: &Histogram<u64>) -> String {
    let mut out = String::new();
    let points = points(times);
    let longest = points.last().map_or(1, |(_, value)| (*value).max(1));
    for (one_in, value) in points {
        let bar = "█".repeat(usize::try_from((value * BAR).div_ceil(longest)).unwrap_or_default());
        let name = format!("1 in {one_in}");
        let _ = writeln!(out, "{name:>12} over {:>14}  {bar}", millis(value));
    }
    out
}

const WIDTH: u64 = 720;
const HEIGHT: u64 = 360;
const MARGIN: u64 = 64;
const COLOURS: [&str; 3] = ["#1b6ca8", "#c2571a", "#3a7d44"];

/// A drawing with a line for each of what was timed.
pub(super) fn svg(report: &Report) -> String {
    let all: Vec<_> = report.times.iter().map(points).collect();
    let longest = all
        .iter()
        .flatten()
        .map(|(_, value)| *value)
        .max()
        .unwrap_or(1)
        .max(1);
    let steps = u64::try_from(ONE_IN.len()).unwrap_or(1) - 2;
    let x = |one_in: u64| {
        let at = ONE_IN.iter().position(|it| *it == one_in).unwrap_or(1) - 1;
        MARGIN + (WIDTH - 2 * MARGIN) * u64::try_from(at).unwrap_or_default() / steps
    };
    let y = |value: u64| HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * value / longest;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let title = format!("{} operations a second", report.operations_per_second());
    let _ = writeln!(
        out,
        "<text x=\"{MARGIN}\" y=\"24\" font-size=\"15\">{title}: one turn in so many is slower</text>"
    );
    for part in 0..=4 {
        let value = longest * part / 4;
        let (left, right, at) = (MARGIN, WIDTH - MARGIN, y(value));
        let _ = writeln!(
            out,
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{at}\" y2=\"{at}\" stroke=\"#ddd\"/>"
        );
        let _ = writeln!(out, "<text x=\"4\" y=\"{at}\">{}</text>", millis(value));
    }
    for one_in in ONE_IN.into_iter().skip(1) {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{one_in}</text>",
            x(one_in),
            HEIGHT - MARGIN + 16
        );
    }
    for ((name, points), (colour, line)) in TIMED
        .into_iter()
        .zip(all)
        .zip(COLOURS.into_iter().zip(1_u64..))
    {
        let points: Vec<_> = points
            .iter()
            .map(|(one_in, value)| format!("{},{}", x(*one_in), y(*value)))
            .collect();
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        );
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\">{name}</text>",
            MARGIN + 8,
            24 + 16 * line
        );
    }
    out + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_is_slower_than_ninety_nine() {
        let mut times = Histogram::new(3).expect("three digits");
        for value in 1..=100 {
            times.record(value).expect("in range");
        }
        assert_eq!(
            (slower(&times, 2), slower(&times, 4), slower(&times, 100)),
            (50, 75, 99)
        );
        assert_eq!(points(&times).len(), 6);
    }
}
