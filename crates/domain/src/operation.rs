//! Operations: what a proposal declares or implies, or what Meliora performs, and what the law says of each.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Change, Digest, Timestamp, VariantId};

/// What the law says of an operation, from mild to strict: of several, the greatest holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may happen without asking.
    Allow,
    /// A person must say yes first.
    Ask,
    /// It does not happen.
    Forbid,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Decision::Allow => "allow",
            Decision::Ask => "ask",
            Decision::Forbid => "forbid",
        })
    }
}

/// One thing that would be done. All texts are as they were given, unchecked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// A change to a genome, as a proposer offers it.
    Change {
        /// The variant that it changes.
        parent: VariantId,
        /// The change.
        change: Change,
    },
    /// A file is written, by whatever means.
    Write {
        /// Path, relative to the workspace or absolute.
        path: String,
    },
    /// A file or folder is deleted.
    Delete {
        /// Path, relative to the workspace or absolute.
        path: String,
    },
    /// A shell command is run.
    Command {
        /// The command line or script, as a shell reads it.
        text: String,
    },
    /// SQL is executed, or commands of psql.
    Sql {
        /// The statements.
        text: String,
    },
    /// A connection is opened.
    Network {
        /// Name or address.
        host: String,
        /// Port; absent where any would do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
    },
    /// A diff in git's form is applied.
    Diff {
        /// The diff.
        text: String,
    },
    /// A variant is applied to the user's own tree.
    Promote {
        /// The variant.
        variant: VariantId,
    },
    /// The store is moved to another database.
    Migrate {
        /// Where to, without a password.
        to: String,
    },
}

impl Operation {
    /// What the operation is, exactly: two operations of one digest are the same.
    pub fn digest(&self) -> Digest {
        let text = serde_json::to_vec(self).expect("an operation has string keys and no numbers that JSON lacks");
        Digest::of([b"operation".as_slice(), &text])
    }
}

/// What a person is asked to decide.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// [`Operation::digest`]: the request's name.
    pub id: Digest,
    /// The operation.
    pub operation: Operation,
    /// Digest of the constitution under which it was asked.
    pub constitution: Digest,
    /// Id of the article that wants a person's word.
    pub article: String,
    /// What exactly, and why, in words.
    pub reason: String,
    /// What could go wrong if it were done, in words.
    pub risk: String,
}

/// A person's word on one request. Signed by the person's key over all but the signature itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Word {
    /// The request: [`Operation::digest`].
    pub request: Digest,
    /// Digest of the constitution under which it holds, and no other.
    pub constitution: Digest,
    /// `true` is yes.
    pub granted: bool,
    /// Drawn at random; a word is used once.
    pub nonce: Digest,
    /// After this it is void.
    pub expires: Timestamp,
    /// The person's reason; may be empty.
    pub reason: String,
    /// Id of the key that signed, in hexadecimal.
    pub key: String,
    /// The signature, in minisign's format.
    pub signature: String,
}
