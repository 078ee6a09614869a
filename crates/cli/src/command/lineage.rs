//! `meliora lineage`: the family tree of the last run.

mod page;

use std::path::Path;

use meliora_domain::Verdict;
use meliora_evolve::{Lineage, NodeIndex, lineage_of};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::printer::{BOLD, FAINT, GOOD, NOTE, Printer, paint};
use crate::project::archive_to_read;

/// Prints the tree, or writes it as a page.
pub fn lineage(dir: &Path, all: bool, html: Option<&Path>, printer: &Printer) -> Result<Exit, Failure> {
    let archive = archive_to_read(dir)?;
    let lineage = lineage_of(&archive)?;
    let Some(run) = &lineage.run else { return Ok(Exit::Done) };
    if let Some(file) = html {
        let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        let name = whole.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        page::write(&archive, &lineage, &name, file, printer)?;
        return Ok(Exit::Done);
    }
    let mut children: Vec<Vec<NodeIndex>> = vec![Vec::new(); lineage.nodes().len()];
    let mut shown = vec![all; lineage.nodes().len()];
    for i in (0..lineage.nodes().len() as NodeIndex).rev() {
        let node = lineage.node(i);
        let kept = matches!(node.verdict, Some(Verdict::Accepted | Verdict::Inconclusive | Verdict::Suspect));
        shown[i as usize] |= kept || run.baseline == Some(i);
        if let Some(parent) = node.parents.first()
            && node.run == run.number
            && run.baseline != Some(i)
            && shown[i as usize]
        {
            shown[*parent as usize] = true;
            children[*parent as usize].push(i);
        }
    }
    if printer.json() {
        for node in lineage.nodes().iter().filter(|n| n.run == run.number) {
            let parents: Vec<String> = node.parents.iter().map(|p| lineage.node(*p).id.to_string()).collect();
            printer.object(&serde_json::json!({
                "variant": node.id, "tree": node.tree, "parents": parents, "step": node.step, "score": node.score,
                "verdict": node.verdict, "children": node.children, "reason": node.reason,
            }));
        }
        return Ok(Exit::Done);
    }
    // An explicit stack: a lineage may be deeper than the program's own.
    let mut stack: Vec<(NodeIndex, String, String)> =
        run.baseline.map(|b| (b, String::new(), String::new())).into_iter().collect();
    while let Some((index, first, rest)) = stack.pop() {
        printer.data(format!("{}{}", paint(FAINT, &first), line(&lineage, index)));
        // Children were gathered newest first, which is the order a stack wants.
        let below = &children[index as usize];
        for (k, child) in below.iter().enumerate() {
            let (branch, pad) = if k == 0 { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            stack.push((*child, format!("{rest}{branch}"), format!("{rest}{pad}")));
        }
    }
    Ok(Exit::Done)
}

fn line(lineage: &Lineage, index: NodeIndex) -> String {
    let node = lineage.node(index);
    let run = lineage.run.as_ref();
    let score = node.score.map_or("–".to_owned(), |s| format!("{s:.4}"));
    let mark = match node.verdict {
        Some(Verdict::Accepted) => paint(GOOD, "accepted"),
        Some(verdict) => paint(NOTE, verdict),
        None => "baseline".to_owned(),
    };
    let crown =
        if run.is_some_and(|r| r.champion == Some(index)) { paint(BOLD, "  ← champion") } else { String::new() };
    let why = node.reason.lines().next().unwrap_or_default();
    let children = meliora_domain::counted(node.children, "variant");
    format!("{} {score} {mark} {} ({children}){crown}", paint(BOLD, node.id.short()), paint(FAINT, why))
}
