//! Runs the sort on lists that standard input describes, and writes down every comparison that it makes.

#![forbid(unsafe_code)]

#[path = "/work/genome/sort.rs"]
mod sort;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::rc::Rc;

/// An item that knows nothing of its place: comparing it is all that can be done with it.
struct Item {
    number: usize,
    rank: u64,
    log: Rc<RefCell<Vec<(usize, usize)>>>,
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        self.log.borrow_mut().push((self.number, other.number));
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Item {}

fn main() {
    // The first line is a word that only whoever has read the input can repeat.
    let input = std::io::read_to_string(std::io::stdin()).expect("standard input is a text");
    let mut lines = input.lines();
    let word = lines.next().expect("there is a first line").to_owned();
    let mut out = format!("{word}\n");
    for line in lines {
        let ranks: Vec<u64> = line.split(' ').map(|n| n.parse().expect("ranks are numbers")).collect();
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut items: Vec<Item> =
            ranks.iter().enumerate().map(|(number, rank)| Item { number, rank: *rank, log: log.clone() }).collect();
        sort::sort(&mut items);
        let order: Vec<String> = items.iter().map(|item| item.number.to_string()).collect();
        let pairs: Vec<String> = log.borrow().iter().map(|(a, b)| format!("{a}<{b}")).collect();
        out.push_str(&format!("{}\n{}\n", order.join(" "), pairs.join(" ")));
    }
    print!("{out}");
}
