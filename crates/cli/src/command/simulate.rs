//! `meliora simulate`: strategies on synthetic landscapes, in a table and a picture.

use meliora_domain::counted;
use meliora_evolve::simulate::{
    CURVE, Contestant, FAMILIES, Family, Point, Row, compare, contestants, duel, grid, mean,
};

use crate::args::Simulate;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, FAINT, GOOD, Printer, paint, table};

/// Compares.
pub fn simulate(args: &Simulate, printer: &Printer) -> Result<Exit, Failure> {
    let family = args.family.as_deref().map(family).transpose()?;
    let points: Vec<Point> = grid().into_iter().filter(|point| family.is_none_or(|f| f == point.family)).collect();
    let contestants = chosen(&args.strategies)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let started = std::time::Instant::now();
    printer.talk(paint(
        FAINT,
        format!(
            "{} · {} strategies · {} · {}",
            counted(points.len(), "landscape"),
            contestants.len(),
            counted(args.seeds, "seed"),
            counted(threads, "thread")
        ),
    ));
    let rows = compare(&points, &contestants, args.first_seed, args.seeds, threads);
    if printer.json() {
        json(&rows, &contestants, printer);
    } else {
        landscapes(&rows, &contestants, printer);
        duels(&rows, &contestants, printer);
    }
    if let Some(file) = &args.svg {
        std::fs::write(file, picture(&rows, &contestants)).map_err(|e| {
            Failure::new(Exit::Machinery, format!("{} cannot be written: {e}", file.display()))
                .hint("`--svg` names a file in a folder that exists")
        })?;
    }
    printer.talk(paint(FAINT, format!("{:.1} s", started.elapsed().as_secs_f64())));
    Ok(Exit::Done)
}

fn family(name: &str) -> Result<Family, Failure> {
    FAMILIES.into_iter().find(|family| family.to_string() == name).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no family '{name}'"))
            .hint(format!("there are {}", FAMILIES.map(|family| family.to_string()).join(", ")))
    })
}

fn chosen(names: &[String]) -> Result<Vec<Contestant>, Failure> {
    let all = contestants();
    let known = all.iter().map(|contestant| contestant.name.clone()).collect::<Vec<_>>().join(", ");
    if let Some(name) = names.iter().find(|name| all.iter().all(|contestant| contestant.name != **name)) {
        return Err(Failure::new(Exit::Usage, format!("there is no strategy '{name}' to simulate"))
            .hint(format!("there are {known}")));
    }
    Ok(all.into_iter().filter(|contestant| names.is_empty() || names.contains(&contestant.name)).collect())
}

/// What one contestant's champions solve on one landscape: mean and standard error.
fn solved(row: &Row, contestant: usize) -> (f64, f64) {
    mean(&row.courses[contestant].iter().map(|course| course.champion).collect::<Vec<_>>())
}

fn landscapes(rows: &[Row], contestants: &[Contestant], printer: &Printer) {
    let header: Vec<&str> = ["family", "landscape"]
        .into_iter()
        .chain(contestants.iter().map(|contestant| contestant.name.as_str()))
        .collect();
    let cells = |row: &Row| {
        let all: Vec<(f64, f64)> = (0..contestants.len()).map(|at| solved(row, at)).collect();
        let best = all.iter().map(|(mean, _)| *mean).fold(0.0, f64::max);
        let shown = all.into_iter().map(move |(mean, error)| {
            let cell = format!("{mean:.3} ±{error:.3}");
            if mean == best { paint(GOOD, cell) } else { cell }
        });
        [row.point.family.to_string(), row.point.describe()].into_iter().chain(shown).collect()
    };
    printer
        .data("share of the tasks that the champion solves, noise aside, at equal evaluations; mean ± standard error");
    for line in table(&header, &rows.iter().map(cells).collect::<Vec<Vec<String>>>()) {
        printer.data(line);
    }
}

/// The pairs that are told: each contestant against the ones before it.
fn pairs(contestants: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..contestants).flat_map(|one| (0..one).map(move |other| (one, other)))
}

