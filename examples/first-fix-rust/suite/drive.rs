//! Answers one query a line: the wanted number, then the ascending values.

#[path = "/work/genome/search.rs"]
mod search;

use std::io::Read;

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("the suite gives text");
    for line in text.lines() {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<i64>().expect("the suite gives numbers"));
        let wanted = numbers.next().expect("the suite gives a wanted number on each line");
        let values: Vec<i64> = numbers.collect();
        println!("{}", search::first_at_least(&values, wanted));
    }
}
