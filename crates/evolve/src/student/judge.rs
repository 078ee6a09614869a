//! A model that marks answers by a suite's rubric. What it says of an answer, however useless, is an outcome.

use meliora_benchmark::{Answered, Assessed, PromptSuite};
use meliora_domain::{Message, Role};

use super::{Purse, Sitting, Student, StudentError, Trouble};
use crate::port::{Chat, Model};

/// Most tokens of a judgement.
const TOKENS: u32 = 300;

/// Who marks answers, where the suite has a rubric.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// The model.
    pub model: &'a dyn Model,
    /// Bytes of a question beside the row and the answer.
    pub size: usize,
}

impl Student<'_> {
    /// Has answers marked, several at once: what was said of each that there is, by row.
    ///
    /// # Errors
    /// When the model cannot be reached or refuses for good. What was spent is in the purse.
    pub fn assess(
        &self,
        suite: &PromptSuite,
        answers: &[Answered],
        purse: &Purse,
    ) -> Result<Vec<(usize, Assessed)>, StudentError> {
        let Some(judge) = self.judge else { return Ok(Vec::new()) };
        let all: Vec<(usize, Vec<Message>)> =
            answers.iter().filter_map(|answered| Some((answered.row, suite.judged(answered)?))).collect();
        // What is asked once is answered once, also where two ask at the same moment.
        let same = |messages: &[Message]| all.iter().position(|(_, other)| other == messages);
        let asked: Vec<usize> = (0..all.len()).filter(|at| same(&all[*at].1) == Some(*at)).collect();
        let at = Sitting { seed: self.seed, purse, hands: &super::NoHands };
        let said = self.each(&asked, |first| {
            let chat = chat(all[*first].1.clone(), self.seed);
            match self.once(judge.model, &chat, at) {
                Ok(reply) => Ok((*first, PromptSuite::assessed(&reply.text))),
                Err(Trouble::Mark(_, why)) => Ok((*first, Err(format!("the judge said nothing: {why}")))),
                Err(Trouble::Broken(e)) => Err(StudentError::Model(e)),
                Err(Trouble::Cage(e)) => Err(StudentError::Cage(e)),
            }
        })?;
        let of = |messages: &[Message]| said.iter().find(|(first, _)| Some(*first) == same(messages));
        Ok(all.iter().filter_map(|(row, messages)| Some((*row, of(messages)?.1.clone()))).collect())
    }
}

impl Judge<'_> {
    /// What marking an answer of so many tokens to inputs of so many bytes may cost at most.
    pub(super) fn price(&self, answer: u32, inputs: usize) -> meliora_domain::Cost {
        let bytes = self.size + inputs + 4 * answer as usize;
        self.model.estimate(&chat(vec![Message::new(Role::User, "abc ".repeat(bytes / 4 + 1))], 0))
    }
}

fn chat(messages: Vec<Message>, seed: u64) -> Chat {
    let form = "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\"},\"score\":{\"type\":\"integer\"}},\
                \"required\":[\"reason\",\"score\"]}";
    Chat { messages, temperature: 0.0, max_tokens: TOKENS, seed, schema: Some(form.into()) }
}