fn duels(rows: &[Row], contestants: &[Contestant], printer: &Printer) {
    let mut lines = Vec::new();
    for family in FAMILIES.into_iter().filter(|family| rows.iter().any(|row| row.point.family == *family)) {
        for (one, other) in pairs(contestants.len()) {
            let duel = duel(rows, family, one, other);
            lines.push(vec![
                family.to_string(),
                format!("{} against {}", contestants[one].name, contestants[other].name),
                format!("{} : {}", duel.wins, duel.losses),
                format!("{:+.3}", duel.gain),
                if duel.p < 0.0001 { format!("{:.0e}", duel.p) } else { format!("{:.4}", duel.p) },
            ]);
        }
    }
    printer.data("");
    printer.data(paint(
        BOLD,
        "landscape by landscape and seed by seed; p: how often luck alone wins so often (sign test)",
    ));
    for line in table(&["family", "who", "won : lost", "gain", "p"], &lines) {
        printer.data(line);
    }
}

fn json(rows: &[Row], contestants: &[Contestant], printer: &Printer) {
    for row in rows {
        for (at, contestant) in contestants.iter().enumerate() {
            let (mean, error) = solved(row, at);
            printer.object(&serde_json::json!({
                "event": "landscape", "family": row.point.family.to_string(), "landscape": row.point.describe(),
                "strategy": contestant.name, "champion": mean, "error": error,
                "champions": row.courses[at].iter().map(|course| course.champion).collect::<Vec<_>>(),
            }));
        }
    }
    for family in FAMILIES.into_iter().filter(|family| rows.iter().any(|row| row.point.family == *family)) {
        for (one, other) in pairs(contestants.len()) {
            let duel = duel(rows, family, one, other);
            printer.object(&serde_json::json!({
                "event": "duel", "family": family.to_string(), "strategy": contestants[one].name,
                "against": contestants[other].name, "wins": duel.wins, "losses": duel.losses, "gain": duel.gain, "p": duel.p,
            }));
        }
    }
}

/// Lines of different strategies, told apart also by those who do not see colours.
const STROKES: [(&str, &str); 7] = [
    ("#888888", ""),
    ("#1f77b4", ""),
    ("#d62728", ""),
    ("#2ca02c", "6 3"),
    ("#9467bd", "6 3"),
    ("#1f77b4", "2 3"),
    ("#1f77b4", "8 3 2 3"),
];

/// The mean courses of each family, side by side, as a picture in SVG.
fn picture(rows: &[Row], contestants: &[Contestant]) -> String {
    let families: Vec<Family> =
        FAMILIES.into_iter().filter(|family| rows.iter().any(|row| row.point.family == *family)).collect();
    let (width, height, left, top) = (300.0, 220.0, 40.0, 30.0);
    let whole = families.len() as f64 * (width + left) + 150.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {whole} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        height + 80.0
    );
    for (place, family) in families.iter().enumerate() {
        let x0 = left + place as f64 * (width + left);
        svg += &format!("<text x=\"{x0}\" y=\"18\" font-weight=\"bold\">{family}</text>\n");
        for tenth in (0..=10).step_by(2) {
            let y = top + height * (1.0 - f64::from(tenth) / 10.0);
            svg += &format!(
                "<line x1=\"{x0}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"#dddddd\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#555555\">{:.1}</text>\n",
                x0 + width,
                x0 - 4.0,
                y + 4.0,
                f64::from(tenth) / 10.0
            );
        }
        svg += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555555\">share of the budget</text>\n",
            x0 + width / 2.0,
            top + height + 20.0
        );
        for (at, (_, (colour, dashes))) in contestants.iter().zip(STROKES).enumerate() {
            let courses = rows.iter().filter(|row| row.point.family == *family).flat_map(|row| &row.courses[at]);
            let curves: Vec<_> = courses.map(|course| course.curve).collect();
            let points: Vec<String> = (0..=CURVE)
                .map(|step| {
                    let height_of = mean(&curves.iter().map(|curve| curve[step]).collect::<Vec<_>>()).0;
                    let x = x0 + width * step as f64 / CURVE as f64;
                    format!("{x:.1},{:.1}", top + height * (1.0 - height_of))
                })
                .collect();
            svg += &format!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\" points=\"{}\"/>\n",
                points.join(" ")
            );
        }
    }
    for (at, (contestant, (colour, dashes))) in contestants.iter().zip(STROKES).enumerate() {
        let (x, y) = (whole - 135.0, top + 20.0 * at as f64);
        svg += &format!(
            "<line x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/><text x=\"{}\" y=\"{}\">{}</text>\n",
            x + 28.0,
            x + 34.0,
            y + 4.0,
            contestant.name
        );
    }
    svg + "</svg>\n"
}
