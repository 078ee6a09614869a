//! Answers one query a line: the wanted number, then the ascending values. The first line is the canary, which it says at the
//! end: whoever answers in its place does not know it.

#[path = "/work/genome/search.rs"]
mod search;

fn main() {
    let text = std::io::read_to_string(std::io::stdin()).expect("the suite gives text");
    let (canary, queries) = text.split_once('\n').expect("the first line is the canary");
    for line in queries.lines() {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<i64>().expect("the suite gives numbers"));
        let wanted = numbers.next().expect("the suite gives a wanted number on each line");
        let values: Vec<i64> = numbers.collect();
        println!("{}", search::first_at_least(&values, wanted));
    }
    println!("{canary}");
}
