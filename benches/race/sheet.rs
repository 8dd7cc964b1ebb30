//! A measure with one row per contestant and case: printed as a table, kept as JSON, drawn as bars.

use std::fs;
use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::arguments::Options;
use crate::contestant::Contestant;
use crate::figures::Spread;
use crate::plot::{self, Panel};
use crate::track;

/// Rows of figures.
pub(crate) struct Sheet {
    /// The name in `race.json`, and of the plot.
    pub(crate) name: &'static str,
    /// What is measured, in one line.
    pub(crate) title: String,
    /// Heads of the columns, with units; also the names in the JSON.
    pub(crate) columns: &'static [&'static str],
    /// Case, contestant, and a figure for each column, by run.
    pub(crate) rows: Vec<Row>,
}

/// One contestant in one case.
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) contestant: &'static str,
    pub(crate) runs: Vec<Vec<f64>>,
}

impl Row {
    pub(crate) fn spread(&self, column: usize) -> Spread {
        Spread::of(self.runs.iter().filter_map(|run| run.get(column).copied()))
    }
}

impl Sheet {
    /// Adds a run.
    pub(crate) fn add(&mut self, case: &str, contestant: &'static str, figures: Vec<f64>) -> io::Result<()> {
        let told: Vec<String> = self
            .columns
            .iter()
            .zip(&figures)
            .map(|(column, figure)| format!("{column} {figure:.2}"))
            .collect();
        writeln!(io::stderr(), "{case} {contestant}: {}", told.join(", "))?;
        match self.rows.iter_mut().find(|row| row.case == case && row.contestant == contestant) {
            Some(row) => row.runs.push(figures),
            None => self.rows.push(Row { case: case.into(), contestant, runs: vec![figures] }),
        }
        Ok(())
    }

    /// Prints the table, and writes JSON and a plot of column `drawn`.
    pub(crate) fn finish(
        &self,
        options: &Options,
        contestants: &[Contestant],
        drawn: usize,
    ) -> io::Result<()> {
        self.print()?;
        let mut panels: Vec<Panel> = Vec::new();
        for row in &self.rows {
            let bar = (row.contestant.to_owned(), row.spread(drawn));
            match panels.iter_mut().find(|panel| panel.title == row.case) {
                Some(panel) => panel.bars.push(bar),
                None => panels.push(Panel { title: row.case.clone(), bars: vec![bar] }),
            }
        }
        let head = format!("{}: {}", self.title, self.columns.get(drawn).unwrap_or(&""));
        fs::write(options.out.join(format!("{}.svg", self.name)), plot::bars(&head, &panels))?;
        self.save(options, contestants)
    }

    /// Writes the JSON.
    pub(crate) fn save(&self, options: &Options, contestants: &[Contestant]) -> io::Result<()> {
        track::save(options, contestants, self.name, self.rows.iter().map(|row| self.json(row)).collect())
    }

    fn json(&self, row: &Row) -> Value {
        let mut figures = Map::new();
        figures.insert("case".into(), row.case.clone().into());
        figures.insert("contestant".into(), row.contestant.into());
        for (at, column) in self.columns.iter().enumerate() {
            figures.insert((*column).into(), row.spread(at).json());
        }
        figures.into()
    }

    /// Prints the table.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "\n{}; median (least-most)\n{:<18} {:<11}", self.title, "", "")?;
        for column in self.columns {
            write!(out, " {column:>24}")?;
        }
        for row in &self.rows {
            write!(out, "\n{:<18} {:<11}", row.case, row.contestant)?;
            for at in 0..self.columns.len() {
                let figure = row.spread(at);
                let range = format!("{:.1} ({:.1}-{:.1})", figure.median, figure.least, figure.most);
                write!(out, " {range:>24}")?;
            }
        }
        writeln!(out)
    }
}
