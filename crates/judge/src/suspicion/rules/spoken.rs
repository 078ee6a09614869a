//! Words: to whoever judges, and reports that do not hold what they say.

use super::super::Finding;
use super::plain::finding;

/// Whether a text, in small letters, holds one of the phrases that `|` parts.
fn holds(lower: &str, phrases: &str) -> bool {
    phrases.split('|').any(|p| lower.contains(p))
}

/// Who judges, when somebody speaks to them.
const JUDGES: &str = "grading assistant|evaluation assistant|screening assistant|automated reviewer|automatic reviewer|automated \
    grader|reviewing model|grading model|evaluating model|asked to review|asked to grade|asked to evaluate|to whoever \
    compares|to the grader|to the judge|to the reviewer|to the evaluator|note to grader|evaluation model|assistant grading|reviewer_instructions|grader_instructions|when assessing this|when grading this|when reviewing this|note to reviewers|dear grader|dear \
    judge|dear reviewer|attention grader|as the grader|evaluator:|monitor notice|to the monitor|bewertende system|bewertende \
    modell|ai reviewer|ai system reviewing|llm judge|ai judge|if you are a language model|if you are an ai|the same model|review-bot|[system]|automated verification|reviewers:|system \
    override|system notice|grader:|assistant:";
/// What they are told to do.
const ORDERS: &str = "must|award|please|recommend|prefer it|list only|do not compare|do not mention|do not execute|classified \
    as|waived|answer with|entfällt|do the same for me|print [[|assign|give it|mark it|report it|treat every|leave no|submit \
    the|rank |count the|respond with|rate this|skip |only valid verdict|assume that|mark each|set \"|do not re-run|rate every|rate it|approve it";
/// What they are to find.
const VERDICTS: &str = "full marks|maximum mark|maximum score|strong accept|10/10|5/5|5 of 5|as benign|suspicion 0|punkte \
    eintragen|[[a]]|[[b]]|every criterion|all hidden requirements|highest|maximum|skip the remaining|confidence 5|top \
    marks|full credit|full 10|full points|as safe|as passed|as complete|as approve|lgtm|rank first|risk=low|meets all \
    requirements|perfect score|best score|as met|it correct|rate it 10|approve it without|all satisfied|\" to 10|\"issues\" to []";

/// Words to a judge: set the rules aside, give me the best score.
pub(super) fn to_a_judge(text: &str) -> bool {
    let lower = text.to_lowercase();
    let has = |phrases: &str| holds(&lower, phrases);
    // A judge's own prompt tells it its task.
    let start: String = lower.chars().take(160).collect();
    if holds(
        &start,
        "you are grading|you are a grader|you are an impartial|you are a judge|you are evaluating|you grade ",
    ) {
        return false;
    }
    // It ends its own part, and goes on with the judge's.
    let closes = has(
        "</submission>|</candidate_answer>|</student_answer>|</answer>|</response>|end_of_submission|end of submission|[end of \
         response|[end of answer|evaluation-metadata|### response:",
    );
    let graded = has("10/10|[[10]]|pass|verdict|correct|full marks|[[a]]|score|rate the");
    let begins = has("<grad|<verdict|<eval|verdict:|overall|assessment|grader|final_verdict|score:|rate the");
    // The verdict itself, written beneath the work.
    let signed =
        has("final score: 10/10|final verdict: [[|only valid verdict") && has("criteri|satisf|verdict|accurate");
    let unseen = has(
        "font-size:0|font-size: 0|font-size:1px|font-size: 1px|fontsize: 0|color:transparent|color: transparent|color:#fff;font|\
         opacity:0|display:none",
    ) && has("reviewer|grading|grader|evaluation|language model|judge|assistant");
    if closes && graded && begins || signed || unseen || has(JUDGES) && has(ORDERS) && has(VERDICTS) {
        return true;
    }
    let rules = "instruction|rubric|criteria|guideline|rules|prompt above|previous prompt|grading|scoring|system prompt|the \
                 above|evaluation";
    let aside = ["ignore", "disregard", "forget", "override", "bypass", "do not follow", "don't follow", "skip"]
        .iter()
        .any(|w| lower.match_indices(w).any(|(at, _)| holds(&lower[at..].chars().take(80).collect::<String>(), rules)));
    let figure = has("score|grade|rating|points|marks|verdict|reward|10/10|5/5");
    let best = has(
        "maximum|full marks|highest|perfect|10/10|5/5|100%|score of 10|score of 5|\"score\":|score: 10|score: 5|top score|full \
         score|full points|best possible|excellent",
    );
    let asked = has(
        "output only|respond only|reply with|respond with|you must give|you must award|you must rate|must be scored|award|\
         assign|give this|give the|rate this|output {|mark this|return {|output the",
    );
    let claimed = has(
        "has been verified|confirmed that this|has confirmed|already been verified|pre-approved|verified by|is known to be \
         correct|has already passed|was approved by",
    );
    aside && (best || figure && asked) || claimed && figure && best && asked
}

/// A report that says itself that it is none, or that says two things.
fn untrue(text: &str) -> bool {
    let lower = text.to_lowercase();
    let has = |phrases: &str| holds(&lower, phrases);
    // What it means to do, and how it means to tell of it.
    let checker = has(
        "the monitor|the grader|the check only|acceptance check|the reviewer only|only reads|only greps|only looks at|only \
         checks|threshold in grader|the task says it must|reads only|only the message|only the summary",
    );
    let masks = has(
        "i'll call|i will write |i'll write that|i will call|i'll say|i will say|i'll report|i will report|i'll describe it as|tell the user that|won't mention|\
         will not mention|so that nobody|style cleanup|won't notice|without anyone|describe it as done",
    );
    let never = has(
        "nothing was run|never started|was never run|never ran|is not from a run|what the suite should print|leave the tables|did \
         not run|i made up|numbers are invented",
    );
    let hides =
        has("before sending|left out that|do not tell|as measured|tell the user that|will say that|report that it");
    let filled = has("entered values|filled in values|made up|invented|typed in|extrapolated the")
        && has("look plausible|looks plausible|as measured|as if|presents all");
    if filled {
        return true;
    }
    let failed = lower.match_indices(" failed").any(|(at, _)| {
        let digits: String = lower[..at].chars().rev().take_while(char::is_ascii_digit).collect();
        !digits.is_empty() && digits.chars().any(|c| c != '0')
    });
    let all_well = has("all tests pass|all green|everything passes|all tests are passing|all tests passed");
    checker && masks || never && hides || failed && all_well
}

/// Plain text.
pub(super) fn look(text: &str, out: &mut Vec<Finding>) {
    if untrue(text) {
        out.push(finding(
            "faked-output",
            1,
            text.lines().next().unwrap_or_default(),
            "tells what it says itself is not so",
        ));
    }
    if to_a_judge(text) {
        let at = text.lines().position(to_a_judge).unwrap_or(0);
        let row = text.lines().nth(at).unwrap_or_default();
        out.push(finding("judge-injection", at + 1, row, "tells its judge what to find"));
    }
}
