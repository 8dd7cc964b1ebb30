use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::event::{Layout, LayoutBuilder, Mask};
use crate::format::Reference;
use crate::seam::sim::Dice;

fn bound(layout: &Layout, constants: &mut Vec<u8>) -> Auto {
    let options = Options::default();
    let mut bind = Bind {
        layout,
        prefix: "",
        options: &options,
        constants,
        reference: Reference::at(1_719_792_000_000_000_000),
        wanted: Mask::ALL,
    };
    Auto::new(&mut bind).expect("binds")
}

fn auto() -> Auto {
    let mut builder = LayoutBuilder::default();
    for field in gives().expect("fields").fields {
        assert!(builder.add(&field.path), "too many fields");
    }
    bound(&builder.build(), &mut Vec::new())
}

/// All files below a folder, of a size that is quickly read.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if entry.metadata().is_ok_and(|meta| meta.len() < 1 << 20) {
            found.push(path);
        }
    }
}

/// A line with a few changes.
fn mutant(lines: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut line = lines[dice.below(lines.len() as u64) as usize].clone();
    for _ in 0..=dice.below(3) {
        let place = dice.below(line.len() as u64 + 1) as usize;
        // Most of what matters is at the front.
        let place = if dice.one_in(2) { place.min(dice.below(100) as usize) } else { place };
        let other = &lines[dice.below(lines.len() as u64) as usize];
        let byte = other.get(dice.below(other.len() as u64) as usize).copied().unwrap_or(b' ');
        match dice.below(5) {
            0 => line.insert(place, byte),
            1 => line.truncate(place),
            2 => {
                line.truncate(place);
                line.extend_from_slice(other.get(place..).unwrap_or_default());
            }
            3 if place < line.len() => drop(line.remove(place)),
            _ => line.get_mut(place).into_iter().for_each(|old| *old = byte),
        }
    }
    line
}

/// Whatever the gate rules out would not have taken the line: the answer is that of trying all formats in order.
#[test]
fn the_gate_changes_no_answer() {
    let auto = auto();
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for grammar in crate::grammar::all() {
        lines.extend(grammar.samples().map(|(_, text)| text.as_bytes().to_vec()));
    }
    let mut paths = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), &mut paths);
    if let Some(corpora) = std::env::var_os("ALUDEL_CORPORA") {
        for set in ["filebeat-modules", "loghub", "crowdsec-hub", "misc-formats"] {
            files(&Path::new(&corpora).join(set), &mut paths);
        }
    }
    paths.sort();
    for path in paths {
        let Ok(bytes) = fs::read(&path) else { continue };
        // A part of each file: the same program's lines look alike.
        lines.extend(bytes.split(|&byte| byte == b'\n').take(60).map(<[u8]>::to_vec));
    }
    let (mut texts, mut fields) = (Texts::default(), Fields::new());
    // What nobody writes, but much like it: a few bytes are other, and two lines may meet.
    let times = std::env::var("ALUDEL_MUTANTS").ok().and_then(|times| times.parse::<usize>().ok());
    let count = times.map_or(lines.len() / 8, |times| times * lines.len());
    let mut dice = Dice::new(count as u64);
    let mutants: Vec<_> = (0..count).map(|_| mutant(&lines, &mut dice)).collect();
    lines.extend(mutants);
    for line in &lines {
        let mut texts_of = || {
            texts = Texts::default();
            texts.push(line)
        };
        let input = texts_of();
        fields.clear();
        let by_gate = auto.first(input, &mut texts, &mut fields).map(|found| found.name);
        let told = fields.len();
        // And again, until it is known what such lines are.
        for _ in 0..2 {
            fields.clear();
            let by_habit = auto.first(input, &mut texts, &mut fields).map(|found| found.name);
            assert_eq!((by_habit, fields.len()), (by_gate, told), "{}", String::from_utf8_lossy(line));
        }
        fields.clear();
        let is_joined = line.contains(&b'\n');
        let mut tried = auto.candidates.iter().filter(|candidate| candidate.name != EXCEPTION || is_joined);
        let by_trial = tried
            .find(|candidate| candidate.take(input, &mut texts, &mut fields).is_some())
            .map(|found| found.name);
        assert_eq!((by_gate, told), (by_trial, fields.len()), "{}", String::from_utf8_lossy(line));
    }
    let nodes = auto.gate.len();
    println!("{} lines, {nodes} nodes, {} candidates", lines.len(), auto.candidates.len());
    // All collections in one process fill it: then more formats are tried, and the answers are the same.
    assert!(nodes <= crate::limits::GATE_NODES_MAX);
}
