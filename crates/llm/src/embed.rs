//! Embeddings: the direction in which a text points, by an OpenAI-compatible `/embeddings`, each kept on disk.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use meliora_domain::{Cost, Digest};
use meliora_evolve::{Embedder, ModelError};
use serde::{Deserialize, Serialize};

use crate::{HttpModel, text_tokens};

/// A model that embeds, and what it said before.
pub struct Embeddings {
    model: HttpModel,
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    url: String,
    model: String,
    text: Digest,
    vector: Vec<f32>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Vector>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Vector {
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
}

impl Embeddings {
    /// Asks this model, and keeps what it says under this folder, which is made when the first answer comes: so a run that
    /// goes on asks for nothing twice.
    pub fn new(model: HttpModel, folder: &Path) -> Self {
        Embeddings { model, folder: folder.to_owned() }
    }

    fn url(&self) -> String {
        format!("{}/embeddings", self.model.root())
    }

    fn path(&self, text: &Digest) -> PathBuf {
        let (url, model) = (self.url(), &self.model.config().model);
        let name = Digest::of([b"embedding".as_slice(), url.as_bytes(), model.as_bytes(), &text.0]).to_string();
        self.folder.join(&name[..2]).join(format!("{name}.json"))
    }

    fn find(&self, text: &Digest) -> Option<Vec<f32>> {
        let entry: Entry = serde_json::from_slice(&std::fs::read(self.path(text)).ok()?).ok()?;
        // A file that was copied or altered by hand answers nothing else.
        let fits = entry.text == *text && entry.url == self.url() && entry.model == self.model.config().model;
        fits.then_some(entry.vector)
    }

    fn keep(&self, text: Digest, vector: &[f32]) -> std::io::Result<()> {
        let path = self.path(&text);
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder)?;
        let (url, model) = (self.url(), self.model.config().model.clone());
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&Entry { url, model, text, vector: vector.to_vec() })?)?;
        file.persist(&path).map_err(|e| e.error)?;
        Ok(())
    }

    fn cost(&self, tokens: u64) -> Cost {
        Cost { evals: 0, tokens, usd: self.model.config().price(tokens, 0) }
    }
}

impl Embedder for Embeddings {
    fn price(&self, text: &str) -> Cost {
        if self.find(&Digest::of([text.as_bytes()])).is_some() { Cost::ZERO } else { self.cost(text_tokens(text)) }
    }

    fn embed(&self, text: &str) -> Result<(Vec<f32>, Cost), ModelError> {
        let digest = Digest::of([text.as_bytes()]);
        if let Some(vector) = self.find(&digest) {
            return Ok((vector, Cost::ZERO));
        }
        let body = serde_json::json!({ "model": self.model.config().model, "input": text }).to_string();
        let once = |_| self.model.send(&self.url(), Some(&body));
        // A try that was lost may have been charged: there is no second one of those.
        let (bytes, before) = self.model.persist(0, once, |_| false)?;
        let unusable = |cause: String| ModelError::Failed { tries: 1, cause, spent: before + self.price(text) };
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|e| unusable(format!("no embedding came: {e}")))?;
        let tokens = answer.usage.map_or_else(|| text_tokens(text), |usage| usage.prompt_tokens);
        let Some(Vector { embedding }) = answer.data.into_iter().next() else {
            return Err(unusable("no embedding came".into()));
        };
        if embedding.is_empty() || !embedding.iter().all(|x| x.is_finite()) {
            return Err(unusable("an embedding came that is no direction".into()));
        }
        // Where it cannot be kept, it is asked for again, and nothing is lost.
        let _ = self.keep(digest, &embedding);
        Ok((embedding, before + self.cost(tokens)))
    }
}
